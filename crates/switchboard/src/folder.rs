//! The data folder: held by one process at a time, readable by its owner only.
//!
//! `switchboard.lock` is the lock; the system frees it with the process. `run.json` tells commands
//! how to reach the server that holds it. `encryption.key` opens channel tokens.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use switchboard_engine::Vault;
use switchboard_engine::keys::hex;
use switchboard_model::{Environment, Error};
use switchboard_store_sqlite::backup::{self, Glance};

use crate::commands::Failure;
use crate::config::{Config, parse_key};

/// A data folder that this process holds.
#[derive(Debug)]
pub(crate) struct DataFolder {
    path: PathBuf,
    /// Held as long as this value lives.
    _lock: File,
    /// The database file, also held: it may lie outside the folder, where another server could
    /// find it.
    database: Option<File>,
}

/// How commands find and are let into the running server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RunFile {
    /// Its URL.
    pub(crate) url: String,
    /// A secret made at each start.
    pub(crate) secret: String,
    /// Its process id.
    pub(crate) pid: u32,
}

/// Whether the folder could be had.
pub(crate) enum Acquired {
    /// It is ours.
    Held(DataFolder),
    /// Another process has it.
    Busy,
}

impl DataFolder {
    /// Makes the folder if it is missing, and takes its lock.
    pub(crate) fn acquire(path: &Path) -> Result<Acquired, Failure> {
        let fault = |what: &str, error: &std::io::Error| {
            Failure::Folder(format!(
                "the data folder {}: {what}: {error}; {}, or name another folder with --data-dir",
                path.display(),
                advice(error)
            ))
        };
        if !path.exists() {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(path)
                .map_err(|error| fault("cannot be made", &error))?;
        }
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path.join("switchboard.lock"))
            .map_err(|error| fault("its lock file cannot be opened", &error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(Acquired::Busy),
            Err(TryLockError::Error(error)) => return Err(fault("cannot be locked", &error)),
        }
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
            .map_err(|error| fault("its permissions cannot be set", &error))?;
        Ok(Acquired::Held(Self {
            path: path.to_owned(),
            _lock: lock,
            database: None,
        }))
    }

    /// Takes the lock of the database file, which is made if it is missing. `SQLite`'s own locks are
    /// of another kind and let several processes in.
    pub(crate) fn hold_database(&mut self, path: &Path) -> Result<(), Failure> {
        let fault = |what: &str, error: &std::io::Error| {
            Failure::Folder(format!(
                "the database {}: {what}: {error}; {}, or name another database with --database-url",
                path.display(),
                advice(error)
            ))
        };
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)
                .map_err(|error| fault("its folder cannot be made", &error))?;
        }
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(path)
            .map_err(|error| fault("it cannot be opened", &error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Failure::Folder(format!(
                    "the database {} is held by another process; stop it, or use another database",
                    path.display()
                )));
            }
            Err(TryLockError::Error(error)) => return Err(fault("it cannot be locked", &error)),
        }
        self.database = Some(file);
        Ok(())
    }

    /// Whether a process holds the folder: a server, or a command that has opened the database. A
    /// file that a server left behind does not tell, for it may have been killed.
    pub(crate) fn is_held(path: &Path) -> bool {
        // Shared, so that two who ask at once are not in each other's way.
        File::open(path.join("switchboard.lock"))
            .is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// Where the server that holds this folder tells how to reach it.
    pub(crate) fn read_run_file(path: &Path) -> Option<RunFile> {
        let text = std::fs::read_to_string(path.join("run.json")).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Tells commands how to reach this server.
    pub(crate) fn write_run_file(&self, run: &RunFile) -> Result<(), Failure> {
        let text = serde_json::to_string(run).unwrap_or_default();
        self.write("run.json", text.as_bytes())
    }

    /// Nobody can be reached any more.
    pub(crate) fn remove_run_file(&self) {
        // Where it is gone already, nothing is left to do.
        let _ = std::fs::remove_file(self.path.join("run.json"));
    }

    /// The vault with the configured key, else with the folder's own, made at the first start.
    pub(crate) fn vault(&self, config: &Config, env: &Environment) -> Result<Vault, Failure> {
        let key = match &config.encryption_key {
            Some(key) => parse_key(key.expose_secret())?,
            None => self.own_key(&config.database, env)?,
        };
        Ok(Vault::new(&key)?)
    }

    fn own_key(&self, database: &Path, env: &Environment) -> Result<[u8; Vault::KEY_LEN], Failure> {
        let path = self.path.join("encryption.key");
        match std::fs::read_to_string(&path) {
            Ok(text) => parse_key(&text).map_err(|_| {
                Failure::Folder(format!(
                    "{} is damaged; bring it back from a backup",
                    path.display()
                ))
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                // A new key would not open what is sealed, and would hide that the old one is lost.
                if database.exists() && glance(database)?.sealed {
                    return Err(Failure::Folder(format!(
                        "{} is missing, and the database holds secrets that only it opens; bring it \
                         back from a backup. If it is lost for good, write a new one there (`openssl \
                         rand -hex 32`) and set the channel tokens again",
                        path.display()
                    )));
                }
                let mut key = [0; Vault::KEY_LEN];
                env.fill(&mut key);
                self.write("encryption.key", format!("{}\n", hex(&key)).as_bytes())?;
                Ok(key)
            }
            Err(error) => Err(Failure::Folder(format!(
                "{} cannot be read: {error}; {}",
                path.display(),
                advice(&error)
            ))),
        }
    }

    /// Writes a file that only the owner can read, whole or not at all.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        let (path, draft) = (self.path.join(name), self.path.join(format!("{name}.new")));
        let write = || -> std::io::Result<()> {
            let _ = std::fs::remove_file(&draft);
            let mut file = OpenOptions::new()
                .create_new(true)
                .write(true)
                .mode(0o600)
                .open(&draft)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            std::fs::rename(&draft, &path)?;
            File::open(&self.path)?.sync_all()
        };
        write().map_err(|error| {
            Failure::Folder(format!(
                "{} cannot be written: {error}; {}, or name another folder with --data-dir",
                path.display(),
                advice(&error)
            ))
        })
    }
}

/// What the database is, without a check.
pub(crate) fn glance(database: &Path) -> Result<Glance, Failure> {
    if database.is_dir() {
        return Err(Failure::Folder(format!(
            "the database {}: it is a folder, expected a file; move the folder away, or name another \
             database with --database-url",
            database.display()
        )));
    }
    backup::glance(database).map_err(|error| unusable(database, error))
}

/// A database that cannot be used.
pub(crate) fn unusable(database: &Path, error: Error) -> Failure {
    let reason = match error {
        Error::Unavailable { reason } => reason,
        other => other.to_string(),
    };
    Failure::Folder(format!("the database {}: {reason}", database.display()))
}

/// What to do about a file that cannot be used.
fn advice(error: &std::io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "free some space",
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "check whose it is and who may write there"
        }
        ErrorKind::NotADirectory | ErrorKind::IsADirectory | ErrorKind::AlreadyExists => {
            "move away what is in its place"
        }
        _ => "check the path and the disk",
    }
}
