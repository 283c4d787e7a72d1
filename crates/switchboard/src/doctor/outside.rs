//! What can be looked at with nothing but the files: it needs no server, and works beside one.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use switchboard_api::admin::Check;
use switchboard_store_sqlite::{backup, size};

use super::{fail, ok, skip, warn};
use crate::backup as copy;
use crate::config::{Config, parse_key};
use crate::folder::DataFolder;

/// How long the database is checked, unless it is checked deep.
const QUICK: Duration = Duration::from_secs(10);
const DEEP: Duration = Duration::from_hours(24);
const MEGABYTE: u64 = 1 << 20;

/// Looks at the folder, the disk, the lock, the database's file and the limits of this machine.
pub(crate) fn checks(config: &Config, deep: bool) -> Vec<Check> {
    let folder = &config.data_dir;
    if let Some(check) = missing(folder) {
        return vec![check];
    }
    let mut checks = vec![
        private("data folder", folder, 0o700),
        disk(folder),
        holder(config),
    ];
    for (name, path) in [
        ("encryption key", folder.join("encryption.key")),
        ("database's file", config.database.clone()),
    ] {
        if !is_absent(&path) && !path.is_dir() {
            checks.push(private(name, &path, 0o600));
        }
    }
    checks.extend(lost_key(config));
    checks.extend(damaged_key(config));
    checks.push(database(config, deep));
    if config.database.exists()
        && let Ok(found) = size::look(&config.database)
    {
        checks.push(database_size(config, deep, &found));
        checks.push(log(&found));
    }
    checks.extend(left_behind(folder));
    checks.push(files());
    checks
}

/// Folders of restores that were cut off, beside the data folder and within.
fn left_behind(folder: &Path) -> Option<Check> {
    let whole = folder.canonicalize().ok()?;
    let mut left = copy::left(&whole, copy::RESTORING);
    left.extend(Some(whole.join(copy::WITHIN)).filter(|within| within.exists()));
    let names: Vec<_> = left.iter().map(|path| path.display().to_string()).collect();
    (!names.is_empty()).then(|| {
        warn(
            "restores",
            &format!(
                "left of a restore that was cut off, if none is at work: {}",
                names.join(", ")
            ),
            "it takes up space, and holds a copy of a backup or what was in the data folder before",
            "look into it, then remove it",
        )
    })
}

/// Nothing but the word that it is not there: what may not be looked at may well be.
fn is_absent(path: &Path) -> bool {
    std::fs::metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

/// A data folder that cannot be looked at.
fn missing(folder: &Path) -> Option<Check> {
    let (found, fix) = match std::fs::metadata(folder) {
        Ok(found) if found.is_dir() => return None,
        Ok(_) => (
            "is not a folder".to_owned(),
            "name the server's data folder with --data-dir",
        ),
        Err(error) if error.kind() == ErrorKind::NotFound => (
            "is not there".to_owned(),
            "go to the server's folder, name its data folder with --data-dir, or start a server",
        ),
        Err(error) => (
            format!("cannot be looked at: {error}"),
            "call this as the user that the server runs as, and check who may enter each folder of \
             the path",
        ),
    };
    Some(fail(
        "data folder",
        &format!("{} {found}", folder.display()),
        "there is nothing to look at",
        fix,
    ))
}

fn private(name: &str, path: &Path, mode: u32) -> Check {
    let shown = path.display();
    match std::fs::metadata(path) {
        Err(error) => fail(
            name,
            &format!("{shown}: {error}"),
            "the server does not start",
            "check who owns it",
        ),
        Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => warn(
            name,
            &format!(
                "{shown} has the mode {:o}",
                metadata.permissions().mode() & 0o777
            ),
            "other users of this machine may read what people wrote, or the channel tokens",
            &format!("chmod {mode:o} {shown}"),
        ),
        Ok(metadata) if metadata.permissions().readonly() => fail(
            name,
            &format!("{shown} cannot be written"),
            "nothing new is taken",
            "check its rights and who owns it",
        ),
        Ok(_) => ok(name, &format!("{shown}, for its owner only")),
    }
}

/// A key that is gone while something is sealed with it.
fn lost_key(config: &Config) -> Option<Check> {
    let key = config.data_dir.join("encryption.key");
    if config.encryption_key.is_some() || key.exists() || !config.database.exists() {
        return None;
    }
    let found = format!("{} is missing", key.display());
    backup::glance(&config.database).ok()?.sealed.then(|| {
        fail(
            "encryption key",
            &found,
            "channel tokens do not open, and the server does not start",
            "bring it back from a backup, or write a new one there (openssl rand -hex 32) and set the \
             channel tokens again",
        )
    })
}

/// A key that is there and is none.
fn damaged_key(config: &Config) -> Option<Check> {
    let path = config.data_dir.join("encryption.key");
    if config.encryption_key.is_some() || is_absent(&path) {
        return None;
    }
    let found = match std::fs::read_to_string(&path) {
        Ok(text) if parse_key(&text).is_ok() => return None,
        Ok(_) => format!("{} holds no key", path.display()),
        Err(error) => format!("{}: {error}", path.display()),
    };
    Some(fail(
        "encryption key's content",
        &found,
        "channel tokens do not open, and the server does not start",
        "bring it back from a backup, and check that the server's user may read it",
    ))
}

fn disk(folder: &Path) -> Check {
    const NAME: &str = "disk";
    let free = match rustix::fs::statvfs(folder) {
        Ok(found) => found.f_bavail.saturating_mul(found.f_frsize),
        Err(error) => return skip(NAME, &error.to_string()),
    };
    let found = format!("{} MB are free", free / MEGABYTE);
    match free / MEGABYTE {
        0..100 => fail(
            NAME,
            &found,
            "soon nothing new is taken, until there is room",
            "free some space",
        ),
        100..1024 => warn(
            NAME,
            &found,
            "a full disk takes nothing new",
            "free some space, or make the disk larger",
        ),
        _ => ok(NAME, &found),
    }
}

fn holder(config: &Config) -> Check {
    const NAME: &str = "server";
    let run = DataFolder::read_run_file(&config.data_dir);
    if DataFolder::is_held(&config.data_dir) {
        return match run {
            Some(run) => ok(NAME, &format!("{} (process {})", run.url, run.pid)),
            None => skip(NAME, "one is starting or stopping, or a command is at work"),
        };
    }
    let none = match run {
        Some(run) => format!("none runs, the last one (process {}) was killed", run.pid),
        None => "none runs".to_owned(),
    };
    match std::net::TcpListener::bind(&config.listen) {
        Ok(_) => skip(NAME, &format!("{none}; {} is free", config.listen)),
        // Another folder's server may be meant to listen there.
        Err(error) => warn(
            NAME,
            &format!("{none} on this folder, and {}: {error}", config.listen),
            "a server on this folder would not start",
            "stop the program that listens there, or choose another address with --listen",
        ),
    }
}

fn database(config: &Config, deep: bool) -> Check {
    const NAME: &str = "database";
    let path = &config.database;
    if !path.exists() {
        return skip(NAME, &format!("{} is not there yet", path.display()));
    }
    if path.is_dir() {
        return fail(
            NAME,
            &format!("{} is a folder, expected a file", path.display()),
            "the server does not start",
            "move the folder away, or name another database with --database-url",
        );
    }
    if backup::glance(path).is_ok_and(|found| !found.begun) {
        return fail(
            NAME,
            &format!("{} is empty: no server has written to it", path.display()),
            "what was there is lost, and a server would begin anew",
            "restore a backup (switchboard restore), or start a server if none ever ran",
        );
    }
    let damaged = |found: &str| {
        fail(
            NAME,
            found,
            "it cannot be relied on",
            "stop the server and restore a backup (switchboard restore)",
        )
    };
    match backup::inspect(path, deep, if deep { DEEP } else { QUICK }) {
        Err(error) => damaged(&error.to_string()),
        Ok(found) if !found.faults.is_empty() => damaged(&found.faults.join("; ")),
        Ok(found) => {
            let known = backup::known_version();
            let version = match found.version {
                version if version == known => format!("schema {version}"),
                version => format!("schema {version}; the next start brings it to {known}"),
            };
            let size = std::fs::metadata(path).map_or(0, |found| found.len()) / MEGABYTE;
            let how = match (found.whole, deep) {
                (false, _) => "nothing wrong in the part that could be checked in time",
                (true, true) => "whole",
                (true, false) => "no damage found",
            };
            ok(NAME, &format!("{how}, {version}, {size} MB"))
        }
    }
}

fn database_size(config: &Config, deep: bool, size: &size::Size) -> Check {
    const NAME: &str = "database's size";
    let free = match size.free / MEGABYTE {
        0 => String::new(),
        free => format!(", and {free} MB to be used again"),
    };
    let found = format!("{} MB in use{free}", size.used / MEGABYTE);
    let Some(each) = size.a_message() else {
        return ok(NAME, &found);
    };
    let bound = size.bound();
    let found = format!("{found}; {each} bytes a message, expected are at most {bound}");
    if each <= bound {
        return ok(NAME, &found);
    }
    warn(
        NAME,
        &format!("{found}{}", largest(config, deep)),
        "the disk fills faster than by what is said",
        "call doctor --deep for the largest tables; states, workflows and events with large payloads \
         are your bots' to delete",
    )
}

/// With `deep`, what takes up most of the database: that reads all of it.
fn largest(config: &Config, deep: bool) -> String {
    if !deep {
        return String::new();
    }
    let parts = size::parts(&config.database).unwrap_or_default();
    let largest: Vec<_> = parts
        .iter()
        .take(5)
        .map(|(name, bytes)| format!("{name} {} MB", bytes / MEGABYTE))
        .collect();
    format!("; most is in {}", largest.join(", "))
}

/// The log that `SQLite` keeps beside the database.
fn log(size: &size::Size) -> Check {
    const NAME: &str = "database's log";
    let bound = size::LOG_BOUND;
    let found = format!(
        "{} MB, expected are at most {}",
        size.log / MEGABYTE,
        bound / MEGABYTE
    );
    if size.log <= bound {
        return ok(NAME, &found);
    }
    warn(
        NAME,
        &found,
        "it takes up room, and starts take longer",
        "end other programs that read the database, or a backup that hangs; the server then makes it \
         small again",
    )
}

fn files() -> Check {
    const NAME: &str = "open files";
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    match limit {
        Some(limit) if limit < 4096 => warn(
            NAME,
            &format!("at most {limit} for a process started here"),
            "fewer slow bots and chats can be waited for at once",
            "raise the limit (ulimit -Hn, LimitNOFILE=)",
        ),
        Some(limit) => ok(NAME, &format!("at most {limit}")),
        None => ok(NAME, "no limit"),
    }
}
