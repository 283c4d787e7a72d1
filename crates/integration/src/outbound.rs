//! Sending: what a channel must tell about each try.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use switchboard_model::{Conversation, Message, MessageId, Result, Tags, User};
use switchboard_store::SentPart;

/// A message on its way out, with tags as the integration sees them (`id`, `chatId`, …).
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The message.
    pub message: Message,
    /// Its author.
    pub user: User,
    /// Its conversation.
    pub conversation: Conversation,
    /// The number of this try, from 1.
    pub attempt: u32,
    /// Whether an earlier try was made, of which the outcome may be unknown. A replay begins anew.
    pub again: bool,
}

/// The deletion of a message that was sent. What it said is gone.
#[derive(Debug, Clone)]
pub struct Deletion {
    /// The message.
    pub message: MessageId,
    /// Its conversation.
    pub conversation: Conversation,
    /// The number of this try, from 1.
    pub attempt: u32,
}

/// What became of a try to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendOutcome {
    /// The channel has taken it all. The tags (bare) are merged into the message.
    Done(Tags),
    /// The channel asks to wait. It uses up no attempt and no patience.
    Wait {
        /// For so long.
        after: Duration,
        /// The channel's words.
        error: String,
    },
    /// The channel was not asked yet: there is a limit to how fast it may be, and somebody else's turn
    /// is first. It uses up no attempt and no patience.
    Held {
        /// For so long.
        after: Duration,
        /// What it waits for.
        error: String,
    },
    /// It was certainly not taken, and may be later.
    Retry {
        /// What happened.
        error: String,
    },
    /// It will never be taken.
    Permanent {
        /// The channel's words.
        error: String,
    },
    /// It may have been taken: the connection broke after the request was written.
    Uncertain {
        /// What happened.
        error: String,
    },
    /// It may have been taken, and another try can tell nothing: it waits for a person, whatever the
    /// policy.
    Unknown {
        /// What happened.
        error: String,
    },
    /// The channel has no such thing as changing what was sent.
    Unable,
    /// The account does not work (its token is refused). The message waits for an operator.
    AccountBroken {
        /// The channel's words, and what to do.
        error: String,
    },
}

/// How many more messages a channel account takes up now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// As many as there are.
    Free,
    /// So many.
    For(usize),
    /// None before then.
    NotBefore(Instant),
}

/// How long a try may still go on. Counted on the monotonic clock of the holder.
#[derive(Debug, Clone, Copy)]
pub struct Lease {
    until: Instant,
}

impl Lease {
    /// A lease for `duration` from now, or for as long as the clock can count.
    pub fn new(duration: Duration) -> Self {
        let now = Instant::now();
        let longest = Duration::from_hours(24 * 365);
        Self {
            until: now.checked_add(duration).unwrap_or_else(|| now + longest),
        }
    }

    /// What is left of it; `None` when it is over. Check before each request.
    pub fn left(&self) -> Option<Duration> {
        self.until
            .checked_duration_since(Instant::now())
            .filter(|left| !left.is_zero())
    }
}

/// The parts of one message that have already left, kept on disk.
#[async_trait]
pub trait Parts: Send + Sync {
    /// Those that left in earlier tries, in order. Of a change of a message: all that are in the
    /// channel, and what was noted of them since; the last note of a part counts.
    fn sent(&self) -> &[SentPart];

    /// Notes a part that has just left, or changed, before the next is sent. An error means that the
    /// try must stop: somebody else may hold the message now.
    async fn record(&self, part: SentPart) -> Result<()>;
}

/// A channel that can send.
#[async_trait]
pub trait Outbound: Send + Sync + 'static {
    /// How many more messages can be begun with now. Asked before messages are taken from the
    /// outbox: one that would only wait is better left there.
    fn room(&self) -> Room {
        Room::Free
    }

    /// Tries to send a message, going on after the parts that have already left.
    ///
    /// Called for one message of a conversation at a time, in order. It must return before the
    /// lease is over, and must not retry by itself what could show up twice.
    async fn send(&self, message: &Outgoing, parts: &dyn Parts, lease: Lease) -> SendOutcome;

    /// Tries to make the parts of a message that was sent say what it says now, as `send` does. Called
    /// only if parts were recorded when it was sent; it may come again, and with the same content.
    ///
    /// A channel that cannot do so leaves it at this: then nothing is kept of the change but in the
    /// store.
    async fn edit(&self, message: &Outgoing, parts: &dyn Parts, lease: Lease) -> SendOutcome {
        let _ = (message, parts, lease);
        SendOutcome::Unable
    }

    /// Tries to delete the parts of a message that was sent. As `edit`.
    async fn delete(&self, deletion: &Deletion, parts: &dyn Parts, lease: Lease) -> SendOutcome {
        let _ = (deletion, parts, lease);
        SendOutcome::Unable
    }
}
