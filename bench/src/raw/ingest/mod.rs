//! Updates from a channel, written in batches by one thread, into one schema or another.

mod integer;
mod own;
mod text;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::sync::Syncer;
use super::{Checkpointer, Numbers, Part, Settings, Syncs, rows};
use crate::failure::Result;
use crate::measure::{Measured, histogram, record, share};
use crate::system::cpu_time;
use crate::update::Threads;

pub(in crate::raw) use own::{
    CONVERSATION_TAG, JOIN, MESSAGE, MESSAGE_TAG, NEW_CONVERSATION, NEW_USER, USER_TAG,
};

/// When all of it was said.
const NOW: i64 = 1_750_000_000_000;

/// What the rows are written into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Schema {
    /// The store's own: with tags, and a delivery for each message, and all indexes.
    Own,
    /// The least that an ingest must find and leave, with integer references inside.
    Integer,
    /// The same with text ids everywhere.
    Text,
}

impl Schema {
    /// As tables name it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Own => "the server's own",
            Self::Integer => "minimal, integers inside",
            Self::Text => "minimal, text ids",
        }
    }

    /// What makes it; the store makes its own.
    pub(super) const fn sql(self) -> &'static str {
        match self {
            Self::Own => "",
            Self::Integer => integer::SCHEMA,
            Self::Text => text::SCHEMA,
        }
    }

    /// The statements of an ingest, without a part of it if the schema is the store's own.
    pub(super) fn statements(
        self,
        connection: &Connection,
        without: Option<Part>,
    ) -> Result<Box<dyn Take + '_>> {
        Ok(match self {
            Self::Own => Box::new(own::Statements::prepare(connection, without)?),
            Self::Integer => Box::new(integer::Statements::prepare(connection)?),
            Self::Text => Box::new(text::Statements::prepare(connection)?),
        })
    }
}

/// What somebody says.
#[derive(Clone, Copy)]
pub(super) struct Word {
    pub(super) thread: u64,
    /// The digest that the thread is found by, in the store's own schema.
    pub(super) identity: i64,
    pub(super) number: u64,
    /// Whether the bot has it already.
    pub(super) delivered: bool,
}

/// Statements that write what an update leaves.
pub(super) trait Take {
    /// Writes one.
    fn take(&mut self, numbers: &mut Numbers, word: Word) -> Result<()>;
}

/// Writes updates in batches, as fast as one thread can.
pub(crate) struct Ingest {
    path: PathBuf,
    schema: Schema,
    settings: Settings,
    // It goes before the checkpointer, which closes the database.
    connection: Connection,
    checkpointer: Option<Checkpointer>,
    numbers: Numbers,
    threads: Threads,
    /// The digest of each thread: a ceiling makes none while it is measured.
    identities: Vec<i64>,
    taken: u64,
}

impl Ingest {
    /// Into the database at `path`, which has this schema, a bot if it is the store's own, and all of
    /// these threads or none. What it writes is numbered from `first`.
    pub(crate) fn open(
        path: &Path,
        schema: Schema,
        settings: Settings,
        threads: Threads,
        first: u64,
    ) -> Result<Self> {
        let mut connection = settings.connect(path)?;
        let checkpointer = settings.checkpointer(path, &mut connection)?;
        let found_by_digest = match schema {
            Schema::Own => threads.count,
            Schema::Integer | Schema::Text => 0,
        };
        Ok(Self {
            path: path.to_owned(),
            schema,
            settings,
            connection,
            checkpointer,
            numbers: Numbers::new(1),
            threads,
            identities: (1..=found_by_digest)
                .map(|thread| rows::identity(&thread.to_string()))
                .collect(),
            taken: first,
        })
    }

    /// Writes batches of `batch` updates for a while. Times are those of a batch, for that is what
    /// each of its callers would wait; the processors' time is that of this whole process.
    pub(crate) fn run(&mut self, batch: usize, warm: Duration, time: Duration) -> Result<Measured> {
        let mut statements = self
            .schema
            .statements(&self.connection, self.settings.without)?;
        let mut times = histogram()?;
        let mut syncer = None;
        let begun = Instant::now();
        let (mut start, mut used) = (begun, Duration::ZERO);
        let mut measuring = false;
        loop {
            let before = Instant::now();
            if !measuring && before.duration_since(begun) >= warm {
                measuring = true;
                (start, used) = (before, cpu_time(None)?);
            }
            if !times.is_empty() && before.duration_since(start) >= time {
                break;
            }
            let execute = |sql| self.connection.prepare_cached(sql)?.execute([]);
            execute("BEGIN IMMEDIATE")?;
            for _ in 0..batch {
                self.taken += 1;
                let thread = self.threads.of(self.taken);
                let at = usize::try_from(thread - 1).unwrap_or(usize::MAX);
                let word = Word {
                    thread,
                    identity: self.identities.get(at).copied().unwrap_or_default(),
                    number: self.taken,
                    delivered: false,
                };
                if self.settings.savepoints {
                    execute("SAVEPOINT command")?;
                }
                statements.take(&mut self.numbers, word)?;
                if self.settings.savepoints {
                    execute("RELEASE command")?;
                }
            }
            execute("COMMIT")?;
            let durable = match self.settings.syncs {
                Syncs::Commit => vec![before.elapsed()],
                Syncs::Thread => {
                    let syncer = match &syncer {
                        Some(syncer) => syncer,
                        // The log is there from the first commit on.
                        None => syncer.insert(Syncer::start(&self.path)?),
                    };
                    syncer.committed(before)?
                }
            };
            if let Some(checkpointer) = &mut self.checkpointer {
                checkpointer.after_commit(&self.connection)?;
            }
            if measuring {
                for took in durable {
                    for _ in 0..batch {
                        record(&mut times, took);
                    }
                }
            }
        }
        let took = start.elapsed();
        let mut measured = Measured::new(&times, took);
        measured.server_cpu = Some(share(cpu_time(None)?.saturating_sub(used), took));
        Ok(measured)
    }

    /// How long the log has ever been since this was opened, in bytes: its file is used again, not
    /// cut.
    pub(crate) fn longest_log(&self) -> Result<u64> {
        let mut log = self.path.clone().into_os_string();
        log.push("-wal");
        Ok(std::fs::metadata(log)?.len())
    }
}
