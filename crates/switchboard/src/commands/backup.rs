//! `switchboard backup` and `switchboard restore`.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;

use crate::backup::{self, Contents, DATABASE, KEY};
use crate::commands::Failure;
use crate::config::Config;
use crate::folder::{Acquired, DataFolder, glance};
use crate::printer::{Printer, complain, progress};

/// How often a log line tells how far a copy is.
const TELL_EVERY: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub(super) struct BackupOptions {
    /// The folder to make; it must not be there yet
    #[arg(value_name = "FOLDER")]
    to: PathBuf,
    /// Leave the encryption key out. Keep it elsewhere: without it channel tokens must be set again
    #[arg(long)]
    without_key: bool,
}

#[derive(Debug, Args)]
pub(super) struct RestoreOptions {
    /// The folder that `backup` made
    #[arg(value_name = "FOLDER")]
    from: PathBuf,
    /// Take the place of what is in the data folder; that is kept beside it
    #[arg(long)]
    replace: bool,
}

pub(super) async fn backup(
    config: &Config,
    options: BackupOptions,
    printer: Printer,
) -> Result<ExitCode, Failure> {
    let database = config.database.clone();
    if !database.exists() {
        return Err(Failure::Folder(format!(
            "there is no database at {}; name the data folder with --data-dir",
            database.display()
        )));
    }
    glance(&database)?;
    let own_key = config.data_dir.join(KEY);
    let key = (config.encryption_key.is_none() && !options.without_key && own_key.is_file())
        .then_some(own_key);
    let (to, now) = (options.to.clone(), crate::system::environment().now());
    for left in backup::left(&to, backup::PART) {
        complain(&format!(
            "note: {} is left of a backup that was cut off, if none is being made there now; it is \
             no backup, remove it",
            left.display()
        ));
    }
    let work = move || {
        let mut bar = Bar::new("copying");
        backup::make(&database, key.as_deref(), &to, now, |done, all| {
            bar.tell(done, all);
        })
    };
    let made = tokio::task::spawn_blocking(work).await;
    let contents = made.map_err(|error| Failure::Refused(error.to_string()))??;
    if printer.is_json() {
        printer.json(&json!({ "path": options.to, "backup": contents }))?;
        return Ok(ExitCode::SUCCESS);
    }
    printer.line(&format!(
        "{} holds {}; checked.",
        options.to.display(),
        told(&contents)
    ))?;
    complain(match (contents.key, config.encryption_key.is_some()) {
        (true, _) => {
            "note: the encryption key is in it: whoever reads the backup reads the channel tokens. \
             Keep it as safe as the server"
        }
        (false, true) => {
            "note: the encryption key is not in it, for it comes from a setting; keep that too, or \
             channel tokens must be set again after a restore"
        }
        (false, false) => {
            "note: the encryption key is not in it; keep the data folder's encryption.key elsewhere, \
             or channel tokens must be set again after a restore"
        }
    });
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn restore(
    config: &Config,
    options: RestoreOptions,
    printer: Printer,
) -> Result<ExitCode, Failure> {
    if config.database != config.data_dir.join(DATABASE) {
        return Err(Failure::Config(
            "database_url: restore puts the database into the data folder; leave the setting out, \
             then move the file to where it belongs"
                .to_owned(),
        ));
    }
    let (to, now) = (config.data_dir.clone(), crate::system::environment().now());
    let work = move || put_back(&options.from, &to, options.replace, now);
    let put = tokio::task::spawn_blocking(work).await;
    let (contents, kept) = put.map_err(|error| Failure::Refused(error.to_string()))??;
    if printer.is_json() {
        printer.json(&json!({
            "data_dir": config.data_dir, "backup": contents, "kept": kept,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    printer.line(&format!(
        "{} holds {}, as of {}.",
        config.data_dir.display(),
        told(&contents),
        contents.made_at
    ))?;
    if let Some(kept) = kept {
        printer.line(&format!("What was there is in {} now.", kept.display()))?;
    }
    if !contents.key {
        complain(
            "note: the backup has no encryption key; start with the key of its time, or with a new \
             one (SWITCHBOARD_ENCRYPTION_KEY) and set the channel tokens again",
        );
    }
    Ok(ExitCode::SUCCESS)
}

type Put = (Contents, Option<PathBuf>);

fn put_back(
    from: &Path,
    to: &Path,
    replace: bool,
    now: switchboard_model::Timestamp,
) -> Result<Put, Failure> {
    let to = &behind_link(to)?;
    for left in backup::left(to, backup::RESTORING) {
        complain(&format!(
            "note: {} is left of a restore that was cut off. It holds a copy of a backup, or what was \
             in the data folder before; look, then remove it",
            left.display()
        ));
    }
    complain("checking the backup");
    let contents = backup::check(from)?;
    // Held until the new folder is in place: no server may start on the old one meanwhile.
    let _held = if to.exists() {
        let held = match DataFolder::acquire(to)? {
            Acquired::Held(folder) => folder,
            Acquired::Busy => {
                return Err(Failure::Folder(format!(
                    "{} is in use; stop the server, then restore",
                    to.display()
                )));
            }
        };
        // A key that is the backup's own may be left from a restore that was cut off.
        let (key, database) = (to.join(KEY), to.join(DATABASE));
        let only_key = !database.exists() && key.exists() && backup::same_key(from, to);
        if !has_content(to, only_key)? {
            complain("copying");
            backup::fill_empty(from, to, &contents)?;
            return Ok((contents, None));
        }
        if !replace {
            return Err(Failure::Folder(format!(
                "{} is not empty; add --replace to keep what is there beside it, or name another \
                 folder with --data-dir",
                to.display()
            )));
        }
        Some(held)
    } else {
        None
    };
    complain("copying");
    let draft = backup::stage(from, to, &contents)?;
    let kept = backup::put(&draft, to, now)?;
    Ok((contents, kept))
}

/// The folder that a data folder is which is a link: its place is taken, and the link stays.
fn behind_link(folder: &Path) -> Result<PathBuf, Failure> {
    if !folder.is_symlink() {
        return Ok(folder.to_owned());
    }
    folder.canonicalize().map_err(|error| {
        Failure::Folder(format!(
            "{} is a link that leads nowhere ({error}); make the folder that it names, or remove it",
            folder.display()
        ))
    })
}

/// Whether a folder holds more than the lock, and perhaps a key that does not count.
fn has_content(folder: &Path, without_key: bool) -> Result<bool, Failure> {
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        let free = ["switchboard.lock", "lost+found", backup::WITHIN];
        let counts = !free.iter().any(|free| name == *free);
        if counts && !(without_key && name == KEY) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn told(contents: &Contents) -> String {
    let counts = &contents.counts;
    format!(
        "{} conversations, {} messages and {} events of {} bots",
        counts.conversations, counts.messages, counts.events, counts.bots
    )
}

/// How far a copy is: a bar on a terminal, now and then a line elsewhere.
struct Bar {
    what: &'static str,
    told: Option<Instant>,
    percent: u64,
}

impl Bar {
    fn new(what: &'static str) -> Self {
        Self {
            what,
            told: None,
            percent: u64::MAX,
        }
    }

    fn tell(&mut self, done: u64, all: u64) {
        let percent = (done * 100).checked_div(all).unwrap_or(100);
        if std::io::stderr().is_terminal() {
            if percent != self.percent {
                progress(self.what, percent, done == all);
                self.percent = percent;
            }
            return;
        }
        let due = self.told.is_none_or(|told| told.elapsed() > TELL_EVERY);
        if due || done == all {
            complain(&format!(
                "{}: {percent} %, {done} of {all} pages",
                self.what
            ));
            self.told = Some(Instant::now());
        }
    }
}
