//! What a server and a command that opens the database itself have in common.

use std::sync::Arc;

use secrecy::ExposeSecret;
use switchboard_channels::{telegram::Telegram, terminal::Terminal};
use switchboard_engine::access::BUILT_IN;
use switchboard_engine::{Engine, keys};
use switchboard_integration::Integration as _;
use switchboard_model::{BotId, Error, Integration, Kind};
use switchboard_store_sqlite::SqliteStore;

use crate::commands::Failure;
use crate::config::Config;
use crate::folder::DataFolder;

/// An open store and the bot that was there first.
pub(super) struct Core {
    pub(super) engine: Engine,
    pub(super) store: SqliteStore,
    pub(super) folder: DataFolder,
    pub(super) bot: BotId,
    pub(super) telegram: Integration,
    /// The token to show: a new bot's, or the preset one.
    pub(super) token: Option<String>,
    /// Whether the bot was made just now.
    pub(super) first: bool,
}

impl Core {
    pub(super) async fn open(config: &Config, folder: DataFolder) -> Result<Self, Failure> {
        let env = crate::system::environment();
        let vault = folder.vault(config, &env)?;
        if let Some(parent) = config.database.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let store = SqliteStore::open(&config.database)?;
        let engine = Engine::new(Arc::new(store.clone()), env, vault)
            .with_definitions([Telegram.definition(), Terminal.definition()]);
        // The folder's lock is the lease: whoever had something in flight is gone.
        engine.store().release_in_flight(engine.env().now()).await?;
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
            let new = engine.create_bot("first bot", &BUILT_IN, preset).await?;
            let telegram = telegram_of(&new.integrations)?;
            let (bot, token) = (new.bot.id, Some(new.token));
            return Ok(Self {
                engine,
                store,
                folder,
                bot,
                telegram,
                token,
                first: true,
            });
        };
        if let Some(preset) = preset {
            match engine.store().find_token(keys::token_hash(preset)).await? {
                None => {
                    engine.admit_token(bot.id, None, "preset", preset).await?;
                }
                Some(token) if token.revoked_at.is_some() || token.bot != bot.id => {
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
            first: false,
        })
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
