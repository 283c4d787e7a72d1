//! A new token in the place of an old one, with a time in which both are taken.

use std::time::Duration;

use switchboard_model::{BotId, Error, Kind, Result, Token, TokenId};
use switchboard_store::RotateToken;

use crate::Engine;
use crate::access::PRESET;

/// The longest time in which both tokens are taken.
pub const LONGEST_OVERLAP: Duration = Duration::from_hours(24 * 366);

/// A token that took another's place.
#[derive(Debug, Clone)]
pub struct Rotated {
    /// The new one.
    pub token: Token,
    /// The new one in clear, given this once.
    pub secret: String,
    /// The old one, with the time of its end.
    pub old: Token,
}

impl Engine {
    /// Makes a token with the rights and the label of an old one, which ends after `overlap`. One that
    /// the settings preset is refused: once it had ended, no server would start with those.
    pub async fn rotate_token(
        &self,
        bot: BotId,
        id: TokenId,
        overlap: Duration,
    ) -> Result<Rotated> {
        if overlap > LONGEST_OVERLAP {
            return Err(Error::invalid(
                "overlap",
                format!(
                    "expected at most {} hours",
                    LONGEST_OVERLAP.as_secs() / 3600
                ),
            ));
        }
        let missing = || Error::not_found(Kind::Token, id);
        // What a token may do never changes, so this look cannot be overtaken.
        let tokens = self.store().list_tokens(bot).await?;
        let old = tokens.into_iter().find(|found| found.id == id);
        let old = old.ok_or_else(missing)?;
        if old.integration.is_none() && old.label == PRESET {
            return Err(Error::invalid(
                "id",
                format!(
                    "{id} comes from the setting token (SWITCHBOARD_TOKEN), and a server does not \
                     start with one that has ended; preset another token there, start the server \
                     with it, then revoke this one"
                ),
            ));
        }
        let secret = self.random_token();
        let new = self.token_record(bot, old.integration, &old.label, &secret)?;
        let token = new.token.clone();
        let now = self.env().now();
        let command = RotateToken {
            bot,
            id,
            new,
            ends: now.plus(overlap),
            now,
        };
        let old = self.store().rotate_token(command).await?;
        Ok(Rotated {
            token,
            secret,
            old: old.ok_or_else(missing)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use switchboard_store_sqlite::SqliteStore;

    use super::*;
    use crate::access::BUILT_IN;
    use crate::{Credentials, Vault};

    #[tokio::test(flavor = "multi_thread")]
    async fn both_tokens_are_taken_until_the_overlap_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("db")).unwrap();
        let (env, clock) = switchboard_model::testing::environment(1);
        let engine = Engine::new(Arc::new(store), env, Vault::new(&[0; 32]).unwrap());
        let bot = engine.create_bot("one", &BUILT_IN, None).await.unwrap();
        let telegram = bot.integrations[0].id;
        let (only, clear) = engine
            .create_token(bot.bot.id, Some(telegram), "for telegram")
            .await
            .unwrap();
        let rotated = engine
            .rotate_token(bot.bot.id, only.id, Duration::from_mins(1))
            .await
            .unwrap();
        assert_eq!(rotated.token.integration, Some(telegram));
        assert_eq!(rotated.token.label, "for telegram");
        let (bot_id, own) = (bot.bot.id.to_string(), telegram.to_string());
        let enter = async |token: &str, integration: Option<&str>| {
            let credentials = Credentials {
                token: Some(token),
                bot: Some(&bot_id),
                integration,
                alias: None,
            };
            engine.authenticate(credentials).await.map(|_| ())
        };
        for token in [&clear, &rotated.secret] {
            assert_eq!(enter(token, Some(&own)).await, Ok(()));
            let more = enter(token, None).await;
            assert!(matches!(more, Err(Error::Forbidden { .. })), "{more:?}");
        }
        let preset = "p".repeat(40);
        let preset = engine.admit_token(bot.bot.id, None, PRESET, &preset).await;
        let preset = preset.unwrap();
        let refused = engine
            .rotate_token(bot.bot.id, preset.id, Duration::ZERO)
            .await
            .unwrap_err();
        assert!(refused.to_string().contains("preset another"), "{refused}");
        clock.advance(Duration::from_mins(1));
        let ended = enter(&clear, Some(&own)).await;
        assert!(
            matches!(ended, Err(Error::Unauthorized { .. })),
            "{ended:?}"
        );
        assert_eq!(enter(&rotated.secret, Some(&own)).await, Ok(()));
        let again = engine
            .rotate_token(bot.bot.id, only.id, Duration::ZERO)
            .await;
        assert!(
            matches!(again, Err(Error::InvalidPayload { .. })),
            "{again:?}"
        );
    }
}
