//! Making room for one more: of those that may go, one goes, and the others stay open.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// Whether a connection waits for the place of another.
#[derive(Default)]
pub(super) struct Crowd {
    notify: Notify,
    wants: AtomicBool,
}

impl Crowd {
    /// Asks that one go.
    pub(super) fn ask(&self) {
        self.wants.store(true, Ordering::Release);
        self.notify.notify_waiters();
    }

    /// Who asked has a place, or has gone away.
    pub(super) fn settle(&self) {
        self.wants.store(false, Ordering::Release);
    }

    /// Waits until one is asked to go.
    pub(super) fn asked(&self) -> Notified<'_> {
        self.notify.notified()
    }

    /// Offers to go. True for one of those that do.
    pub(super) fn may_go(&self) -> bool {
        self.wants.swap(false, Ordering::AcqRel)
    }
}
