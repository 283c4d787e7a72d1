//! Bots, their integrations and tokens: who may come in.

use async_trait::async_trait;
use switchboard_model::{
    Bot, BotId, Integration, IntegrationId, Result, Timestamp, Token, TokenId,
};

/// The SHA-256 of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

/// A secret, encrypted by the engine; the store never sees it in clear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSecret(pub Vec<u8>);

/// A token to admit.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// The record.
    pub token: Token,
    /// What it is recognised by.
    pub hash: TokenHash,
}

/// An integration to install.
#[derive(Debug, Clone)]
pub struct NewIntegration {
    /// The record.
    pub integration: Integration,
    /// Its secret, such as a channel token.
    pub secret: Option<SealedSecret>,
    /// The script that maps its threads and people, if one does.
    pub script: Option<String>,
}

/// A bot to make, with what it cannot do without.
#[derive(Debug, Clone)]
pub struct CreateBot {
    /// The bot. The user that stands for it is made too.
    pub bot: Bot,
    /// Its integrations.
    pub integrations: Vec<NewIntegration>,
    /// Its tokens.
    pub tokens: Vec<NewToken>,
}

/// A change of an integration.
#[derive(Debug, Clone, Default)]
pub struct IntegrationChange {
    /// Whether it can send and receive.
    pub active: Option<bool>,
    /// A new secret.
    pub secret: Option<SealedSecret>,
    /// A new script. The empty text takes the one that is there off.
    pub script: Option<String>,
}

/// Lets a new token take the place of an old one.
#[derive(Debug, Clone)]
pub struct RotateToken {
    /// The bot.
    pub bot: BotId,
    /// The token to replace.
    pub id: TokenId,
    /// The new one, with the same rights.
    pub new: NewToken,
    /// When the old one ends: now, or later.
    pub ends: Timestamp,
    /// When.
    pub now: Timestamp,
}

/// Keeps bots, integrations and tokens.
#[async_trait]
pub trait AccessStore {
    /// Makes a bot with its integrations and tokens, all or nothing. A token or an alias that
    /// exists is `AlreadyExists`.
    async fn create_bot(&self, command: CreateBot) -> Result<()>;

    /// The bot with this id.
    async fn get_bot(&self, id: BotId) -> Result<Option<Bot>>;

    /// All bots, oldest first.
    async fn list_bots(&self) -> Result<Vec<Bot>>;

    /// Gives a bot, and the user that stands for it, another name.
    async fn rename_bot(&self, id: BotId, name: &str, now: Timestamp) -> Result<Option<Bot>>;

    /// Installs an integration. An alias that the bot has already is `AlreadyExists`.
    async fn create_integration(&self, command: NewIntegration) -> Result<()>;

    /// Changes an integration.
    async fn update_integration(
        &self,
        bot: BotId,
        id: IntegrationId,
        change: IntegrationChange,
        now: Timestamp,
    ) -> Result<Option<Integration>>;

    /// The integration with this id.
    async fn get_integration(&self, bot: BotId, id: IntegrationId) -> Result<Option<Integration>>;

    /// A bot's integrations, oldest first.
    async fn list_integrations(&self, bot: BotId) -> Result<Vec<Integration>>;

    /// The integration behind a webhook URL.
    async fn find_webhook(&self, webhook_id: &str) -> Result<Option<Integration>>;

    /// An integration's secret.
    async fn integration_secret(&self, id: IntegrationId) -> Result<Option<SealedSecret>>;

    /// The script that maps an integration's threads and people, if one does.
    async fn integration_script(&self, bot: BotId, id: IntegrationId) -> Result<Option<String>>;

    /// Admits a token. One that exists is `AlreadyExists`.
    async fn create_token(&self, token: NewToken) -> Result<()>;

    /// The token with this hash, also if it is revoked.
    async fn find_token(&self, hash: TokenHash) -> Result<Option<Token>>;

    /// A bot's tokens, oldest first.
    async fn list_tokens(&self, bot: BotId) -> Result<Vec<Token>>;

    /// Revokes a token from now on. `None` if there is none; a revoked one keeps its time, and one
    /// that would have ended later ends now.
    async fn revoke_token(&self, bot: BotId, id: TokenId, now: Timestamp) -> Result<Option<Token>>;

    /// Admits a new token and lets the old one end, both or neither. Gives the old one with its end,
    /// which is never later than the one it had. `None` if there is none; one that has ended is
    /// `InvalidPayload`.
    async fn rotate_token(&self, command: RotateToken) -> Result<Option<Token>>;
}
