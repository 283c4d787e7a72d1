//! What a connection is doing, which says how long it may go on doing it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::limits::Limits;

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing: no request has begun.
    Idle,
    /// Some bytes of a request's head have come.
    Head,
    /// A request is being answered.
    Busy,
    /// The answer is made, and not all of it is sent.
    Ending,
    /// A reply about a head that cannot be read is on its way out.
    Refusing,
    /// The head has not come in time, and the connection is to end.
    Late,
    /// The head is slow to come, and the connection is to end for another one.
    Displaced,
}

/// Why a connection is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overdue {
    /// Nothing was asked for a long time.
    Idle,
    /// The head does not come.
    Head,
    /// The answer is not taken.
    Stalled,
}

/// A connection's phase, shared by the parts that see it change. All run in one task.
pub(super) struct Progress(Mutex<Inner>);

#[derive(Clone, Copy)]
struct Inner {
    phase: Phase,
    since: Instant,
    /// Since when a write has waited for the other side.
    blocked: Option<Instant>,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Inner {
            phase: Phase::Idle,
            since: Instant::now(),
            blocked: None,
        }))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn phase(&self) -> Phase {
        self.with(|inner| inner.phase)
    }

    /// Whether nobody loses anything if the connection ends now.
    pub(super) fn is_between_requests(&self) -> bool {
        matches!(self.phase(), Phase::Idle | Phase::Head)
    }

    /// Whether it is the one to end when another connection needs a place.
    pub(super) fn makes_way(&self) -> bool {
        self.with(|inner| match inner.phase {
            Phase::Idle => true,
            Phase::Head => inner.since.elapsed() >= SLOW_HEAD,
            Phase::Busy | Phase::Ending | Phase::Refusing | Phase::Late | Phase::Displaced => false,
        })
    }

    /// Goes from one phase to the next; from any other, nowhere.
    pub(super) fn step(&self, from: Phase, to: Phase) {
        self.with(|inner| {
            if inner.phase == from {
                inner.phase = to;
                inner.since = Instant::now();
            }
        });
    }

    /// A head was read whole.
    pub(super) fn asked(&self) {
        self.with(|inner| inner.phase = Phase::Busy);
    }

    /// A write did or did not get through.
    pub(super) fn wrote(&self, waits: bool) {
        self.with(|inner| match (waits, inner.blocked) {
            (true, None) => inner.blocked = Some(Instant::now()),
            (false, Some(_)) => inner.blocked = None,
            _ => {}
        });
    }

    /// Until when it may stay as it is, and what it is then.
    pub(super) fn deadline(&self, limits: &Limits) -> Option<(Instant, Overdue)> {
        self.with(|inner| {
            if let Some(since) = inner.blocked {
                return Some((after(since, limits.stall), Overdue::Stalled));
            }
            match inner.phase {
                Phase::Idle => Some((after(inner.since, limits.idle), Overdue::Idle)),
                Phase::Head => Some((after(inner.since, limits.read), Overdue::Head)),
                Phase::Refusing => Some((after(inner.since, LINGER), Overdue::Stalled)),
                Phase::Busy | Phase::Ending | Phase::Late | Phase::Displaced => None,
            }
        })
    }
}

/// How long a head may take to come while others need the place.
pub(super) const SLOW_HEAD: Duration = Duration::from_secs(2);

/// How long what is still sent after a refusal is read, so that its sender gets to read it.
const LINGER: Duration = Duration::from_secs(5);

fn after(since: Instant, limit: Duration) -> Instant {
    // What is too long for the clock is as good as for ever.
    since
        .checked_add(limit)
        .unwrap_or_else(|| since + Duration::from_secs(1 << 30))
}
