//! The contract suite, on this backend.

#![allow(clippy::unwrap_used, reason = "a test that fails must panic")]

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use switchboard_store::Store;
use switchboard_store::contract::Factory;
use switchboard_store_sqlite::SqliteStore;
use tempfile::TempDir;

/// A database in a folder of its own, which goes with the factory.
struct Folder {
    folder: TempDir,
    path: PathBuf,
}

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("switchboard.db");
        Self { folder, path }
    }
}

#[async_trait]
impl Factory for Folder {
    async fn open(&self) -> Arc<dyn Store> {
        let path = &self.path;
        assert!(self.folder.path().exists() && !path.exists());
        Arc::new(SqliteStore::open(path).unwrap())
    }

    async fn reopen(&self, store: Arc<dyn Store>) -> Arc<dyn Store> {
        store.close().await.unwrap();
        let path = &self.path;
        Arc::new(SqliteStore::open(path).unwrap())
    }
}

switchboard_store::contract_tests!(Folder::new());

mod properties {
    use super::*;
    use proptest::prelude::*;
    use switchboard_store::contract::cursors::{Served, cases, check_history};
    use switchboard_store::contract::identity::check_sequence;
    use switchboard_store::contract::line::check_lines;
    use switchboard_store::contract::world::World;

    /// The plain model again, with sequences that shrink to the shortest that fails.
    #[test]
    fn identity_does_as_the_plain_model_does() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let folder = Folder::new();
        let world = runtime.block_on(World::new(&folder));
        let config = ProptestConfig {
            cases: cases(40),
            failure_persistence: None,
            ..ProptestConfig::default()
        };
        proptest!(config, |(bytes in proptest::collection::vec(any::<u8>(), 4..160))| {
            runtime.block_on(check_sequence(&world, &bytes));
        });
    }

    /// Lines of the outbox, and what happens to them.
    #[test]
    fn lines_do_as_the_plain_model_does() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let folder = Folder::new();
        let world = runtime.block_on(World::new(&folder));
        let config = ProptestConfig {
            cases: cases(20),
            failure_persistence: None,
            ..ProptestConfig::default()
        };
        proptest!(config, |(bytes in proptest::collection::vec(any::<u8>(), 4..60))| {
            runtime.block_on(check_lines(&world, &bytes, Served::Everything));
        });
    }

    /// Lists in pages, while what they list changes.
    #[test]
    fn pages_keep_their_promise_whatever_happens() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let folder = Folder::new();
        let world = runtime.block_on(World::new(&folder));
        let config = ProptestConfig {
            cases: cases(5),
            failure_persistence: None,
            ..ProptestConfig::default()
        };
        proptest!(config, |(bytes in proptest::collection::vec(any::<u8>(), 40..600))| {
            runtime.block_on(check_history(&world, &bytes, Served::Everything));
        });
    }
}
