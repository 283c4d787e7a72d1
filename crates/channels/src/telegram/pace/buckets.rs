//! The token buckets, and the lines of those who wait for them. Time comes in as a value: so long
//! after a beginning.
//!
//! Promises: nobody gets through faster than [`CHAT`], [`GROUP`] and [`ALL`] say, together with what a
//! former process of the same bot let through, if there was one; who was told a turn
//! gets through then, before all who came later to the same chat, and is not told another one as long
//! as nothing else happens; what is kept here grows with the chats of the last seconds only.
//! What never happens here: a wait.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::{StateInformationMiddleware, StateSnapshot};
use governor::state::keyed::HashMapStateStore;
use governor::{NotUntil, Quota, RateLimiter};
use switchboard_model::MessageId;

/// So much at once, then one each interval.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    pub(super) interval: Duration,
    pub(super) burst: NonZeroU32,
}

/// Telegram's advice: one message a second in a chat; "short bursts" are tolerated
/// (<https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this>). Three are an
/// answer and what belongs to it.
pub(super) const CHAT: Limit = Limit::new(Duration::from_secs(1), 3);
/// 20 messages a minute in a group; also in a channel, whose limits Telegram does not tell. The burst
/// and what a minute gives are 20 together.
pub(super) const GROUP: Limit = Limit::new(Duration::from_secs(4), 5);
/// About 30 messages a second in all: so many in any second, see [`Window`].
pub(super) const ALL: Limit = Limit::new(Duration::from_nanos(33_333_334), 30);
/// How long the window of [`ALL`] is.
pub(super) const SECOND: Duration = Duration::from_secs(1);

/// What the clock shows at the beginning.
pub(super) const START: Duration = Duration::from_mins(1);

/// When so many chats in a row were told to wait, it is not about these chats.
const MANY: usize = 5;
/// For so long at most the whole bot is held back; then one message tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How often what is not needed any more is thrown away.
const TIDYING: Duration = Duration::from_secs(10);
/// Who has not come so long after its turn does not come.
const PATIENCE: Duration = Duration::from_mins(1);

type Keyed = RateLimiter<i64, HashMapStateStore<i64>, Ticks, StateInformationMiddleware>;

pub(super) struct Buckets {
    ticks: Ticks,
    chats: Keyed,
    groups: Keyed,
    all: Window,
    /// After a former process, while it matters: the chats whose buckets were emptied.
    emptied: Option<HashSet<i64>>,
    lines: HashMap<i64, Line>,
    common: Line,
    tickets: HashMap<MessageId, Ticket>,
    /// The chats that were told to wait since the last call that got through.
    refused: BTreeSet<i64>,
    tidied: Duration,
}

/// What was let through in the last second. A token bucket would let a burst and what the second
/// gives through, and so would have to be small to keep the limit.
#[derive(Default)]
struct Window(VecDeque<Duration>);

impl Window {
    fn take(&mut self, now: Duration) -> Taken {
        while self.0.front().is_some_and(|first| *first + SECOND <= now) {
            self.0.pop_front();
        }
        let most = ALL.burst.get() as usize;
        let full = |all: &VecDeque<Duration>| all.front().map_or(now, |first| *first + SECOND);
        if self.0.len() >= most {
            return Err(full(&self.0));
        }
        self.0.push_back(now);
        Ok((self.0.len() == most).then(|| full(&self.0)))
    }
}

/// Whether one was taken, and until when there is no other.
type Taken = Result<Option<Duration>, Duration>;

/// What a bucket answers. When it has just become empty, the next is there an interval later at the
/// latest.
fn taken(now: Duration, limit: Limit, answer: Result<StateSnapshot, NotUntil<Duration>>) -> Taken {
    match answer {
        Ok(state) => Ok((state.remaining_burst_capacity() == 0).then(|| now + limit.interval)),
        Err(refusal) => Err(refusal.earliest_possible()),
    }
}

/// Those who wait for one bucket.
#[derive(Default)]
struct Line {
    /// The last turn that was told.
    last: Duration,
    /// The bucket is empty until then.
    next: Duration,
    /// Telegram asks to wait until then.
    closed: Duration,
}

/// What somebody was told, and in which line it waits.
#[derive(Default)]
struct Ticket {
    turn: Duration,
    stage: Stage,
}

#[derive(Default, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    #[default]
    New,
    Chat,
    /// In the chat it would be its turn.
    Bot,
}

/// What room there is for more.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Space {
    For(usize),
    NotBefore(Duration),
}

impl Limit {
    const fn new(interval: Duration, burst: u32) -> Self {
        let burst = match NonZeroU32::new(burst) {
            Some(burst) => burst,
            None => NonZeroU32::MIN,
        };
        Self { interval, burst }
    }

    fn quota(self) -> Quota {
        Quota::with_period(self.interval)
            .unwrap_or(Quota::per_second(NonZeroU32::MIN))
            .allow_burst(self.burst)
    }

    const fn of(chat: i64) -> Self {
        if is_group(chat) { GROUP } else { CHAT }
    }
}

/// Numbers of groups, supergroups and channels are negative.
const fn is_group(chat: i64) -> bool {
    chat < 0
}

impl Line {
    /// Whether one who has or has not waited here goes now.
    fn lets_pass(&self, now: Duration, waited: bool) -> bool {
        self.closed <= now && self.next <= now && (waited || self.last <= now)
    }

    /// A turn for one who cannot go now: behind those who wait, if it has not waited.
    fn turn(&mut self, now: Duration, waited: bool, interval: Duration) -> Duration {
        let is_closed = self.closed > now;
        let mut turn = now.max(self.closed).max(self.next);
        if self.last > now && (!waited || is_closed) {
            turn = turn.max(self.last + interval);
        }
        self.last = self.last.max(turn);
        turn
    }

    /// Notes what the bucket of this line said.
    fn took(&mut self, taken: Taken) -> Result<(), Duration> {
        let (Ok(until) | Err(until)) = taken.map_err(Some);
        self.next = self.next.max(until.unwrap_or_default());
        taken.map(drop).map_err(|_| self.next)
    }
}

impl Buckets {
    /// Full ones: nobody has sent before.
    pub(super) fn new() -> Self {
        let ticks = Ticks::default();
        Self {
            chats: RateLimiter::hashmap_with_clock(CHAT.quota(), ticks.clone()).with_middleware(),
            groups: RateLimiter::hashmap_with_clock(GROUP.quota(), ticks.clone()).with_middleware(),
            all: Window::default(),
            emptied: None,
            ticks,
            lines: HashMap::new(),
            common: Line::default(),
            tickets: HashMap::new(),
            refused: BTreeSet::new(),
            tidied: Duration::ZERO,
        }
    }

    /// Those of a process that follows another, which may have sent all there was until [`START`].
    pub(super) fn following() -> Self {
        let mut buckets = Self::new();
        buckets.all.0 = std::iter::repeat_n(START, ALL.burst.get() as usize).collect();
        buckets.common.next = START + SECOND;
        buckets.emptied = Some(HashSet::new());
        buckets
    }

    /// Asks to send to a chat. `None`: now. Else the turn to ask again.
    pub(super) fn ask(&mut self, now: Duration, chat: i64, who: MessageId) -> Option<Duration> {
        self.tidy(now);
        self.empty(now, chat);
        self.ticks.set(now);
        if let Some(ticket) = self.tickets.get(&who)
            && now < ticket.turn
        {
            return Some(ticket.turn);
        }
        let mut ticket = self.tickets.remove(&who).unwrap_or_default();
        ticket.turn = self.pass(now, chat, &mut ticket)?;
        let turn = ticket.turn;
        self.tickets.insert(who, ticket);
        Some(turn)
    }

    /// Empties the buckets of a chat that a former process may have sent to.
    fn empty(&mut self, now: Duration, chat: i64) {
        let Some(emptied) = &mut self.emptied else {
            return;
        };
        if now > START + GROUP.interval * GROUP.burst.get() {
            // They would be full by now.
            self.emptied = None;
            return;
        }
        if !emptied.insert(chat) {
            return;
        }
        // As of the beginning, so that a bucket never holds more than it would have if there had been
        // one process all along, however many there were.
        self.ticks.set(START);
        let drain = |bucket: &Keyed, limit: Limit| {
            for _ in 0..limit.burst.get() {
                // It is full until here, so each is there.
                let _ = bucket.check_key(&chat);
            }
        };
        drain(&self.chats, CHAT);
        if is_group(chat) {
            drain(&self.groups, GROUP);
        }
        let line = self.lines.entry(chat).or_default();
        line.next = line.next.max(START + Limit::of(chat).interval);
    }

    /// `None`: what it needs is taken, all at once, so that nothing taken grows old in a wait.
    fn pass(&mut self, now: Duration, chat: i64, ticket: &mut Ticket) -> Option<Duration> {
        let limit = Limit::of(chat);
        let line = self.lines.entry(chat).or_default();
        if !line.lets_pass(now, ticket.stage >= Stage::Chat) {
            let turn = line.turn(now, ticket.stage >= Stage::Chat, limit.interval);
            ticket.stage = Stage::Chat;
            return Some(turn);
        }
        if !self.common.lets_pass(now, ticket.stage == Stage::Bot) {
            let turn = self
                .common
                .turn(now, ticket.stage == Stage::Bot, ALL.interval);
            ticket.stage = Stage::Bot;
            // The others of the chat come behind it.
            line.last = line.last.max(turn);
            return Some(turn);
        }
        let in_group = if is_group(chat) {
            line.took(taken(now, GROUP, self.groups.check_key(&chat)))
        } else {
            Ok(())
        };
        let in_chat =
            in_group.and_then(|()| line.took(taken(now, CHAT, self.chats.check_key(&chat))));
        let in_all = in_chat.and_then(|()| self.common.took(self.all.take(now)));
        in_all.err()
    }

    /// Telegram asked this one to wait. Its chat waits; if it goes for many chats, all do.
    pub(super) fn refused(&mut self, now: Duration, chat: i64, who: MessageId, after: Duration) {
        let turn = now.saturating_add(after);
        let line = self.lines.entry(chat).or_default();
        line.closed = line.closed.max(turn);
        line.last = line.last.max(turn);
        let ticket = Ticket {
            turn,
            stage: Stage::Chat,
        };
        self.tickets.insert(who, ticket);
        if !self.is_in_doubt() {
            self.refused.insert(chat);
        }
        if self.is_in_doubt() {
            let until = now.saturating_add(after.min(LONGEST_PAUSE));
            self.common.closed = self.common.closed.max(until);
        }
    }

    /// Telegram has answered one that was sent.
    pub(super) fn answered(&mut self) {
        self.refused.clear();
    }

    /// Whether the whole bot seems to be told to wait.
    fn is_in_doubt(&self) -> bool {
        self.refused.len() >= MANY
    }

    /// How many more may come, while so many calls are under way.
    pub(super) fn space(&self, now: Duration, calling: usize) -> Space {
        if self.common.closed > now {
            return Space::NotBefore(self.common.closed);
        }
        if self.is_in_doubt() {
            return match calling {
                0 => Space::For(1),
                _ => Space::NotBefore(now + CHAT.interval),
            };
        }
        let burst = ALL.burst.get();
        let ahead = self.common.last.saturating_sub(now);
        let enough = ALL.interval * (burst / 2);
        if ahead >= enough {
            return Space::NotBefore(now + ahead.saturating_sub(enough).max(ALL.interval));
        }
        let waiting = ahead.as_nanos().div_ceil(ALL.interval.as_nanos());
        let waiting = usize::try_from(waiting).unwrap_or(usize::MAX);
        Space::For((burst as usize).saturating_sub(waiting))
    }

    fn tidy(&mut self, now: Duration) {
        if now.saturating_sub(self.tidied) < TIDYING {
            return;
        }
        self.tidied = now;
        self.chats.retain_recent();
        self.chats.shrink_to_fit();
        self.groups.retain_recent();
        self.groups.shrink_to_fit();
        self.lines
            .retain(|_, line| line.last.max(line.closed).max(line.next) > now);
        self.lines.shrink_to_fit();
        self.tickets
            .retain(|_, ticket| ticket.turn.saturating_add(PATIENCE) > now);
        self.tickets.shrink_to_fit();
    }

    /// How much is kept.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.chats.len() + self.groups.len() + self.lines.len() + self.tickets.len()
    }
}

/// The time that was told last.
#[derive(Debug, Clone, Default)]
struct Ticks(Arc<AtomicU64>);

impl Ticks {
    fn set(&self, now: Duration) {
        let nanos = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        self.0.store(nanos, Ordering::Relaxed);
    }
}

impl Clock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}
