//! How Switchboard's objects are kept: the [`Store`] trait and its commands.
//!
//! Promises of every store:
//! - Each method is one whole command: it happens entirely or not at all, and an `Ok` means that
//!   it is durable on disk. Callers never compose a transaction of several calls.
//! - Commands are linearizable: racing ones end as some serial order of them would.
//! - Everything is scoped by bot. An object of another bot is absent: `None`, or a "not found".
//! - The cost of a command does not depend on how much is stored.
//!
//! What never happens here: checking who may do what, translating tags between views, HTTP, SQL.
//! Tags in commands and results are named as a bot sees them.
//!
//! # How to add a command
//! 1. Declare its input, its outcome and its promise in the file of its noun, and the method in
//!    that file's trait.
//! 2. Write the method in the file of the same name in each `store-*` crate.
//! 3. Test it in the file of the same name in [`contract`]: one suite for every backend.

pub mod access;
pub mod chat;
pub mod contract;
pub mod conversation;
pub mod delivery;
pub mod event;
pub mod incoming;
pub mod ingest;
pub mod message;
pub mod page;
pub mod state;
pub mod tag_value;
pub mod unmapped;
pub mod user;
pub mod workflow;

use async_trait::async_trait;
use switchboard_model::{ConversationId, Result, Timestamp};
use tokio::sync::broadcast;

pub use access::{
    AccessStore, CreateBot, IntegrationChange, NewIntegration, NewToken, RotateToken, SealedSecret,
    TokenHash,
};
pub use chat::{About, Chat, ChatNews, Joined, parts_of, parts_of_tag};
pub use conversation::{
    ConversationFilter, ConversationStore, CreateConversation, Created, GetOrCreateConversation,
    Occupied, Place, Rekey, Rekeyed,
};
pub use delivery::{
    Claim, Claimed, ClaimedDelivery, ConversationChange, DeliveryAction, DeliveryRecord,
    DeliveryRecordStatus, DeliveryStore, Finish, Lane, LostSends, Outcome, OutgoingDeletion,
    OutgoingMessage, Reply, SentPart, Subject,
};
pub use event::{Canceled, EventFilter, EventStore, NewEvent};
pub use incoming::{
    ImportMessages, ImportedMessage, IncomingStore, InitialMessage, InitializeIncoming,
    Initialized, SomeConversation, SomeUser,
};
pub use ingest::{
    Batch, Inbound, InboundContent, InboundEdit, InboundEvent, InboundMessage, IngestStore,
    Ingested, PollPosition, Sender, Taken, Thread,
};
pub use message::{
    Discriminate, Idempotency, MessageFilter, MessageStore, MessageUpdate, MessageVersion,
    NewMessage, PostMessage, Posted,
};
pub use page::{Cursor, Page, PageRequest, SortField, SortOrder};
pub use state::{SetState, StateKey, StateOwner, StateStore};
pub use tag_value::{TagKind, TagValueFilter, TagValuePage, TagValueStore, TagValues};
pub use unmapped::{Remap, Remapped, Unmapped, UnmappedStore, UnmappedUpdate};
pub use user::{GetOrCreateUser, NewUser, UserFilter, UserStore, UserUpdate};
pub use workflow::{
    GetOrCreateWorkflow, NewWorkflow, WorkflowFilter, WorkflowStore, WorkflowUpdate,
};

/// A 16-byte digest that stands for an external identity (see `Once` in ARCHITECTURE.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key(pub [u8; 16]);

/// What an update is recognised by when it comes again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Once {
    /// Stands for all that names it within its integration, its number too.
    pub key: Key,
    /// Its number, where a channel numbers what it brings. What follows each other is then kept side by
    /// side, and shares its pages; what is scattered has each its own.
    pub number: Option<u64>,
}

impl Once {
    /// How it is stored, by the digest of its key within the integration: what is numbered has the
    /// leading 48 bits of the number before it.
    pub fn stored(self, digest: [u8; 16]) -> [u8; 16] {
        let Some(number) = self.number else {
            return digest;
        };
        let beyond = (u64::BITS - number.leading_zeros()).saturating_sub(48);
        let [_, _, place @ ..] = (number >> beyond).to_be_bytes();
        let mut stored = [0; 16];
        let (first, rest) = stored.split_at_mut(place.len());
        first.copy_from_slice(&place);
        rest.copy_from_slice(&digest[..rest.len()]);
        stored
    }
}

impl From<Key> for Once {
    fn from(key: Key) -> Self {
        Self { key, number: None }
    }
}

/// The answer of a get-or-create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found<T> {
    /// The object, found or made.
    pub value: T,
    /// Whether this very call has made it. Exactly one of any number of racing calls is told so.
    pub created: bool,
}

/// Something that committed, for those who wait for it. A hint: it may be lost (a lagging
/// receiver), never early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A delivery in this lane has become ready.
    Lane(Lane),
    /// A message or a delivery of this conversation has changed.
    Conversation(ConversationId),
}

/// A place to keep everything. See the module's documentation for what each store promises.
#[async_trait]
pub trait Store:
    AccessStore
    + ConversationStore
    + UserStore
    + MessageStore
    + IngestStore
    + UnmappedStore
    + IncomingStore
    + EventStore
    + StateStore
    + TagValueStore
    + WorkflowStore
    + DeliveryStore
    + Send
    + Sync
    + 'static
{
    /// Tells of commits as they happen.
    fn changes(&self) -> broadcast::Receiver<Change>;

    /// Whether writes get through: waits for an empty write to commit.
    async fn ping(&self) -> Result<()>;

    /// Removes a bounded number of rows that nobody can see any more (expired states, what belongs
    /// to deleted conversations), ends workflows whose time is over, and goes on with those that are
    /// due. Tells how many, so that a caller can go on while there are any.
    /// With nothing to do it writes nothing, so that it may be called every few seconds.
    async fn sweep(&self, now: Timestamp) -> Result<usize>;

    /// Finishes the writes that were accepted and closes the database. Later calls answer
    /// [`switchboard_model::Error::Unavailable`].
    async fn close(&self) -> Result<()>;
}
