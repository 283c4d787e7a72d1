//! Who calls: a bot, or an integration of a bot.

use switchboard_model::{BotId, Error, Integration, IntegrationId, Result};

use crate::{Engine, View, keys};

/// A checked caller. Whatever it asks for is looked up within its bot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The bot.
    pub bot: BotId,
    /// The integration it acts as; the bot itself without.
    pub integration: Option<Integration>,
}

impl Caller {
    /// Through whose eyes it sees tags.
    pub fn view(&self) -> View {
        match &self.integration {
            Some(integration) => View::integration(&integration.alias),
            None => View::Bot,
        }
    }

    /// The id of the integration it acts as.
    pub fn integration_id(&self) -> Option<IntegrationId> {
        self.integration.as_ref().map(|integration| integration.id)
    }
}

/// What a request says about its caller.
#[derive(Debug, Clone, Copy, Default)]
pub struct Credentials<'a> {
    /// The bearer token.
    pub token: Option<&'a str>,
    /// `x-bot-id`.
    pub bot: Option<&'a str>,
    /// `x-integration-id`.
    pub integration: Option<&'a str>,
    /// `x-integration-alias`.
    pub alias: Option<&'a str>,
}

impl Engine {
    /// Finds out who calls. A missing, unknown or revoked token is `Unauthorized`; a token of
    /// another bot or integration is `Forbidden`, with the same words whether that exists or not.
    pub async fn authenticate(&self, credentials: Credentials<'_>) -> Result<Caller> {
        let unauthorized = |reason: &str| Error::Unauthorized {
            reason: reason.to_owned(),
        };
        let token = credentials.token.ok_or_else(|| {
            unauthorized("no token given; send the header `Authorization: Bearer <token>`")
        })?;
        let token = self
            .store()
            .find_token(keys::token_hash(token))
            .await?
            .filter(|token| !token.has_ended(self.env().now()))
            .ok_or_else(|| unauthorized("this token is unknown or revoked; create another"))?;

        let forbidden = |header: &str| Error::Forbidden {
            reason: format!("this token may not act as the one that {header} names"),
        };
        let bot = credentials.bot.ok_or_else(|| Error::InvalidPayload {
            field: "x-bot-id".to_owned(),
            expected: "expected the header x-bot-id with the bot's id".to_owned(),
        })?;
        if bot.parse() != Ok(token.bot) {
            return Err(forbidden("x-bot-id"));
        }
        let integration = match credentials.integration.filter(|id| !id.is_empty()) {
            None => None,
            Some(id) => {
                let id = id.parse().map_err(|_| forbidden("x-integration-id"))?;
                let integration = self.store().get_integration(token.bot, id).await?;
                Some(integration.ok_or_else(|| forbidden("x-integration-id"))?)
            }
        };
        if let (Some(integration), Some(alias)) = (&integration, credentials.alias)
            && integration.alias != alias
        {
            return Err(forbidden("x-integration-alias"));
        }
        if let Some(own) = token.integration {
            let named = integration.as_ref().ok_or_else(|| Error::Forbidden {
                reason: "this token is for one integration; send the header x-integration-id with \
                         its id"
                    .to_owned(),
            })?;
            if named.id != own {
                return Err(forbidden("x-integration-id"));
            }
        }
        Ok(Caller {
            bot: token.bot,
            integration,
        })
    }
}
