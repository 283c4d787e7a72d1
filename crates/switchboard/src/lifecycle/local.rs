//! A command that has opened the database itself: the same administration, without a listener.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use switchboard_api::admin::{self, Admin, Channels};
use switchboard_engine::Engine;
use switchboard_model::{Integration, Result};

use super::core::Core;
use super::explain::Explainer;
use super::faq::FaqFile;
use super::server::reachable;
use super::supervisor::{Inlets, Supervisor};
use super::watch::watch;
use crate::commands::Failure;
use crate::config::Config;
use crate::doctor::Inside;
use crate::folder::DataFolder;

/// Which workers a command needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// None: it looks, or writes something for the next start.
    None,
    /// The bot's and the terminal's.
    Terminal,
}

/// Local administration in this process.
pub(crate) struct Local {
    router: Router,
    supervisor: Option<Arc<Supervisor>>,
    engine: Engine,
    /// Held until the store is closed.
    folder: DataFolder,
}

/// Channels are started by the next server.
struct NoChannels;

#[async_trait]
impl Channels for NoChannels {
    async fn reload(&self, _integration: Integration) -> Result<()> {
        Ok(())
    }
}

/// Where the next server will be.
fn address(listen: &str) -> String {
    let address = listen.parse::<SocketAddr>();
    address.map_or_else(|_| format!("http://{listen}"), reachable)
}

/// The caller is this process itself.
const SECRET: &str = "in-process";

impl Local {
    pub(crate) async fn open(
        config: &Config,
        folder: DataFolder,
        work: Work,
    ) -> Result<Self, Failure> {
        let env = crate::system::environment();
        let faq = match &config.faq {
            Some(file) if work == Work::Terminal => Some(FaqFile::open(file, &env)?),
            _ => None,
        };
        let begun = env.now();
        let core = Core::open(config, folder).await?;
        let mut supervisor = None;
        let mut channels: Arc<dyn Channels> = Arc::new(NoChannels);
        let inlets = Inlets {
            own_url: address(&config.listen),
            ..Inlets::default()
        };
        let started = Arc::new(Supervisor::new(
            core.engine.clone(),
            config.clone(),
            inlets,
            watch().0,
            faq,
            begun,
        ));
        let replay = started.clone();
        if work == Work::Terminal {
            started.start_bots().await?;
            started
                .start_channels(|integration| integration.platform == "terminal")
                .await?;
            channels = started.clone();
            supervisor = Some(started);
        }
        let admin = Admin {
            doctor: Arc::new(Inside {
                engine: core.engine.clone(),
                config: config.clone(),
                serves: false,
            }),
            explain: Arc::new(Explainer(core.engine.clone())),
            engine: core.engine.clone(),
            channels,
            replay,
            secret: SECRET.into(),
            limits: config.limits(),
        };
        Ok(Self {
            router: admin::router(admin),
            supervisor,
            engine: core.engine,
            folder: core.folder,
        })
    }

    pub(crate) fn router(&self) -> Router {
        self.router.clone()
    }

    #[allow(clippy::unused_self)] // The secret belongs to this value's router.
    pub(crate) fn secret(&self) -> &'static str {
        SECRET
    }

    /// Finishes what is in flight and closes the store.
    pub(crate) async fn close(self) -> Result<(), Failure> {
        if let Some(supervisor) = &self.supervisor {
            supervisor.stop().await;
        }
        self.engine.store().close().await?;
        drop(self.folder);
        Ok(())
    }
}
