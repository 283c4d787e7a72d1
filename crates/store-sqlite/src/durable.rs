//! How far the log is on disk.
//!
//! A commit is in the log, where every read sees it, a little before it is on disk: the log is
//! synced while the writer goes on with the next commands ([`sync`](crate::writer::sync)). So whoever
//! has read waits until all that the read may have seen is on disk.
//!
//! What never happens here: something is told, be it to who wrote it or to who reads it, that a
//! loss of power takes back.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

/// Commits by their number, from 1 on.
pub(crate) struct Durable {
    /// The last that a read may see.
    visible: AtomicU64,
    /// The last of those that changed bots, integrations or tokens, which each request reads and hardly
    /// any changes.
    access: AtomicU64,
    /// The last that is on disk, and all before it.
    synced: watch::Sender<u64>,
}

impl Default for Durable {
    fn default() -> Self {
        Self {
            visible: AtomicU64::new(0),
            access: AtomicU64::new(0),
            synced: watch::Sender::new(0),
        }
    }
}

impl Durable {
    /// To be called by the writer before it commits: from here on reads may see it.
    pub(crate) fn committing(&self, changes_access: bool) {
        let commit = self.last() + 1;
        if changes_access {
            self.access.store(commit, Ordering::SeqCst);
        }
        self.visible.store(commit, Ordering::SeqCst);
    }

    /// The commit that was begun last.
    pub(crate) fn last(&self) -> u64 {
        self.visible.load(Ordering::SeqCst)
    }

    /// This commit is on disk, or has come to nothing, and so have all before it.
    pub(crate) fn synced(&self, commit: u64) {
        // What was given up stays so, whatever was on its way.
        self.synced
            .send_modify(|synced| *synced = commit.max(*synced));
    }

    /// Nothing more will be synced: nobody is to wait for it.
    pub(crate) fn give_up(&self) {
        self.synced(u64::MAX);
    }

    /// To be called after a read: waits until what it may have seen is on disk.
    pub(crate) async fn reached(&self) {
        self.wait(self.last()).await;
    }

    /// The same after a read of bots, integrations or tokens alone.
    pub(crate) async fn reached_access(&self) {
        self.wait(self.access.load(Ordering::SeqCst)).await;
    }

    async fn wait(&self, seen: u64) {
        if *self.synced.borrow() < seen {
            // The sender is `self`, so that this cannot end early.
            drop(
                self.synced
                    .subscribe()
                    .wait_for(|synced| *synced >= seen)
                    .await,
            );
        }
    }
}
