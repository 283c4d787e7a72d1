//! Commits that a second thread syncs while the writer makes the next, as the store's does.

use std::fs::File;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::failure::{Failure, Result};

/// The writer's side.
pub(super) struct Syncer {
    /// None when it is to end.
    commits: Option<SyncSender<Instant>>,
    synced: Receiver<std::io::Result<Duration>>,
    thread: Option<JoinHandle<()>>,
}

impl Syncer {
    /// For the log beside this database, which must be open.
    pub(super) fn start(path: &Path) -> Result<Self> {
        let mut log = path.to_owned().into_os_string();
        log.push("-wal");
        let log = File::options().write(true).open(log)?;
        // No room in between, as in the store.
        let (commits, taken) = sync_channel::<Instant>(0);
        let (done, synced) = channel();
        let thread = std::thread::spawn(move || {
            while let Ok(begun) = taken.recv() {
                let result = log.sync_data().map(|()| begun.elapsed());
                if done.send(result).is_err() {
                    return;
                }
            }
        });
        Ok(Self {
            commits: Some(commits),
            synced,
            thread: Some(thread),
        })
    }

    /// Hands over what was committed and begun then. Gives how long those took that are on disk since.
    pub(super) fn committed(&self, begun: Instant) -> Result<Vec<Duration>> {
        let handed = self.commits.as_ref().map(|commits| commits.send(begun));
        if !matches!(handed, Some(Ok(()))) {
            return Err(Failure::Other("the thread that syncs is gone".to_owned()));
        }
        let times = self.synced.try_iter().collect::<std::io::Result<_>>();
        Ok(times?)
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.commits = None;
        // One that panicked has said so.
        drop(self.thread.take().map(JoinHandle::join));
    }
}
