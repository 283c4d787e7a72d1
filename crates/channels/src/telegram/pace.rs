//! Sending no faster than Telegram likes: per chat, per group, and for the whole bot.
//!
//! Promises: what sends or changes a message waits for its turn. In any minute a group gets no more than
//! 20, in any second the bot sends no more than 30, and a chat gets one a second but for a short burst;
//! a restart is no way round that. A chat that must wait holds up no other:
//! short waits are slept, by a bounded number of tries; a longer one is handed back with the time of
//! its turn, which is kept for it meanwhile, so that each wait is written once. Telegram's own "wait"
//! holds up its chat, and the whole bot only when it goes for many chats in a row.
//! What never happens here: a lock held in a wait, a try used up by one.
//!
//! It is kept in memory only: nothing is written for it. What a former process sent is not known after
//! a restart, so all buckets are empty then.

mod buckets;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use switchboard_integration::{Room, SendOutcome};
use switchboard_model::MessageId;
use tokio::sync::Semaphore;

use super::answer::Verdict;
use buckets::{Buckets, START, Space};

/// The longest wait that is slept. What takes longer leaves its slot to others anyway.
const SHORT: Duration = Duration::from_secs(2);

/// How long a try may wait in all: shorter than a server that is being stopped waits for it.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// How many may sleep at once: a quarter of the slots of an account.
const SLEEPERS: usize = 128;

/// How fast one bot sends.
pub(super) struct Pace {
    beginning: Instant,
    buckets: Mutex<Buckets>,
    sleepers: Semaphore,
    calling: AtomicUsize,
}

/// Somebody's turn, until the answer is there.
pub(super) struct Turn<'a> {
    pace: &'a Pace,
    chat: i64,
    who: MessageId,
}

impl Pace {
    /// Of a bot that another process may have sent for until now, or that surely none has.
    pub(super) fn new(is_following: bool) -> Arc<Self> {
        let buckets = if is_following {
            Buckets::following()
        } else {
            Buckets::new()
        };
        Arc::new(Self {
            beginning: Instant::now(),
            buckets: Mutex::new(buckets),
            sleepers: Semaphore::new(SLEEPERS),
            calling: AtomicUsize::new(0),
        })
    }

    /// Waits for the turn of this message in this chat, at most until then. An error tells after how
    /// long to ask again.
    pub(super) async fn turn(
        &self,
        chat: i64,
        who: MessageId,
        until: Instant,
    ) -> Result<Turn<'_>, Duration> {
        loop {
            let now = self.now();
            let Some(turn) = self.buckets().ask(now, chat, who) else {
                return Ok(Turn::begin(self, chat, who));
            };
            let wait = turn.saturating_sub(now);
            if wait > SHORT || wait > until.saturating_duration_since(Instant::now()) {
                return Err(wait);
            }
            let Ok(_place) = self.sleepers.try_acquire() else {
                return Err(wait);
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// How many more messages to begin with now.
    pub(super) fn room(&self) -> Room {
        let calling = self.calling.load(Ordering::Relaxed);
        match self.buckets().space(self.now(), calling) {
            Space::For(count) => Room::For(count),
            Space::NotBefore(time) => Room::NotBefore(self.beginning + time.saturating_sub(START)),
        }
    }

    fn now(&self) -> Duration {
        START + self.beginning.elapsed()
    }

    fn buckets(&self) -> MutexGuard<'_, Buckets> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> Turn<'a> {
    fn begin(pace: &'a Pace, chat: i64, who: MessageId) -> Self {
        pace.calling.fetch_add(1, Ordering::Relaxed);
        Self { pace, chat, who }
    }

    /// Learns from the answer.
    pub(super) fn over(self, verdict: &Verdict) {
        match verdict {
            Verdict::Over(SendOutcome::Wait { after, .. }) => {
                let now = self.pace.now();
                let mut buckets = self.pace.buckets();
                buckets.refused(now, self.chat, self.who, *after);
            }
            // Nobody knows whether Telegram would have asked to wait.
            Verdict::Over(SendOutcome::Retry { .. } | SendOutcome::Uncertain { .. }) => {}
            _ => self.pace.buckets().answered(),
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.pace.calling.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
