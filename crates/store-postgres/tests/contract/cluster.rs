//! A database for each test, in the cluster of the test command or in one of this process.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use switchboard_store::Store;
use switchboard_store::contract::Factory;
use switchboard_store_postgres::{Options, OutboxClock, PostgresStore};

use crate::postgres::{self, Cluster};

/// The socket's folder.
fn socket() -> &'static Path {
    static GIVEN: OnceLock<Option<PathBuf>> = OnceLock::new();
    static OWN: OnceLock<Cluster> = OnceLock::new();
    let given = GIVEN.get_or_init(|| std::env::var_os(postgres::VARIABLE).map(PathBuf::from));
    match given {
        Some(folder) => folder,
        // Ends with this process.
        None => OWN
            .get_or_init(|| match Cluster::start() {
                Ok(cluster) => cluster,
                Err(error) => panic!("{error}"),
            })
            .folder(),
    }
}

fn run(program: &str, arguments: &[&str]) {
    let bin = postgres::programs().unwrap();
    let output = Command::new(bin.join(program))
        .arg("-h")
        .arg(socket())
        .args(["-U", "postgres"])
        .args(arguments)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {error}");
}

/// A database of its own, which goes with this value.
pub(crate) struct Database(String);

impl Database {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{number}", std::process::id());
        run("createdb", &["-T", "template0", &name]);
        Self(name)
    }

    pub(crate) fn url(&self) -> String {
        let socket = socket().to_str().unwrap().replace('/', "%2F");
        format!("postgres://postgres@{socket}/{}", self.0)
    }

    /// Runs a statement beside the store.
    pub(crate) fn sql(&self, statement: &str) {
        run(
            "psql",
            &["-d", &self.0, "-v", "ON_ERROR_STOP=1", "-c", statement],
        );
    }

    /// A node by the suite's clock.
    pub(crate) async fn node(&self) -> PostgresStore {
        self.node_by(OutboxClock::Caller).await
    }

    pub(crate) async fn node_by(&self, clock: OutboxClock) -> PostgresStore {
        let options = Options {
            clock,
            ..Options::default()
        };
        PostgresStore::open_with(&self.url(), &options)
            .await
            .unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        run("dropdb", &["--force", &self.0]);
    }
}

#[async_trait]
impl Factory for Database {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.node().await)
    }

    async fn reopen(&self, store: Arc<dyn Store>) -> Arc<dyn Store> {
        store.close().await.unwrap();
        self.open().await
    }
}
