//! The workers of bots and channels: started, started anew when their integration changes, stopped.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use switchboard_api::admin::Channels;
use switchboard_api::{ActionRegistry, FileSources, Webhooks};
use switchboard_bots::{Bot, Echo, HttpBot};
use switchboard_channels::telegram::{self, Account, AccountConfig, Pacing, Timing};
use switchboard_channels::terminal::Terminal;
use switchboard_delivery::{Policy, UncertainPolicy, Worker};
use switchboard_engine::{Condition, Engine};
use switchboard_integration::{Outbound, Replay, Replayed};
use switchboard_model::{Error, EventId, Integration, IntegrationId, Result, Timestamp};
use switchboard_script::{Limits, Script};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::faq::FaqFile;
use super::watch::Watch;
use crate::config::{Config, Pace, UncertainSends};

/// How long workers may take to finish what is in flight when they are told to stop.
/// More than they give themselves, so that they get to write down what they broke off.
const GRACE: Duration = Duration::from_secs(15);

/// Starts and stops workers.
pub(super) struct Supervisor {
    engine: Engine,
    config: Config,
    inlets: Inlets,
    watch: Watch,
    faq: Option<FaqFile>,
    shutdown: CancellationToken,
    bots: Mutex<Option<JoinHandle<()>>>,
    channels: Mutex<HashMap<IntegrationId, Running>>,
    /// When the process began.
    begun: Timestamp,
    /// The integrations that were started since.
    met: Mutex<HashSet<IntegrationId>>,
}

/// Where the HTTP server finds the bot and the channels, and its own address.
#[derive(Clone, Default)]
pub(super) struct Inlets {
    pub(super) webhooks: Webhooks,
    pub(super) files: FileSources,
    pub(super) actions: ActionRegistry,
    pub(super) own_url: String,
}

/// The tasks of one channel.
struct Running {
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Running {
    async fn stop(self) {
        self.stop.cancel();
        for task in self.tasks {
            join(task).await;
        }
    }
}

async fn join(task: JoinHandle<()>) {
    let abort = task.abort_handle();
    if tokio::time::timeout(GRACE, task).await.is_err() {
        abort.abort();
    }
}

impl Supervisor {
    pub(super) fn new(
        engine: Engine,
        config: Config,
        inlets: Inlets,
        watch: Watch,
        faq: Option<FaqFile>,
        begun: Timestamp,
    ) -> Self {
        Self {
            engine,
            config,
            inlets,
            watch,
            faq,
            shutdown: CancellationToken::new(),
            bots: Mutex::default(),
            channels: Mutex::default(),
            begun,
            met: Mutex::default(),
        }
    }

    /// Starts the bots' worker, before any other.
    pub(super) async fn start_bots(&self) -> Result<()> {
        // The folder's lock is the lease: whoever had something in flight is gone. Only here, and not
        // for a command that merely looks: what becomes of it is for the server's settings to say.
        let (now, lost) = (self.engine.env().now(), self.uncertain().into());
        self.engine.store().release_in_flight(now, lost).await?;
        let bot: Arc<dyn Bot> = match (&self.faq, &self.config.bot_url) {
            (Some(faq), _) => {
                let stop = self.shutdown.child_token();
                self.watch.spawn(
                    "following the FAQ bot's file",
                    &stop,
                    faq.clone().follow(stop.clone()),
                );
                faq.bot.clone()
            }
            (None, Some(url)) => {
                let bot = HttpBot::new(url.as_str(), self.config.bot_timeout)
                    .map_err(|error| Error::invalid("bot_url", error.to_string()))?;
                let bot = Arc::new(bot);
                self.inlets.actions.set_bots(bot.clone());
                bot
            }
            (None, None) => Arc::new(Echo),
        };
        let worker = Worker::to_bots(
            self.engine.clone(),
            bot,
            self.policy(Policy::bots().with_time_limit(self.config.bot_timeout)),
        );
        let stop = self.shutdown.child_token();
        let task = self
            .watch
            .spawn("the bots' worker", &stop, worker.run(stop.clone()));
        *self.bots.lock().await = Some(task);
        Ok(())
    }

    /// Starts the channels of all bots for which `wanted` holds.
    pub(super) async fn start_channels(&self, wanted: fn(&Integration) -> bool) -> Result<()> {
        for bot in self.engine.store().list_bots().await? {
            for integration in self.engine.store().list_integrations(bot.id).await? {
                if wanted(&integration) {
                    self.reload(integration).await?;
                }
            }
        }
        Ok(())
    }

    /// Tells all workers to stop and waits for what is in flight.
    pub(super) async fn stop(&self) {
        self.shutdown.cancel();
        let running: Vec<_> = self
            .channels
            .lock()
            .await
            .drain()
            .map(|(_, running)| running)
            .collect();
        for running in running {
            running.stop().await;
        }
        if let Some(task) = self.bots.lock().await.take() {
            join(task).await;
        }
    }

    fn policy(&self, mut policy: Policy) -> Policy {
        policy.patience = self.config.retry_for;
        policy.uncertain = self.uncertain();
        policy
    }

    fn uncertain(&self) -> UncertainPolicy {
        match self.config.uncertain_sends {
            UncertainSends::Retry => UncertainPolicy::Retry,
            UncertainSends::AtMostOnce => UncertainPolicy::AtMostOnce,
        }
    }

    async fn start(&self, integration: &Integration) -> Result<Option<Running>> {
        let stop = self.shutdown.child_token();
        let mut tasks = Vec::new();
        let outbound: Arc<dyn Outbound> = match integration.platform.as_str() {
            "terminal" => Arc::new(Terminal),
            "telegram" => {
                let pacing = self.pacing(integration).await;
                let Some(account) = self.telegram(integration, pacing).await? else {
                    return Ok(None);
                };
                self.inlets
                    .webhooks
                    .insert(&integration.webhook_id, account.clone());
                self.inlets.files.insert(integration.id, account.clone());
                self.inlets.actions.insert(integration.id, account.clone());
                let (account, outbound) = (account.clone(), account);
                let name = format!("receiving for {}", integration.id);
                tasks.push(match self.config.public_url.clone() {
                    Some(url) => {
                        let run = account.run_webhook(url.to_string(), stop.clone());
                        self.watch.spawn(name, &stop, run)
                    }
                    None => self
                        .watch
                        .spawn(name, &stop, account.run_polling(stop.clone())),
                });
                outbound
            }
            _ => return Ok(None),
        };
        let worker = Worker::to_channel(
            self.engine.clone(),
            integration.id,
            outbound,
            self.policy(Policy::channel()),
        );
        let name = format!("sending for {}", integration.id);
        tasks.push(self.watch.spawn(name, &stop, worker.run(stop.clone())));
        Ok(Some(Running { stop, tasks }))
    }

    /// How an account that is started keeps to Telegram's limits. Of one that is older than this
    /// process, or is started anew, somebody else may have sent for the bot until now.
    async fn pacing(&self, integration: &Integration) -> Pacing {
        let is_new = self.met.lock().await.insert(integration.id);
        match self.config.telegram_pace {
            Pace::Off => Pacing::Off,
            Pace::On if is_new && integration.created_at >= self.begun => Pacing::Fresh,
            Pace::On => Pacing::Following,
        }
    }

    /// The Telegram account of an integration, if it has a token that opens.
    async fn telegram(
        &self,
        integration: &Integration,
        pacing: Pacing,
    ) -> Result<Option<Arc<Account>>> {
        let token = match self.engine.integration_secret(integration.id).await {
            Ok(Some(token)) => token,
            Ok(None) => return Ok(None),
            Err(error) => {
                tracing::error!(integration = %integration.id, %error, "channel not started");
                self.engine
                    .health()
                    .set(integration.id, Condition::Troubled(error.to_string()));
                return Ok(None);
            }
        };
        // Without its script an account would make conversations that the script never made.
        let script = match self.script(integration).await {
            Ok(script) => script,
            Err(error) => {
                tracing::error!(integration = %integration.id, %error, "channel not started");
                self.engine
                    .health()
                    .set(integration.id, Condition::Troubled(error.to_string()));
                return Ok(None);
            }
        };
        let account = Account::new(AccountConfig {
            engine: self.engine.clone(),
            integration: integration.clone(),
            token: token.into(),
            api_url: self.config.telegram_api_url.to_string(),
            own_url: self
                .config
                .public_url
                .as_ref()
                .map_or_else(|| self.inlets.own_url.clone(), ToString::to_string),
            timing: Timing::default(),
            script,
            pacing,
        })?;
        Ok(Some(Arc::new(account)))
    }

    /// The script that maps an integration's threads, if one does.
    async fn script(&self, integration: &Integration) -> Result<Option<Script>> {
        let (store, bot) = (self.engine.store(), integration.bot);
        match store.integration_script(bot, integration.id).await? {
            Some(source) => Ok(Some(Script::load(&source, Limits::default()).await?)),
            None => Ok(None),
        }
    }
}

#[async_trait]
impl Channels for Supervisor {
    async fn reload(&self, integration: Integration) -> Result<()> {
        // Held throughout, so that two reloads of one integration cannot both start it.
        let mut channels = self.channels.lock().await;
        if let Some(running) = channels.remove(&integration.id) {
            self.inlets.webhooks.remove(&integration.webhook_id);
            self.inlets.files.remove(integration.id);
            self.inlets.actions.remove(integration.id);
            running.stop().await;
        }
        self.engine.health().clear(integration.id);
        if !integration.active || self.shutdown.is_cancelled() {
            return Ok(());
        }
        if let Some(running) = self.start(&integration).await? {
            channels.insert(integration.id, running);
        }
        Ok(())
    }
}

#[async_trait]
impl Replay for Supervisor {
    /// By an account of its own, which has the script as it is now, also where none runs.
    async fn replay(
        &self,
        integration: &Integration,
        event: EventId,
        out_of_turn: bool,
    ) -> Result<Replayed> {
        let no_account = || {
            let expected = "expected one of Telegram's with a token and a script that work; see \
                            `switchboard integrations list`";
            Error::invalid("integration", expected)
        };
        if integration.platform != telegram::PLATFORM {
            return Err(no_account());
        }
        // It sends nothing.
        let account = self.telegram(integration, Pacing::Off).await?;
        let account = account.ok_or_else(no_account)?;
        account.replay(event, out_of_turn).await
    }
}
