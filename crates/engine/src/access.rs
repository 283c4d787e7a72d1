//! Making bots, tokens and integrations.

use ring::digest;
use switchboard_model::{Bot, BotId, Error, Integration, IntegrationId, Result, Token};
use switchboard_store::{CreateBot, IntegrationChange, NewIntegration, NewToken};

use crate::{Engine, keys};

/// The label of a token that the settings preset.
pub const PRESET: &str = "preset";
/// The shortest token that may be preset, in characters.
pub const MIN_TOKEN_LEN: usize = 32;

/// Whether a text may be preset as a token: long enough, and fit for a header.
pub fn is_strong(clear: &str) -> bool {
    clear.len() >= MIN_TOKEN_LEN && clear.bytes().all(|byte| byte.is_ascii_graphic())
}

/// An integration that a bot is made with.
#[derive(Debug, Clone, Copy)]
pub struct Install<'a> {
    /// Its alias.
    pub alias: &'a str,
    /// Its platform.
    pub platform: &'a str,
    /// Whether it can send and receive at once.
    pub active: bool,
}

/// The integrations that each bot is made with. Telegram's exists without a token, inactive, so
/// that it can be called before it is plugged in.
pub const BUILT_IN: [Install<'static>; 2] = [
    Install {
        alias: "telegram",
        platform: "telegram",
        active: false,
    },
    Install {
        alias: "terminal",
        platform: "terminal",
        active: true,
    },
];

/// A bot that was made, and its token, which is shown this once.
#[derive(Debug, Clone)]
pub struct NewBot {
    /// The bot.
    pub bot: Bot,
    /// Its integrations.
    pub integrations: Vec<Integration>,
    /// Its token in clear.
    pub token: String,
}

/// The account that a channel's token is for: the part before the first colon, which stays when the
/// rest is renewed (<https://core.telegram.org/bots/api#authorizing-your-bot>).
fn account(secret: &str) -> &str {
    secret
        .split_once(':')
        .map_or(secret, |(account, _)| account)
}

impl Engine {
    /// Makes a bot with integrations and one token: the preset one, or a random one.
    pub async fn create_bot(
        &self,
        name: &str,
        integrations: &[Install<'_>],
        preset_token: Option<&str>,
    ) -> Result<NewBot> {
        let token = match preset_token {
            Some(token) => token.to_owned(),
            None => self.random_token(),
        };
        let id = self.new_bot_id();
        let first = self.token_record(id, None, "first token", &token)?;
        let (bot, integrations) = self.make_bot(id, name, integrations, vec![first]).await?;
        Ok(NewBot {
            bot,
            integrations,
            token,
        })
    }

    /// Makes a bot that nobody can call yet: its first token is for whoever asks for it.
    pub async fn create_bot_without_token(
        &self,
        name: &str,
        integrations: &[Install<'_>],
    ) -> Result<(Bot, Vec<Integration>)> {
        let id = self.new_bot_id();
        self.make_bot(id, name, integrations, Vec::new()).await
    }

    async fn make_bot(
        &self,
        id: BotId,
        name: &str,
        integrations: &[Install<'_>],
        tokens: Vec<NewToken>,
    ) -> Result<(Bot, Vec<Integration>)> {
        let bot = Bot {
            id,
            name: name.to_owned(),
            created_at: self.env().now(),
        };
        let integrations: Vec<_> = integrations
            .iter()
            .map(|install| self.integration_record(bot.id, *install))
            .collect();
        self.store()
            .create_bot(CreateBot {
                bot: bot.clone(),
                integrations: integrations
                    .iter()
                    .map(|integration| NewIntegration {
                        integration: integration.clone(),
                        secret: None,
                        script: None,
                    })
                    .collect(),
                tokens,
            })
            .await?;
        Ok((bot, integrations))
    }

    /// Makes a token for a bot, or for one of its integrations only. The token in clear is
    /// returned this once.
    pub async fn create_token(
        &self,
        bot: BotId,
        integration: Option<IntegrationId>,
        label: &str,
    ) -> Result<(Token, String)> {
        let clear = self.random_token();
        let token = self.admit_token(bot, integration, label, &clear).await?;
        Ok((token, clear))
    }

    /// Admits a token that the operator made up.
    pub async fn admit_token(
        &self,
        bot: BotId,
        integration: Option<IntegrationId>,
        label: &str,
        clear: &str,
    ) -> Result<Token> {
        let new = self.token_record(bot, integration, label, clear)?;
        let token = new.token.clone();
        self.store().create_token(new).await?;
        Ok(token)
    }

    /// Installs an integration, with the script that maps its threads if one does.
    pub async fn create_integration(
        &self,
        bot: BotId,
        install: Install<'_>,
        secret: Option<&str>,
        script: Option<&str>,
    ) -> Result<Integration> {
        let integration = self.integration_record(bot, install);
        if let Some(secret) = secret {
            self.check_account_is_free(&integration, secret).await?;
        }
        let secret = secret
            .map(|secret| self.vault().seal(self.env(), integration.id, secret))
            .transpose()?;
        self.store()
            .create_integration(NewIntegration {
                integration: integration.clone(),
                secret,
                script: script.map(ToOwned::to_owned),
            })
            .await?;
        Ok(integration)
    }

    /// Gives an integration a new secret and makes it active.
    pub async fn activate_integration(
        &self,
        integration: &Integration,
        secret: &str,
    ) -> Result<Integration> {
        self.check_account_is_free(integration, secret).await?;
        let change = IntegrationChange {
            active: Some(true),
            secret: Some(self.vault().seal(self.env(), integration.id, secret)?),
            script: None,
        };
        self.store()
            .update_integration(integration.bot, integration.id, change, self.env().now())
            .await?
            .ok_or_else(|| Error::not_found(switchboard_model::Kind::Integration, integration.id))
    }

    /// Gives an integration another script and, if there is one, a new secret.
    pub async fn script_integration(
        &self,
        integration: &Integration,
        script: &str,
        secret: Option<&str>,
    ) -> Result<Integration> {
        let mut change = IntegrationChange {
            script: Some(script.to_owned()),
            ..IntegrationChange::default()
        };
        if let Some(secret) = secret {
            self.check_account_is_free(integration, secret).await?;
            change.active = Some(true);
            change.secret = Some(self.vault().seal(self.env(), integration.id, secret)?);
        }
        self.store()
            .update_integration(integration.bot, integration.id, change, self.env().now())
            .await?
            .ok_or_else(|| Error::not_found(switchboard_model::Kind::Integration, integration.id))
    }

    /// Takes an integration's script off: its channel maps its threads by itself then.
    pub async fn unscript_integration(&self, integration: &Integration) -> Result<Integration> {
        let change = IntegrationChange {
            script: Some(String::new()),
            ..IntegrationChange::default()
        };
        self.store()
            .update_integration(integration.bot, integration.id, change, self.env().now())
            .await?
            .ok_or_else(|| Error::not_found(switchboard_model::Kind::Integration, integration.id))
    }

    /// Two integrations of one account would take each other's updates, or each of them twice.
    async fn check_account_is_free(&self, integration: &Integration, secret: &str) -> Result<()> {
        for bot in self.store().list_bots().await? {
            for other in self.store().list_integrations(bot.id).await? {
                if other.id == integration.id || other.platform != integration.platform {
                    continue;
                }
                // A secret that does not open is no account that works.
                let held = self.integration_secret(other.id).await.ok().flatten();
                if held.is_some_and(|held| account(&held) == account(secret)) {
                    return Err(Error::AlreadyExists {
                        field: "token".to_owned(),
                        reason: format!(
                            "this account is plugged in already, as {} ({}) of {}; use another account",
                            other.alias, other.id, bot.id
                        ),
                    });
                }
            }
        }
        Ok(())
    }

    /// An integration's secret in clear.
    pub async fn integration_secret(&self, integration: IntegrationId) -> Result<Option<String>> {
        match self.store().integration_secret(integration).await? {
            Some(sealed) => self.vault().open(integration, &sealed).map(Some),
            None => Ok(None),
        }
    }

    fn integration_record(&self, bot: BotId, install: Install<'_>) -> Integration {
        let now = self.env().now();
        Integration {
            id: self.new_integration_id(),
            bot,
            alias: install.alias.to_owned(),
            platform: install.platform.to_owned(),
            webhook_id: self.random_text(),
            active: install.active,
            created_at: now,
            updated_at: now,
        }
    }

    pub(crate) fn token_record(
        &self,
        bot: BotId,
        integration: Option<IntegrationId>,
        label: &str,
        clear: &str,
    ) -> Result<NewToken> {
        if !is_strong(clear) {
            return Err(Error::invalid(
                "token",
                format!(
                    "expected at least {MIN_TOKEN_LEN} printable ASCII characters without spaces"
                ),
            ));
        }
        Ok(NewToken {
            hash: keys::token_hash(clear),
            token: Token {
                id: self.new_token_id(),
                bot,
                integration,
                label: label.to_owned(),
                hint: clear[clear.len() - 4..].to_owned(),
                created_at: self.env().now(),
                revoked_at: None,
            },
        })
    }

    pub(crate) fn random_token(&self) -> String {
        format!("sb_{}", self.random_text())
    }

    /// 32 characters of 192 random bits, safe in URLs.
    fn random_text(&self) -> String {
        const ALPHABET: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut bytes = [0; digest::SHA256_OUTPUT_LEN];
        self.env().fill(&mut bytes);
        bytes
            .iter()
            .map(|byte| char::from(ALPHABET[usize::from(byte & 63)]))
            .collect()
    }
}
