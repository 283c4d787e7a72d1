//! The writer: one thread that commits many commands at once.
//!
//! A command that fails harms no other of its commit ([`commit`]), and each is answered only after
//! the commit that holds it is on disk ([`sync`]), while the writer is at the next. What is refused
//! was not written.

mod commit;
pub(crate) mod sync;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use rusqlite::Connection;
use switchboard_model::{BotId, ConversationId, Error, IntegrationId};
use switchboard_store::{Change, Lane};
use tokio::sync::{mpsc, oneshot};

use crate::Shared;
use crate::checkpoint::Checkpointer;
use crate::failure::{Done, Failure};
use crate::rows::{self, Home};

use self::sync::{Commit, Syncer};

/// Larger commits gain little and make their callers wait.
const BATCH: usize = 256;

/// What a command works on.
pub(crate) struct Tx<'a> {
    /// The connection, inside the transaction.
    pub(crate) connection: &'a Connection,
    /// See [`once::asks_until`](crate::once::asks_until).
    pub(crate) asks_for_digests_until: i64,
    changes: Vec<Change>,
    access: bool,
    /// What was found in this transaction, and so cannot change but by its own commands.
    homes: HashMap<(BotId, IntegrationId), Arc<Home>>,
}

impl<'a> Tx<'a> {
    fn new(shared: &Shared, connection: &'a Connection) -> Self {
        Self {
            connection,
            asks_for_digests_until: shared.asks_for_digests_until,
            changes: Vec::new(),
            access: false,
            homes: HashMap::new(),
        }
    }

    /// Bots, integrations or tokens change: what was read of them before must be read again.
    pub(crate) fn access_changed(&mut self) {
        self.access = true;
        self.homes.clear();
    }

    /// A bot and its integration, which must exist: looked up once for all commands of a commit.
    pub(crate) fn home(&mut self, bot: BotId, integration: IntegrationId) -> Done<Arc<Home>> {
        if let Some(home) = self.homes.get(&(bot, integration)) {
            return Ok(Arc::clone(home));
        }
        let home = Arc::new(rows::known_home(self.connection, bot, integration)?);
        self.homes.insert((bot, integration), Arc::clone(&home));
        Ok(home)
    }

    /// Forgets what a command that is undone has told and found; `told` changes were there before.
    fn undo(&mut self, told: usize) {
        self.changes.truncate(told);
        self.homes.clear();
    }

    /// To be told to those who wait, once it is committed.
    pub(crate) fn lane_ready(&mut self, lane: Lane) {
        self.tell(Change::Lane(lane));
    }

    /// To be told to those who wait, once it is committed.
    pub(crate) fn conversation_changed(&mut self, id: ConversationId) {
        self.tell(Change::Conversation(id));
    }

    fn tell(&mut self, change: Change) {
        // Only the latest few: hints may repeat, and a long search would cost more than one.
        if !self
            .changes
            .iter()
            .rev()
            .take(8)
            .any(|known| *known == change)
        {
            self.changes.push(change);
        }
    }
}

/// A command on its way.
pub(crate) trait Job: Send {
    /// Runs it and keeps the result; `Err` means that it must be undone. May be called again after
    /// the transaction was rolled back: the last result counts.
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<(), ()>;
    /// To be called when all that was run is undone: no result of it counts.
    fn forget(&mut self);
    /// Answers the caller: with the result, or with what became of the commit.
    fn answer(self: Box<Self>, commit: Result<(), Error>);
}

/// What the queue holds.
pub(crate) enum Request {
    Job(Box<dyn Job>),
    Close(oneshot::Sender<()>),
}

/// A command, its result, and who waits for it.
pub(crate) struct Command<T, F> {
    /// None after it panicked: what it has captured may be halfway through a change.
    work: Option<F>,
    result: Option<Done<T>>,
    reply: oneshot::Sender<Answer<T, F>>,
}

/// A result, and the work with all that it has captured: to free that is for its caller to do, while
/// the writer goes on.
pub(crate) type Answer<T, F> = (Result<T, Error>, Option<F>);

impl<T, F> Command<T, F> {
    /// `work` changes nothing but the database, for it may be run twice.
    pub(crate) const fn new(work: F, reply: oneshot::Sender<Answer<T, F>>) -> Self {
        Self {
            work: Some(work),
            result: None,
            reply,
        }
    }
}

impl<T, F> Job for Command<T, F>
where
    T: Send,
    F: Fn(&mut Tx<'_>) -> Done<T> + Send,
{
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<(), ()> {
        let Some(work) = &self.work else {
            return Err(());
        };
        let result = catch_unwind(AssertUnwindSafe(|| work(tx))).unwrap_or_else(|_| {
            self.work = None;
            Err(Error::internal("a command panicked; see the log").into())
        });
        let outcome = result.as_ref().map(|_| ()).map_err(|_| ());
        self.result = Some(result);
        outcome
    }

    fn forget(&mut self) {
        // One that panicked is not run again, and has no other answer.
        if self.work.is_some() {
            self.result = None;
        }
    }

    fn answer(self: Box<Self>, commit: Result<(), Error>) {
        let answer = match (self.result, commit) {
            // Also of what is refused: it may have seen what others wrote, and that is not there.
            (_, Err(error)) => Err(error),
            (Some(Err(failure)), Ok(())) => {
                if let Failure::Sql(error) = &failure {
                    tracing::error!(%error, "a command failed in the database");
                }
                Err(failure.into_error())
            }
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(Error::internal("a command was never run")),
        };
        // The caller may have gone; the command counts all the same.
        drop(self.reply.send((answer, self.work)));
    }
}

/// Works until the queue is closed, then closes the database.
pub(crate) fn run(
    shared: &Arc<Shared>,
    mut connection: Connection,
    mut queue: mpsc::Receiver<Request>,
    mut checkpointer: Checkpointer,
    syncer: Syncer,
) {
    let pages = Arc::new(AtomicI64::new(0));
    let written = Arc::new(AtomicBool::new(false));
    let (seen, noted) = (Arc::clone(&pages), Arc::clone(&written));
    let hooked = connection.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, count| {
        seen.store(i64::from(count), Ordering::Relaxed);
        noted.store(true, Ordering::Relaxed);
        Ok(())
    }));
    if let Err(error) = hooked {
        shared.poison(&format!("the log cannot be watched: {error}"));
    }

    let mut failing = false;
    let mut closing = None;
    while closing.is_none() {
        let Some(first) = queue.blocking_recv() else {
            break;
        };
        let mut jobs = Vec::new();
        let mut next = Some(first);
        while let Some(request) = next {
            match request {
                Request::Job(job) => jobs.push(job),
                Request::Close(done) => {
                    closing = Some(done);
                    break;
                }
            }
            next = (jobs.len() < BATCH)
                .then(|| queue.try_recv().ok())
                .flatten();
        }
        if !jobs.is_empty() {
            // Also while the log is started anew, which a snapshot would prevent.
            let _writing = shared.snapshots.writing();
            let outcome = commit_all(shared, &connection, &mut jobs, &mut failing);
            let commit = Commit {
                number: shared.durable.last(),
                jobs,
                outcome,
                wrote: written.swap(false, Ordering::Relaxed),
            };
            syncer.finish(commit, !queue.is_empty());
            if !shared.is_poisoned() {
                checkpointer.after_commit(&connection, pages.load(Ordering::Relaxed));
            }
        }
    }
    // Those who come now are told at once, and those who waited behind here: all of them, also one
    // that is being put into the queue at this moment.
    queue.close();
    while let Some(request) = queue.blocking_recv() {
        if let Request::Job(job) = request {
            job.answer(Err(crate::closed()));
        }
    }
    syncer.stop();
    let _for_good = shared.snapshots.writing();
    if shared.is_poisoned() {
        // Closing would copy a log whose end may never have reached the disk.
        std::mem::forget(connection);
    } else {
        drop(connection);
    }
    checkpointer.stop();
    if let Some(done) = closing {
        // Whoever asked may have gone.
        let _gone = done.send(());
    }
}

/// Commits commands. Gives what is to be told when it is on disk. `failing` tells whether the last one
/// failed: a full disk is said once, not with each try.
fn commit_all(
    shared: &Shared,
    connection: &Connection,
    jobs: &mut [Box<dyn Job>],
    failing: &mut bool,
) -> Result<Vec<Change>, Error> {
    let outcome = if shared.is_poisoned() {
        Err(crate::poisoned())
    } else {
        shared
            .files
            .check()
            .and_then(|()| commit::all(shared, connection, jobs))
    };
    match &outcome {
        Ok(_) => {
            if std::mem::take(failing) {
                tracing::info!("commits succeed again");
            }
        }
        Err(error) => {
            if std::mem::replace(failing, true) {
                tracing::debug!(%error, commands = jobs.len(), "a commit failed again");
            } else {
                tracing::error!(%error, commands = jobs.len(), "a commit failed");
            }
        }
    }
    outcome
}
