//! The files behind the connections. A database that was deleted or replaced under a running
//! server goes on taking writes, into a file that nobody will ever open again: so each commit first
//! looks whether the paths still lead to the files that are open.

use std::ffi::OsString;
use std::fs::File;
use std::io::ErrorKind;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};

use switchboard_model::{Error, Result};

/// Which file a path leads to: device and number.
type Id = (u64, u64);

/// The open files, each with its path.
#[derive(Debug)]
pub(crate) struct Files(Vec<(PathBuf, Option<Id>)>);

impl Files {
    /// To be called when the database and its log are open.
    pub(crate) fn opened(database: &Path) -> std::io::Result<Self> {
        // SQLite keeps the log beside the file itself, not beside a link to it.
        let mut log = OsString::from(std::fs::canonicalize(database)?);
        log.push("-wal");
        let files = [database.to_owned(), PathBuf::from(log)];
        let identified = files.into_iter().map(|path| {
            let id = identify(&path)?;
            Ok((path, id))
        });
        identified.collect::<std::io::Result<_>>().map(Self)
    }

    /// The log, to be synced.
    pub(crate) fn log(&self) -> std::io::Result<File> {
        open(self.0.last())
    }

    /// The database, to be synced. It is never closed: that would take from SQLite the locks that it
    /// has on the file (<https://sqlite.org/howtocorrupt.html>, section 2.2).
    pub(crate) fn database(&self) -> std::io::Result<ManuallyDrop<File>> {
        open(self.0.first()).map(ManuallyDrop::new)
    }

    /// Whether they are all still there.
    pub(crate) fn check(&self) -> Result<()> {
        for (path, opened) in &self.0 {
            let what = match identify(path) {
                Ok(now) if now == *opened => continue,
                Ok(_) => "was replaced by another file".to_owned(),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    "was deleted or moved away".to_owned()
                }
                Err(error) => format!("cannot be found ({error})"),
            };
            return Err(Error::Unavailable {
                reason: format!(
                    "{} {what} while the server runs; put the file back, or stop the server, \
                     restore a backup and start again",
                    path.display()
                ),
            });
        }
        Ok(())
    }
}

fn open(file: Option<&(PathBuf, Option<Id>)>) -> std::io::Result<File> {
    let Some((path, opened)) = file else {
        return Err(ErrorKind::NotFound.into());
    };
    if identify(path)? != *opened {
        return Err(std::io::Error::other(
            "the file is another than a moment ago",
        ));
    }
    // For writing: elsewhere a handle that only reads cannot sync.
    File::options().write(true).open(path)
}

#[cfg(unix)]
fn identify(path: &Path) -> std::io::Result<Option<Id>> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = std::fs::metadata(path)?;
    Ok(Some((metadata.dev(), metadata.ino())))
}

/// Elsewhere an open file can be neither deleted nor replaced.
#[cfg(not(unix))]
fn identify(path: &Path) -> std::io::Result<Option<Id>> {
    std::fs::metadata(path).map(|_| None)
}
