//! Commits on their way to the disk: a thread syncs the log and then answers, while the writer goes
//! on with the next commands.
//!
//! A commit with `synchronous = NORMAL` leaves a whole log that may lose its end, and nothing but
//! its end, with the power (<https://sqlite.org/pragma.html#pragma_synchronous>). What `FULL` adds, a
//! sync of the log at each commit, is done here, and nobody is answered before it.
//!
//! What never happens here: an answer before all that the command has written, and all that it may
//! have seen, is on disk.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use switchboard_model::Error;
use switchboard_store::Change;
use tokio::runtime::{Handle, RuntimeFlavor};

use super::Job;
use crate::{Shared, thread};

/// Makes durable what is in the log.
pub(crate) type Log = Arc<dyn Fn() -> io::Result<()> + Send + Sync>;

/// A commit, and who waits for it.
pub(super) struct Commit {
    pub(super) number: u64,
    pub(super) jobs: Vec<Box<dyn Job>>,
    /// What is to be told of it, or why there is none. Who is told that waits, too: a refusal may
    /// speak of an earlier commit.
    pub(super) outcome: Result<Vec<Change>, Error>,
    /// Whether there is anything of it in the log.
    pub(super) wrote: bool,
}

/// Answers of a commit that is on disk. They are given when this is dropped, wherever that is.
struct Answers {
    shared: Arc<Shared>,
    jobs: Vec<Box<dyn Job>>,
    changes: Vec<Change>,
}

impl Drop for Answers {
    fn drop(&mut self) {
        for job in self.jobs.drain(..) {
            job.answer(Ok(()));
        }
        for change in self.changes.drain(..) {
            // Nobody listening is no fault.
            drop(self.shared.changes.send(change));
        }
    }
}

/// Where commits go to.
struct Disk {
    shared: Arc<Shared>,
    log: Log,
    /// Where callers run, if that is known.
    callers: Option<Handle>,
}

/// The writer's side of the thread.
pub(crate) struct Syncer {
    disk: Arc<Disk>,
    commits: SyncSender<Commit>,
    /// How many have been handed to the thread and are not answered.
    pending: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
}

impl Syncer {
    pub(crate) fn start(shared: &Arc<Shared>, log: Log) -> io::Result<Self> {
        // While one is synced the next is made, and waits here if the disk or a processor is slow: then
        // it shares the sync of the one after it. With more room commits would only get smaller.
        let (commits, taken) = sync_channel(1);
        let pending = Arc::new(AtomicUsize::new(0));
        let disk = Arc::new(Disk {
            shared: Arc::clone(shared),
            log,
            callers: Handle::try_current().ok().filter(is_driven),
        });
        let (its_disk, its_pending) = (Arc::clone(&disk), Arc::clone(&pending));
        let thread = thread::spawn(shared, "sqlite-sync", move |_| {
            run(&its_disk, &taken, &its_pending);
        })?;
        Ok(Self {
            disk,
            commits,
            pending,
            thread,
        })
    }

    /// Has a commit synced and answered. With nothing else to do the writer does it itself, which is
    /// quicker than waking the thread.
    pub(super) fn finish(&self, commit: Commit, is_waited_for: bool) {
        if !is_waited_for && self.pending.load(Ordering::Acquire) == 0 {
            return self.disk.finish(vec![commit]);
        }
        self.pending.fetch_add(1, Ordering::AcqRel);
        if self.commits.send(commit).is_err() {
            // It has panicked, and poisoned the store: whoever waits hears that nobody will answer.
            tracing::error!("the thread that syncs the log is gone");
        }
    }

    /// Waits until all are answered.
    pub(super) fn stop(self) {
        drop(self.commits);
        if self.thread.join().is_err() {
            tracing::error!("the thread that syncs the log panicked");
        }
    }
}

/// Whether it has threads of its own: another runs only while somebody waits in it.
fn is_driven(runtime: &Handle) -> bool {
    runtime.runtime_flavor() == RuntimeFlavor::MultiThread
}

fn run(disk: &Disk, commits: &Receiver<Commit>, pending: &AtomicUsize) {
    while let Ok(first) = commits.recv() {
        let all: Vec<_> = std::iter::once(first).chain(commits.try_iter()).collect();
        let count = all.len();
        disk.finish(all);
        pending.fetch_sub(count, Ordering::AcqRel);
    }
}

impl Disk {
    /// Syncs commits, all at once, and has them answered.
    fn finish(&self, commits: Vec<Commit>) {
        let synced = self.sync(commits.iter().any(|commit| commit.wrote));
        for commit in commits {
            self.settle(commit, synced.clone());
        }
    }

    fn settle(&self, commit: Commit, synced: Result<(), Error>) {
        if synced.is_ok() {
            // First, so that who is answered and reads need not wait.
            self.shared.durable.synced(commit.number);
        }
        let changes = match commit.outcome.and_then(|changes| synced.map(|()| changes)) {
            Ok(changes) => changes,
            Err(error) => {
                for job in commit.jobs {
                    job.answer(Err(error.clone()));
                }
                return;
            }
        };
        self.shared.count(commit.jobs.len());
        let many = commit.jobs.len() > 1;
        let answers = Answers {
            shared: Arc::clone(&self.shared),
            jobs: commit.jobs,
            changes,
        };
        match &self.callers {
            // Among themselves they wake each other without a system call for each.
            Some(callers) if many => drop(callers.spawn(async move { drop(answers) })),
            _ => drop(answers),
        }
    }

    fn sync(&self, wrote: bool) -> Result<(), Error> {
        if wrote
            && !self.shared.is_poisoned()
            && let Err(error) = (self.log)()
        {
            // Whether the log's end is on disk is unknown, and a second sync may claim a success that
            // never was. Only a new start, which reads the log from disk, can tell.
            self.shared.poison(&error.to_string());
        }
        if self.shared.is_poisoned() {
            return Err(Error::OutcomeUnknown);
        }
        Ok(())
    }
}
