//! A `PostgreSQL` of our own for the tests: a fresh cluster in a temporary folder, reached by a socket
//! in that folder only. It ends, and its folder goes, when whoever started it is gone, however that
//! came about.
//!
//! Used by the test command, which starts one for the whole run, and by the tests themselves, which
//! start one where they were called without it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// The variable that names the folder of the socket.
pub(crate) const VARIABLE: &str = "SWITCHBOARD_TEST_POSTGRES";

/// `postgres` refuses to run as root, so root starts it as the user that Debian's package makes.
/// Durability is off: no test pulls the plug, and a database a test is made and dropped.
const SCRIPT: &str = r#"
trap '' INT
dir=$1 bin=$2
cd "$dir" || exit 1
as=
if [ "$(id -u)" = 0 ]; then
    as="setpriv --reuid=postgres --regid=postgres --clear-groups"
    chown postgres "$dir" || exit 1
fi
: > log && chmod 666 log
fail() { tail -n 20 log; rm -rf "$dir"; exit 1; }
$as "$bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >> log 2>&1 || fail
$as "$bin/postgres" -D "$dir/data" -k "$dir" -c listen_addresses= -c max_connections=400 \
    -c fsync=off -c full_page_writes=off -c autovacuum=off >> log 2>&1 &
pid=$!
tries=0
until "$bin/pg_isready" -q -h "$dir" 2>/dev/null; do
    tries=$((tries + 1))
    { [ "$tries" -lt 600 ] && kill -0 "$pid" 2>/dev/null; } || { kill -INT "$pid" 2>/dev/null; fail; }
    sleep 0.05
done
echo ready
cat > /dev/null
kill -INT "$pid"
wait "$pid"
rm -rf "$dir"
"#;

/// A running cluster.
pub(crate) struct Cluster {
    folder: PathBuf,
    keeper: Child,
}

impl Cluster {
    /// Starts one; the error says what is missing.
    pub(crate) fn start() -> Result<Self, String> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let bin = programs()
            .ok_or("PostgreSQL is not installed (Debian, as root: apt-get install postgresql)")?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("switchboard-pg-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let mut keeper = Command::new("sh")
            .args(["-c", SCRIPT, "sh"])
            .args([&folder, &bin])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("sh: {error}"))?;
        let mut said = BufReader::new(keeper.stdout.take().ok_or("sh has no output")?);
        let mut line = String::new();
        said.read_line(&mut line)
            .map_err(|error| error.to_string())?;
        if line.trim() == "ready" {
            return Ok(Self { folder, keeper });
        }
        let mut rest = String::new();
        // What was said so far is enough.
        drop(said.read_to_string(&mut rest));
        Err(format!("PostgreSQL does not start: {line}{rest}"))
    }

    /// The folder of its socket.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The end of its input is what the keeper waits for.
        drop(self.keeper.stdin.take());
        drop(self.keeper.wait());
    }
}

/// Where the programs of `PostgreSQL` are: Debian keeps those of the server out of the path.
pub(crate) fn programs() -> Option<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    versions.sort();
    let debian = versions.into_iter().rev().map(|(_, folder)| folder);
    let path = std::env::var_os("PATH").unwrap_or_default();
    debian.chain(std::env::split_paths(&path)).find(|folder| {
        ["initdb", "postgres", "pg_isready"]
            .iter()
            .all(|name| folder.join(name).is_file())
    })
}
