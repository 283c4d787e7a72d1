//! The running server.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use switchboard_api::admin::{self, Admin};
use switchboard_api::{Api, Readiness};
use switchboard_engine::Engine;
use switchboard_engine::keys::hex;
use switchboard_model::{BotId, IntegrationId};
use switchboard_store_sqlite::SqliteStore;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Interrupts;
use super::core::Core;
use super::explain::Explainer;
use super::faq::FaqFile;
use super::supervisor::{Inlets, Supervisor};
use super::watch::{Ended, watch};
use crate::commands::Failure;
use crate::config::Config;
use crate::doctor::Inside;
use crate::folder::{DataFolder, RunFile};

/// How long open requests may take to finish when the server stops.
const GRACE: Duration = Duration::from_secs(10);
/// How often rows that nobody can see any more are removed, and bots told of states whose time is
/// over. With nothing to do it is one read.
const SWEEP_EVERY: Duration = Duration::from_secs(2);
/// How long to leave a store alone that could not sweep.
const SWEEP_AGAIN: Duration = Duration::from_mins(1);

/// What to tell whoever started the server.
pub(crate) struct Started {
    pub(crate) url: String,
    pub(crate) bot: BotId,
    pub(crate) telegram: IntegrationId,
    pub(crate) token: Option<String>,
    /// Whether the token is the one that was preset.
    pub(crate) preset: bool,
    /// Whether Telegram is plugged in.
    pub(crate) telegram_active: bool,
    /// Who answers; the built-in echo bot without.
    pub(crate) bot_url: Option<String>,
}

/// A server that accepts requests.
pub(crate) struct Server {
    engine: Engine,
    store: SqliteStore,
    folder: DataFolder,
    started: Started,
    supervisor: Arc<Supervisor>,
    readiness: Readiness,
    http: JoinHandle<()>,
    sweeper: JoinHandle<()>,
    ended: Ended,
    stop_http: CancellationToken,
}

impl Server {
    pub(crate) async fn start(config: Config, folder: DataFolder) -> Result<Self, Failure> {
        // Bound first: an address in use must not cost a start of everything else.
        let listener = listen(&config.listen).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let env = crate::system::environment();
        let faq = config
            .faq
            .as_deref()
            .map(|file| FaqFile::open(file, &env))
            .transpose()?;
        if faq.is_some() {
            FaqFile::expect_hangups();
        }
        let begun = env.now();
        let mut core = Core::open(&config, folder).await?;
        let preset = core.token.is_some();
        core.first_token().await?;

        let bot_url = match &config.faq {
            Some(file) => Some(format!("the FAQ bot of {}", file.display())),
            None => config.bot_url.as_ref().map(crate::config::shown_url),
        };
        let (watch, ended) = watch();
        let inlets = Inlets {
            own_url: reachable(listener.local_addr()?),
            ..Inlets::default()
        };
        let doctor = Arc::new(Inside {
            engine: core.engine.clone(),
            config: config.clone(),
            serves: true,
        });
        let limits = config.limits();
        let supervisor = Arc::new(Supervisor::new(
            core.engine.clone(),
            config,
            inlets.clone(),
            watch.clone(),
            faq,
            begun,
        ));
        let readiness = Readiness::default();
        let explain = Arc::new(Explainer(core.engine.clone()));
        let api = Api {
            engine: core.engine.clone(),
            explain: explain.clone(),
            webhooks: inlets.webhooks,
            files: inlets.files,
            actions: inlets.actions,
            readiness: readiness.clone(),
            limits,
        };
        let secret = run_secret(&core.engine);
        let admin = Admin {
            engine: core.engine.clone(),
            channels: supervisor.clone(),
            replay: supervisor.clone(),
            explain,
            doctor,
            secret: secret.as_str().into(),
            limits,
        };
        let stop_http = CancellationToken::new();
        let router = switchboard_api::router(api).merge(admin::router(admin));
        let http = watch.spawn(
            "the HTTP server",
            &stop_http,
            switchboard_api::serve(listener, router, env, limits, stop_http.clone()),
        );

        supervisor.start_bots().await?;
        supervisor.start_channels(|_| true).await?;
        let sweeper = watch.spawn("the sweep", &stop_http, sweep(core.engine.clone()));
        core.folder.write_run_file(&RunFile {
            url: url.clone(),
            secret,
            pid: std::process::id(),
        })?;
        readiness.set(true);
        tracing::info!(%url, bot = %core.bot, "ready");
        Ok(Self {
            started: Started {
                url,
                bot: core.bot,
                telegram: core.telegram.id,
                token: core.token,
                preset,
                telegram_active: core.telegram.active,
                bot_url,
            },
            engine: core.engine,
            store: core.store,
            folder: core.folder,
            supervisor,
            readiness,
            http,
            sweeper,
            ended,
            stop_http,
        })
    }

    pub(crate) fn started(&self) -> &Started {
        &self.started
    }

    /// Serves until a signal, then stops gracefully. A second signal does not wait.
    pub(crate) async fn run(mut self, mut interrupts: Interrupts) -> Result<ExitCode, Failure> {
        let broken = tokio::select! {
            () = interrupts.next() => None,
            task = self.ended.next() => Some(format!(
                "{task} (see the log): a defect; start again, nothing that was acknowledged is lost"
            )),
            () = self.store.poisoned() => Some(
                "the outcome of a write is unknown (see the log); check the disk, then start again: \
                 the database on disk decides"
                    .to_owned(),
            ),
        };
        tokio::select! {
            stopped = self.stop() => stopped?,
            () = interrupts.next() => {
                tracing::warn!("stopped at once; what was in flight goes on at the next start");
                return Ok(ExitCode::FAILURE);
            }
        }
        match broken {
            None => Ok(ExitCode::SUCCESS),
            Some(reason) => Err(Failure::Folder(reason)),
        }
    }

    async fn stop(self) -> Result<(), Failure> {
        tracing::info!("stopping: finishing what is in flight");
        self.readiness.set(false);
        self.folder.remove_run_file();
        self.stop_http.cancel();
        self.sweeper.abort();
        let abort = self.http.abort_handle();
        let (http, ()) = tokio::join!(
            tokio::time::timeout(GRACE, self.http),
            self.supervisor.stop()
        );
        if http.is_err() {
            abort.abort();
        }
        self.engine.store().close().await?;
        tracing::info!("stopped");
        Ok(())
    }
}

async fn listen(address: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure::Unreachable(format!(
            "cannot listen on {address}: {error}; choose another address with --listen"
        ))
    })
}

/// The address of this server for programs on this machine: all addresses at once are none to go
/// to.
pub(super) fn reachable(mut address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    format!("http://{address}")
}

/// A secret for `run.json`.
fn run_secret(engine: &Engine) -> String {
    let mut bytes = [0; 32];
    engine.env().fill(&mut bytes);
    hex(&bytes)
}

/// Removes what is over, and gets ready the lists that are made while there is time.
async fn step(engine: &Engine) -> switchboard_model::Result<usize> {
    let removed = engine.store().sweep(engine.env().now()).await?;
    Ok(removed + engine.store().gather_tag_values().await?)
}

async fn sweep(engine: Engine) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        loop {
            match step(&engine).await {
                Ok(0) => break,
                // Small steps, so that a big clean-up does not hold up the writes of others.
                Ok(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                Err(error) => {
                    tracing::warn!(%error, "sweeping failed; it is tried again later");
                    tokio::time::sleep(SWEEP_AGAIN).await;
                    break;
                }
            }
        }
    }
}
