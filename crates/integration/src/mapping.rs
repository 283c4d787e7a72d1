//! The `Integration` trait: how external threads become conversations and external people users.

use async_trait::async_trait;
use switchboard_model::{Conversation, Result, User};

use crate::{Context, Definition, NewConversation, NewUser};

/// An integration: what every channel must say. What only some can do are traits of their own:
/// [`crate::Outbound`], [`crate::Webhook`].
pub trait Integration: Send + Sync + 'static {
    /// What it is.
    fn definition(&self) -> Definition;

    /// How it maps threads to conversations.
    fn conversations(&self) -> &dyn Conversations {
        &DefaultMapping
    }

    /// How it maps people to users.
    fn users(&self) -> &dyn Users {
        &DefaultMapping
    }
}

/// How external threads become conversations.
///
/// # The documented example, in Rust
/// The platform's documentation writes a Telegram integration as an object whose
/// `getOrCreateConversation` asks `ctx.bp.conversations.getById(telegramConversationId)` and,
/// finding nothing, calls its own `createConversation`, which gives
/// `{ id: telegramConversationId, platform: 'telegram' }` to `ctx.bp.conversations.create`.
/// Line by line the same:
///
/// ```
/// use async_trait::async_trait;
/// use switchboard_integration::{Context, Conversations, Definition, Integration, NewConversation};
/// use switchboard_model::{Conversation, Error, Result};
///
/// struct Telegram;
///
/// impl Integration for Telegram {
///     fn definition(&self) -> Definition {
///         Definition { platform: "telegram", channels: &["channel"] }
///     }
///     fn conversations(&self) -> &dyn Conversations {
///         self
///     }
/// }
///
/// #[async_trait]
/// impl Conversations for Telegram {
///     async fn get_or_create_conversation(
///         &self,
///         ctx: &Context,
///         telegram_conversation_id: &str,
///     ) -> Result<Conversation> {
///         let existing = ctx.bp.conversations().get_by_id(telegram_conversation_id).await?;
///         if let Some(conversation) = existing {
///             return Ok(conversation);
///         }
///         // Here the original races: between its look-up and its create another request may
///         // create the same thread's conversation, and then there are two.
///         match self.create_conversation(ctx, telegram_conversation_id).await {
///             // Ours cannot: `create` looks and writes in one command of the store, and the loser
///             // of the race is told which conversation won.
///             Err(Error::ConversationExists { existing, .. }) => {
///                 ctx.bp.conversations().get(existing).await
///             }
///             created => created,
///         }
///     }
///
///     async fn create_conversation(
///         &self,
///         ctx: &Context,
///         telegram_conversation_id: &str,
///     ) -> Result<Conversation> {
///         let conversation = NewConversation {
///             id: telegram_conversation_id.to_owned(),
///             platform: "telegram".to_owned(),
///             ..NewConversation::default()
///         };
///         ctx.bp.conversations().create(conversation).await
///     }
/// }
///
/// # #[tokio::main(flavor = "multi_thread", worker_threads = 2)]
/// # async fn main() -> Result<()> {
/// # let folder = tempfile::tempdir().expect("a folder");
/// # let store = switchboard_store_sqlite::SqliteStore::open(&folder.path().join("db"))?;
/// # let (env, _clock) = switchboard_model::testing::environment(1);
/// # let vault = switchboard_engine::Vault::new(&[0; 32])?;
/// # let engine = switchboard_engine::Engine::new(std::sync::Arc::new(store), env, vault);
/// # let telegram = switchboard_engine::access::Install {
/// #     alias: "telegram", platform: "telegram", active: true,
/// # };
/// # let bot = engine.create_bot("example", &[telegram], None).await?;
/// # let ctx = Context::new(engine, bot.integrations[0].clone(), "channel");
/// // Many at once, for the same new thread: one conversation.
/// let mut tasks = tokio::task::JoinSet::new();
/// for _ in 0..16 {
///     let ctx = ctx.clone();
///     tasks.spawn(async move {
///         Telegram.conversations().get_or_create_conversation(&ctx, "-1001234").await
///     });
/// }
/// let mut ids = std::collections::HashSet::new();
/// while let Some(joined) = tasks.join_next().await {
///     ids.insert(joined.expect("the task ends")?.id);
/// }
/// assert_eq!(ids.len(), 1);
/// # Ok(())
/// # }
/// ```
///
/// The default methods do the same in one command, with
/// [`ctx.bp.conversations().get_or_create`](crate::BpConversations::get_or_create).
#[async_trait]
pub trait Conversations: Send + Sync {
    /// The conversation of an external thread, made if it is new. Of any number of calls at once
    /// for one thread, all get the same.
    async fn get_or_create_conversation(
        &self,
        ctx: &Context,
        external_id: &str,
    ) -> Result<Conversation> {
        let new = NewConversation::new(external_id, &ctx.integration.platform);
        Ok(ctx.bp.conversations().get_or_create(new).await?.value)
    }

    /// Makes the conversation of an external thread.
    /// [`ConversationExists`](switchboard_model::Error::ConversationExists) names the existing one.
    async fn create_conversation(&self, ctx: &Context, external_id: &str) -> Result<Conversation> {
        let new = NewConversation::new(external_id, &ctx.integration.platform);
        ctx.bp.conversations().create(new).await
    }
}

/// How external people become users.
#[async_trait]
pub trait Users: Send + Sync {
    /// The user of an external person, made if new.
    async fn get_or_create_user(&self, ctx: &Context, external_id: &str) -> Result<User> {
        Ok(ctx
            .bp
            .users()
            .get_or_create(NewUser::new(external_id))
            .await?
            .value)
    }

    /// Makes the user of an external person.
    /// [`AlreadyExists`](switchboard_model::Error::AlreadyExists) names the existing one.
    async fn create_user(&self, ctx: &Context, external_id: &str) -> Result<User> {
        ctx.bp.users().create(NewUser::new(external_id)).await
    }
}

/// The mapping that fits most channels: an external id is the tag `id`.
#[derive(Debug, Clone, Copy, Default)]
pub struct DefaultMapping;

impl Conversations for DefaultMapping {}
impl Users for DefaultMapping {}
