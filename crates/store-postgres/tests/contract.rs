//! The contract suite, on this backend, and what several nodes on one database promise.

#![allow(clippy::unwrap_used, reason = "a test that fails must panic")]

#[path = "contract/cluster.rs"]
mod cluster;
#[path = "contract/nodes.rs"]
mod nodes;
#[path = "../../../xtask/src/postgres.rs"]
mod postgres;

use cluster::Database;

switchboard_store::contract_tests!(core: Database::new());

mod properties {
    use super::*;
    use proptest::prelude::*;
    use switchboard_store::contract::cursors::{Served, cases, check_history};
    use switchboard_store::contract::identity::check_sequence;
    use switchboard_store::contract::world::World;

    /// The plain model again, with sequences that shrink to the shortest that fails.
    #[test]
    fn identity_does_as_the_plain_model_does() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let database = Database::new();
        let world = runtime.block_on(World::new(&database));
        let config = ProptestConfig {
            cases: cases(15),
            failure_persistence: None,
            ..ProptestConfig::default()
        };
        proptest!(config, |(bytes in proptest::collection::vec(any::<u8>(), 4..120))| {
            runtime.block_on(check_sequence(&world, &bytes));
        });
    }

    /// Lists in pages, while what they list changes.
    #[test]
    fn pages_keep_their_promise_whatever_happens() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let database = Database::new();
        let world = runtime.block_on(World::new(&database));
        let config = ProptestConfig {
            cases: cases(3),
            failure_persistence: None,
            ..ProptestConfig::default()
        };
        proptest!(config, |(bytes in proptest::collection::vec(any::<u8>(), 40..600))| {
            runtime.block_on(check_history(&world, &bytes, Served::Core));
        });
    }
}
