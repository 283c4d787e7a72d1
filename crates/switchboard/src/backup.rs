//! A backup: a folder with a copy of the database, the encryption key, and what is in it.
//!
//! Promises: a backup is whole and checked, or it is not there under its name; it is made while the
//! server runs; whatever was acknowledged before it was begun is in it. Restoring checks it first,
//! and puts it in place as one step.

use std::ffi::OsStr;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use switchboard_engine::keys::{self, hex};
use switchboard_model::Timestamp;
use switchboard_store_sqlite::backup::{self, Counts};

use crate::commands::Failure;
use crate::config::parse_key;

/// The database's name in a backup, and in a data folder.
pub(crate) const DATABASE: &str = "switchboard.db";
/// The encryption key's name in both.
pub(crate) const KEY: &str = "encryption.key";
/// What the name of a folder ends with that becomes a backup, and of one that is being restored.
pub(crate) const PART: &str = "part";
pub(crate) const RESTORING: &str = "restoring";
/// What is in the backup.
const CONTENTS: &str = "backup.json";

/// What a backup says of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Contents {
    /// The program that made it.
    pub(crate) version: String,
    /// When it was begun.
    pub(crate) made_at: Timestamp,
    /// Whether the encryption key is in it.
    pub(crate) key: bool,
    /// What the key is recognised by; older backups do not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key_digest: Option<String>,
    /// The rows that are in it.
    pub(crate) counts: Counts,
}

/// Makes a backup at `to`.
pub(crate) fn make(
    database: &Path,
    key: Option<&Path>,
    to: &Path,
    now: Timestamp,
    progress: impl FnMut(u64, u64),
) -> Result<Contents, Failure> {
    if to.symlink_metadata().is_ok() {
        return Err(Failure::Refused(format!(
            "{} exists; name a folder that is not there yet",
            to.display()
        )));
    }
    let draft = beside(to, PART)?;
    let made = fill(database, key, &draft, now, progress).and_then(|contents| {
        std::fs::rename(&draft, to).map_err(|error| fault(to, "cannot be put in place", &error))?;
        sync(&parent(to))?;
        Ok(contents)
    });
    if made.is_err() {
        // What is left of it has a name that nobody takes for a backup.
        let _ = std::fs::remove_dir_all(&draft);
    }
    made
}

fn fill(
    database: &Path,
    key: Option<&Path>,
    draft: &Path,
    now: Timestamp,
    progress: impl FnMut(u64, u64),
) -> Result<Contents, Failure> {
    folder(draft)?;
    let copy = draft.join(DATABASE);
    // Made before SQLite makes it, which would let others read it.
    write(&copy, b"")?;
    let counts = backup::copy(database, &copy, progress)?;
    let found = backup::verify(&copy)?;
    if found != counts {
        return Err(Failure::Refused(
            "the copy does not hold what the database held; look at the disk, then try again"
                .to_owned(),
        ));
    }
    let mut key_digest = None;
    if let Some(key) = key {
        let text = std::fs::read(key).map_err(|error| fault(key, "cannot be read", &error))?;
        key_digest = Some(digest(key, &text)?);
        write(&draft.join(KEY), &text)?;
    }
    let contents = Contents {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: now,
        key: key.is_some(),
        key_digest,
        counts,
    };
    let text = serde_json::to_string(&contents).map_err(std::io::Error::from)?;
    write(&draft.join(CONTENTS), text.as_bytes())?;
    sync(draft)?;
    Ok(contents)
}

/// Reads and checks a backup.
pub(crate) fn check(from: &Path) -> Result<Contents, Failure> {
    let path = from.join(CONTENTS);
    let text = std::fs::read_to_string(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Failure::NotFound(format!(
            "{} is no backup: it has no {CONTENTS}; name a folder that `switchboard backup` made",
            from.display()
        )),
        _ => fault(&path, "cannot be read", &error),
    })?;
    let contents: Contents = serde_json::from_str(&text).map_err(|error| {
        Failure::Refused(format!(
            "{} is damaged ({error}); use another backup",
            path.display()
        ))
    })?;
    let database = from.join(DATABASE);
    if !database.is_file() {
        return Err(Failure::Refused(format!(
            "{} is missing; use another backup",
            database.display()
        )));
    }
    if backup::verify(&database)? != contents.counts {
        return Err(Failure::Refused(format!(
            "{} does not hold what it held when the backup was made; use another backup",
            database.display()
        )));
    }
    if contents.key && !from.join(KEY).is_file() {
        return Err(Failure::Refused(format!(
            "{} is missing; use another backup",
            from.join(KEY).display()
        )));
    }
    if contents.key {
        let path = from.join(KEY);
        let text = std::fs::read(&path).map_err(|error| fault(&path, "cannot be read", &error))?;
        let found = digest(&path, &text)?;
        if contents
            .key_digest
            .as_ref()
            .is_some_and(|digest| *digest != found)
        {
            return Err(Failure::Refused(format!(
                "{} is not the key that was there when the backup was made; use another backup",
                path.display()
            )));
        }
    }
    Ok(contents)
}

/// What a key is recognised by. Refuses what is no key.
fn digest(path: &Path, text: &[u8]) -> Result<String, Failure> {
    let key = std::str::from_utf8(text)
        .ok()
        .and_then(|text| parse_key(text).ok())
        .ok_or_else(|| {
            Failure::Refused(format!(
                "{} is damaged: it is not 64 hexadecimal digits; use another backup",
                path.display()
            ))
        })?;
    Ok(hex(&keys::key([b"encryption key".as_slice(), &key]).0))
}

/// Copies a backup into a new folder beside `to`, ready to take its place. The old key comes along
/// where the backup has none.
pub(crate) fn stage(from: &Path, to: &Path, contents: &Contents) -> Result<PathBuf, Failure> {
    let draft = beside(to, RESTORING)?;
    match fill_draft(from, to, &draft, contents) {
        Ok(()) => Ok(draft),
        Err(failure) => {
            let _ = std::fs::remove_dir_all(&draft);
            Err(failure)
        }
    }
}

fn fill_draft(from: &Path, to: &Path, draft: &Path, contents: &Contents) -> Result<(), Failure> {
    folder(draft)?;
    copy(&from.join(DATABASE), &draft.join(DATABASE))?;
    if contents.key {
        copy(&from.join(KEY), &draft.join(KEY))?;
    } else if to.join(KEY).is_file() {
        copy(&to.join(KEY), &draft.join(KEY))?;
    }
    sync(draft)?;
    if backup::verify(&draft.join(DATABASE))? == contents.counts {
        return Ok(());
    }
    Err(Failure::Refused(
        "the copy does not hold what the backup holds; look at the disk, then try again".to_owned(),
    ))
}

/// The folder in which a backup is staged where its data folder is there and empty.
pub(crate) const WITHIN: &str = ".restoring";

/// Puts a backup into a folder that is there and holds nothing, without touching what is beside it:
/// the folder may be the place where a disk is mounted. The database comes last and by one rename:
/// without it nothing was restored, with it all was.
pub(crate) fn fill_empty(from: &Path, to: &Path, contents: &Contents) -> Result<(), Failure> {
    let draft = to.join(WITHIN);
    // Left behind by a restore that was cut off.
    let _ = std::fs::remove_dir_all(&draft);
    let put = || -> Result<(), Failure> {
        fill_draft(from, to, &draft, contents)?;
        let mut names = vec![KEY, DATABASE];
        names.retain(|name| draft.join(name).is_file());
        for name in names {
            let (one, other) = (draft.join(name), to.join(name));
            std::fs::rename(&one, &other)
                .map_err(|error| fault(&other, "cannot be put in place", &error))?;
            sync(to)?;
        }
        Ok(())
    };
    let done = put();
    let _ = std::fs::remove_dir_all(&draft);
    done
}

/// Whether a folder's key is the one of a backup.
pub(crate) fn same_key(from: &Path, to: &Path) -> bool {
    let read = |folder: &Path| std::fs::read(folder.join(KEY)).ok();
    read(from).is_some_and(|key| read(to).as_ref() == Some(&key))
}

/// Puts a staged folder in the place of `to`. What was there is kept, and its new place is told.
pub(crate) fn put(draft: &Path, to: &Path, now: Timestamp) -> Result<Option<PathBuf>, Failure> {
    let cannot = |error: std::io::Error| {
        Failure::Folder(format!(
            "{} cannot be put in place: {error}; if it is the place where a disk is mounted, restore \
             into another folder and move the files",
            to.display()
        ))
    };
    if to.symlink_metadata().is_err() {
        std::fs::rename(draft, to).map_err(cannot)?;
        sync(&parent(to))?;
        return Ok(None);
    }
    let time: String = now
        .to_string()
        .chars()
        .filter(char::is_ascii_digit)
        .take(14)
        .collect();
    let aside = beside(to, &format!("before-{time}"))?;
    exchange(draft, to).map_err(cannot)?;
    // From here on the new one is in place, whatever becomes of the old one's name.
    let kept = match std::fs::rename(draft, &aside) {
        Ok(()) => aside,
        Err(_) => draft.to_owned(),
    };
    sync(&parent(to))?;
    Ok(Some(kept))
}

/// Two folders change places, as one step.
fn exchange(one: &Path, other: &Path) -> std::io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
}

/// A name beside `path` that is not taken.
fn beside(path: &Path, what: &str) -> Result<PathBuf, Failure> {
    let path = std::path::absolute(path)?;
    let name = path
        .file_name()
        .ok_or_else(|| Failure::Refused(format!("{} is no name of a folder", path.display())))?;
    for number in 0..100 {
        let mut full = name.to_owned();
        full.push(format!(".{what}"));
        if number > 0 {
            full.push(format!("-{number}"));
        }
        let free = path.with_file_name(full);
        if free.symlink_metadata().is_err() {
            return Ok(free);
        }
    }
    Err(Failure::Refused(format!(
        "too many folders {}.{what}-… lie there; remove those that nobody needs",
        path.display()
    )))
}

/// What backups and restores that were cut off left behind: folders beside `path` that have its name
/// and `what` at its end. One that is at work has such a folder too, so that none is removed here.
pub(crate) fn left(path: &Path, what: &str) -> Vec<PathBuf> {
    let Ok(path) = std::path::absolute(path) else {
        return Vec::new();
    };
    let Some(name) = path.file_name() else {
        return Vec::new();
    };
    let mut beginning = name.as_encoded_bytes().to_vec();
    beginning.extend([b".", what.as_bytes()].concat());
    let is_left = |name: &OsStr| {
        let rest = name.as_encoded_bytes().strip_prefix(beginning.as_slice());
        let number = rest.map(|rest| rest.strip_prefix(b"-").unwrap_or(rest));
        number.is_some_and(|number| number.iter().all(u8::is_ascii_digit))
    };
    let entries = std::fs::read_dir(parent(&path)).into_iter().flatten();
    let mut left: Vec<_> = entries
        .flatten()
        .filter(|entry| is_left(&entry.file_name()))
        .map(|entry| entry.path())
        .collect();
    left.sort();
    left
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn folder(path: &Path) -> Result<(), Failure> {
    DirBuilder::new()
        .mode(0o700)
        .recursive(true)
        .create(path)
        .map_err(|error| fault(path, "cannot be made", &error))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let write = || -> std::io::Result<()> {
        let mut file = create(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|error| fault(path, "cannot be written", &error))
}

fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    let copy = || -> std::io::Result<()> {
        let mut file = create(to)?;
        std::io::copy(&mut File::open(from)?, &mut file)?;
        file.sync_all()
    };
    copy().map_err(|error| fault(to, "cannot be written", &error))
}

fn create(path: &Path) -> std::io::Result<File> {
    OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(path)
}

fn sync(folder: &Path) -> Result<(), Failure> {
    File::open(folder)
        .and_then(|file| file.sync_all())
        .map_err(|error| fault(folder, "is not on disk", &error))
}

fn fault(path: &Path, what: &str, error: &std::io::Error) -> Failure {
    Failure::Folder(format!("{} {what}: {error}", path.display()))
}
