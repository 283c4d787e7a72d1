//! A store with one bot in it, and short ways to say what happens.

use std::sync::Arc;
use std::time::Duration;

use switchboard_model::testing::{ManualClock, SeededRandom};
use switchboard_model::{
    Bot, BotId, Conversation, ConversationId, DeliveryId, Direction, Environment, EventId,
    Integration, IntegrationId, Json, Message, MessageId, Tags, Timestamp, TokenId, User, UserId,
};

use super::Factory;
use crate::{
    Batch, Claim, Claimed, ClaimedDelivery, ConversationFilter, CreateBot, Cursor, Discriminate,
    Finish, Found, GetOrCreateConversation, GetOrCreateUser, Inbound, InboundContent,
    InboundMessage, Ingested, Key, Lane, LostSends, NewEvent, NewIntegration, NewMessage, NewUser,
    Occupied, Once, Outcome, Page, PageRequest, Place, PostMessage, Posted, Rekey, Sender, Store,
    Subject, Thread,
};

/// The store under test and a bot with one active integration, `telegram`.
pub struct World {
    /// The store.
    pub store: Arc<dyn Store>,
    /// Time stands still until it is moved.
    pub clock: ManualClock,
    /// Makes ids.
    pub env: Environment,
    /// The bot.
    pub bot: BotId,
    /// Its integration.
    pub integration: IntegrationId,
}

impl World {
    /// A fresh one.
    pub async fn new(factory: &dyn Factory) -> Self {
        let clock = ManualClock::new();
        let env = Environment::new(clock.clone(), SeededRandom::new(7));
        let store = factory.open().await;
        let (bot, integration) = add_bot(&*store, &env, true).await;
        Self {
            store,
            clock,
            env,
            bot,
            integration,
        }
    }

    /// The same store and clock, as another bot with an integration of the same alias.
    pub async fn another_bot(&self) -> Self {
        let (bot, integration) = add_bot(&*self.store, &self.env, true).await;
        Self {
            store: Arc::clone(&self.store),
            clock: self.clock.clone(),
            env: self.env.clone(),
            bot,
            integration,
        }
    }

    /// The current time.
    pub fn now(&self) -> Timestamp {
        self.env.now()
    }

    /// Time passes.
    pub fn pass(&self, duration: Duration) {
        self.clock.advance(duration);
    }

    /// Where conversations of the integration are.
    pub fn place(&self) -> Place {
        Place {
            bot: self.bot,
            integration: self.integration,
            channel: "channel".to_owned(),
        }
    }

    /// A new id.
    pub fn conversation_id(&self) -> ConversationId {
        ConversationId::new(self.env.ulid())
    }

    /// A get-or-create of a conversation.
    pub fn get_or_create(&self, identity: Tags, tags: Tags) -> GetOrCreateConversation {
        GetOrCreateConversation {
            id: self.conversation_id(),
            place: self.place(),
            identity,
            tags,
            participants: Vec::new(),
            now: self.now(),
        }
    }

    /// The conversation with this external id, made if need be.
    pub async fn thread(&self, id: &str) -> Conversation {
        let tags = tags([("telegram:id", id)]);
        let command = self.get_or_create(tags.clone(), tags);
        let found = self.store.get_or_create_conversation(command).await;
        found.unwrap().value
    }

    /// A get-or-create of a user with this external id.
    pub fn new_user(&self, id: &str) -> GetOrCreateUser {
        let tags = tags([("telegram:id", id)]);
        GetOrCreateUser {
            user: NewUser {
                id: UserId::new(self.env.ulid()),
                bot: self.bot,
                integration: Some(self.integration),
                tags: tags.clone(),
                name: None,
                picture_url: None,
                now: self.now(),
            },
            identity: tags,
        }
    }

    /// The user with this external id, made if need be.
    pub async fn person(&self, id: &str) -> User {
        let found = self.store.get_or_create_user(self.new_user(id)).await;
        found.unwrap().value
    }

    /// A message that goes out from the bot.
    pub fn outgoing(&self, conversation: ConversationId, text: &str) -> PostMessage {
        self.said(conversation, self.bot.into(), Direction::Outgoing, text)
    }

    /// A message.
    pub fn said(
        &self,
        conversation: ConversationId,
        user: UserId,
        direction: Direction,
        text: &str,
    ) -> PostMessage {
        PostMessage {
            bot: self.bot,
            message: NewMessage {
                id: MessageId::new(self.env.ulid()),
                conversation,
                user,
                direction,
                kind: "text".to_owned(),
                payload: text_payload(text),
                tags: Tags::new(),
                synthetic: false,
            },
            discriminate: Discriminate::Never,
            delivery: DeliveryId::new(self.env.ulid()),
            due: None,
            now: self.now(),
        }
    }

    /// An event.
    pub fn event(&self, conversation: Option<ConversationId>, kind: &str) -> NewEvent {
        NewEvent {
            id: EventId::new(self.env.ulid()),
            delivery: DeliveryId::new(self.env.ulid()),
            bot: self.bot,
            kind: kind.to_owned(),
            payload: json("{\"n\":1}"),
            conversation,
            user: None,
            message: None,
            workflow: None,
            due: None,
            now: self.now(),
        }
    }

    /// Posts it.
    pub async fn post(&self, command: PostMessage) -> Found<Message> {
        match self.store.post_message(command).await.unwrap() {
            Posted::Stored(found) => found,
            other => panic!("not stored: {other:?}"),
        }
    }

    /// The message as it is now.
    pub async fn message(&self, id: MessageId) -> Message {
        let message = self.store.get_message(self.bot, id).await.unwrap();
        message.expect("a message")
    }

    /// An update: `sender` says `text` in `thread`.
    pub fn update(&self, thread: &str, sender: &str, text: &str, once: Option<u64>) -> Inbound {
        Inbound {
            once: once.map(once_of),
            event: EventId::new(self.env.ulid()),
            delivery: DeliveryId::new(self.env.ulid()),
            content: InboundContent::Message(Box::new(InboundMessage {
                thread: self.external_thread(thread),
                sender: self.sender(sender),
                id: MessageId::new(self.env.ulid()),
                kind: "text".to_owned(),
                payload: text_payload(text),
                tags: tags([("telegram:id", text)]),
            })),
        }
    }

    /// A change of a conversation's name to this external id, which takes in the conversation that has
    /// it.
    pub fn renamed(&self, conversation: ConversationId, id: &str) -> Rekey {
        let identity = tags([("telegram:id", id)]);
        Rekey {
            bot: self.bot,
            conversation,
            tags: identity.clone(),
            identity,
            occupied: Occupied::Merge,
            now: self.now(),
        }
    }

    /// The external thread with this id.
    pub fn external_thread(&self, id: &str) -> Thread {
        Thread {
            id: self.conversation_id(),
            channel: "channel".to_owned(),
            known: None,
            identity: tags([("telegram:id", id)]),
            tags: tags([("telegram:id", id), ("telegram:chatId", id)]),
            defaults: tags([]),
        }
    }

    /// The external sender with this id.
    pub fn sender(&self, id: &str) -> Sender {
        Sender {
            id: UserId::new(self.env.ulid()),
            known: None,
            identity: tags([("telegram:id", id)]),
            tags: tags([("telegram:id", id)]),
            name: Some(format!("Person {id}")),
        }
    }

    /// A batch of updates.
    pub fn batch(&self, items: Vec<Inbound>) -> Batch {
        Batch {
            bot: self.bot,
            integration: self.integration,
            items,
            position: None,
            now: self.now(),
        }
    }

    /// Takes updates.
    pub async fn ingest(&self, items: Vec<Inbound>) -> Vec<Ingested> {
        self.store.ingest(self.batch(items)).await.unwrap()
    }

    /// The lane to the integration's channel.
    pub fn channel(&self) -> Lane {
        Lane::Channel(self.integration)
    }

    /// A claim of up to 100 for a minute.
    pub fn a_claim(&self, lane: Lane) -> Claim {
        Claim {
            lane,
            limit: 100,
            again: 100,
            lease: Duration::from_mins(1),
            lost: LostSends::Retry,
            now: self.now(),
        }
    }

    /// Claims up to 100 for a minute.
    pub async fn claim(&self, lane: Lane) -> Claimed {
        self.store.claim(self.a_claim(lane)).await.unwrap()
    }

    /// Claims what must be the only one.
    pub async fn claim_one(&self, lane: Lane) -> ClaimedDelivery {
        let mut claimed = self.claim(lane).await.deliveries;
        assert_eq!(claimed.len(), 1, "one delivery to claim");
        claimed.pop().unwrap()
    }

    /// Claims all that can be, frees all but that of one conversation, and gives that.
    pub async fn claim_one_of(&self, lane: Lane, conversation: ConversationId) -> ClaimedDelivery {
        let mut found = None;
        for claimed in self.claim(lane).await.deliveries {
            let of = match &claimed.subject {
                Subject::Message(message) | Subject::Edit(message) => Some(message.conversation.id),
                Subject::Delete(deletion) => Some(deletion.conversation.id),
                Subject::Event(event) => event.conversation,
                Subject::Gone => None,
            };
            if of == Some(conversation) {
                found = Some(claimed);
                continue;
            }
            let again = Outcome::Retry {
                after: Duration::ZERO,
                error: "not this one".to_owned(),
                uncertain: false,
                counts: false,
            };
            assert!(self.finish(&claimed, again).await);
        }
        found.expect("a delivery of the conversation")
    }

    /// Writes a result; tells whether the claim was current.
    pub async fn finish(&self, claimed: &ClaimedDelivery, outcome: Outcome) -> bool {
        let finish = Finish {
            id: claimed.id,
            epoch: claimed.epoch,
            outcome,
            now: self.now(),
        };
        self.store.finish(finish).await.unwrap()
    }

    /// All conversations of the bot, first made first.
    pub async fn conversations(&self) -> Vec<Conversation> {
        let filter = ConversationFilter {
            order: crate::SortOrder::Ascending,
            ..ConversationFilter::default()
        };
        let list = self.store.list_conversations(self.bot, filter, all());
        list.await.unwrap().items
    }
}

async fn add_bot(store: &dyn Store, env: &Environment, active: bool) -> (BotId, IntegrationId) {
    let bot = BotId::new(env.ulid());
    let integration = new_integration(env, bot, "telegram", active);
    let id = integration.integration.id;
    let command = CreateBot {
        bot: Bot {
            id: bot,
            name: "Test".to_owned(),
            created_at: env.now(),
        },
        integrations: vec![integration],
        tokens: Vec::new(),
    };
    store.create_bot(command).await.unwrap();
    (bot, id)
}

/// An integration to install.
pub fn new_integration(env: &Environment, bot: BotId, alias: &str, active: bool) -> NewIntegration {
    NewIntegration {
        integration: Integration {
            id: IntegrationId::new(env.ulid()),
            bot,
            alias: alias.to_owned(),
            platform: "telegram".to_owned(),
            webhook_id: TokenId::new(env.ulid()).to_string(),
            active,
            created_at: env.now(),
            updated_at: env.now(),
        },
        secret: None,
        script: None,
    }
}

/// Tags from pairs.
pub fn tags<const N: usize>(pairs: [(&str, &str); N]) -> Tags {
    Tags::from_iter(pairs)
}

/// `{"text": …}`.
pub fn text_payload(text: &str) -> Json {
    let mut fields = std::collections::BTreeMap::new();
    fields.insert("text", text);
    Json::from_serialize(&fields).unwrap()
}

/// JSON text that is an object.
pub fn json(text: &str) -> Json {
    Json::parse(text).unwrap()
}

/// A key that stands for a number.
pub fn key(number: u64) -> Key {
    Key(u128::from(number).to_be_bytes())
}

/// What an update of this number is recognised by; of some the channel tells the number.
pub fn once_of(number: u64) -> Once {
    Once {
        key: key(number),
        number: number.is_multiple_of(2).then_some(number),
    }
}

/// More than any case makes.
pub fn all() -> PageRequest {
    page(10_000)
}

/// The first page of so many.
pub fn page(limit: usize) -> PageRequest {
    PageRequest { after: None, limit }
}

/// Delivered, without more.
pub fn delivered() -> Outcome {
    Outcome::Delivered {
        replies: Vec::new(),
        tags: Tags::new(),
        change: None,
    }
}

/// Given up.
pub fn dead(error: &str) -> Outcome {
    Outcome::Dead {
        error: error.to_owned(),
    }
}

/// Walks a list to its end, and checks that no page before it is empty.
pub async fn walk<T, F>(limit: usize, mut list: impl FnMut(PageRequest) -> F) -> Vec<T>
where
    F: Future<Output = Page<T>>,
{
    let mut items = Vec::new();
    let mut after: Option<Cursor> = None;
    loop {
        let found = list(PageRequest { after, limit }).await;
        assert!(found.items.len() <= limit, "a page over its limit");
        assert!(
            found.next.is_none() || found.items.len() == limit,
            "a page with a next one that is not full"
        );
        items.extend(found.items);
        let Some(next) = found.next else {
            return items;
        };
        after = Some(next);
    }
}
