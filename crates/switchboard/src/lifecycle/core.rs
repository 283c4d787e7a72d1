//! What a server and a command that opens the database itself have in common.

use std::sync::Arc;

use secrecy::ExposeSecret;
use switchboard_channels::{telegram::Telegram, terminal::Terminal};
use switchboard_engine::access::{BUILT_IN, PRESET};
use switchboard_engine::{Engine, keys};
use switchboard_integration::Integration as _;
use switchboard_model::{BotId, Error, Integration, Kind};
use switchboard_store_sqlite::SqliteStore;

use crate::commands::Failure;
use crate::config::Config;
use crate::folder::{DataFolder, unusable};

/// An open store and the bot that was there first.
pub(super) struct Core {
    pub(super) engine: Engine,
    pub(super) store: SqliteStore,
    pub(super) folder: DataFolder,
    pub(super) bot: BotId,
    pub(super) telegram: Integration,
    /// The token to show: the first one, made just now, or the preset one.
    pub(super) token: Option<String>,
}

impl Core {
    pub(super) async fn open(config: &Config, mut folder: DataFolder) -> Result<Self, Failure> {
        let env = crate::system::environment();
        let vault = folder.vault(config, &env)?;
        folder.hold_database(&config.database)?;
        let store = SqliteStore::open(&config.database)
            .map_err(|error| unusable(&config.database, error))?;
        let engine = Engine::new(Arc::new(store.clone()), env, vault)
            .with_definitions([Telegram.definition(), Terminal.definition()]);
        let core = Self::first_bot(engine, store, folder, config).await?;
        core.plug_in_telegram(config).await
    }

    async fn first_bot(
        engine: Engine,
        store: SqliteStore,
        folder: DataFolder,
        config: &Config,
    ) -> Result<Self, Failure> {
        let preset = config.token.as_ref().map(ExposeSecret::expose_secret);
        let Some(bot) = engine.store().list_bots().await?.into_iter().next() else {
            let (bot, integrations) = engine
                .create_bot_without_token("first bot", &BUILT_IN)
                .await?;
            let telegram = telegram_of(&integrations)?;
            if let Some(preset) = preset {
                engine.admit_token(bot.id, None, PRESET, preset).await?;
            }
            let (bot, token) = (bot.id, preset.map(ToOwned::to_owned));
            return Ok(Self {
                engine,
                store,
                folder,
                bot,
                telegram,
                token,
            });
        };
        if let Some(preset) = preset {
            match engine.store().find_token(keys::token_hash(preset)).await? {
                None => {
                    engine.admit_token(bot.id, None, PRESET, preset).await?;
                }
                Some(token) if token.has_ended(engine.env().now()) || token.bot != bot.id => {
                    return Err(Failure::Config(
                        "token (SWITCHBOARD_TOKEN): this token was revoked or is another bot's; preset another"
                            .to_owned(),
                    ));
                }
                Some(_) => {}
            }
        }
        let telegram = telegram_of(&engine.store().list_integrations(bot.id).await?)?;
        let token = preset.map(ToOwned::to_owned);
        Ok(Self {
            engine,
            store,
            folder,
            bot: bot.id,
            telegram,
            token,
        })
    }

    /// Makes the first token, if the bot has none: for a server, which shows it to whoever started
    /// it. A command that opened the database must not be the only one to have seen it.
    pub(super) async fn first_token(&mut self) -> Result<(), Failure> {
        if self.engine.store().list_tokens(self.bot).await?.is_empty() {
            let (_, token) = self
                .engine
                .create_token(self.bot, None, "first token")
                .await?;
            self.token = Some(token);
        }
        Ok(())
    }

    /// Keeps the configured Telegram token, if it is not the one that is kept.
    async fn plug_in_telegram(mut self, config: &Config) -> Result<Self, Failure> {
        let Some(token) = &config.telegram_token else {
            return Ok(self);
        };
        // A secret that does not open any more is replaced by the one that is given.
        let kept = self
            .engine
            .integration_secret(self.telegram.id)
            .await
            .ok()
            .flatten();
        if kept.as_deref() != Some(token.expose_secret()) || !self.telegram.active {
            self.telegram = self
                .engine
                .activate_integration(&self.telegram, token.expose_secret())
                .await?;
        }
        Ok(self)
    }
}

fn telegram_of(integrations: &[Integration]) -> Result<Integration, Error> {
    let mut telegrams = integrations
        .iter()
        .filter(|found| found.platform == "telegram");
    telegrams
        .next()
        .cloned()
        .ok_or_else(|| Error::not_found(Kind::Integration, "telegram"))
}
