//! How a command reaches what is stored: through the running server if there is one, else by
//! opening the database itself.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use bytes::Bytes;
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use serde_json::Value;
use switchboard_api::admin::SECRET_HEADER;
use tower::ServiceExt;

use crate::backup::KEY;
use crate::commands::Failure;
use crate::config::Config;
use crate::folder::{Acquired, DataFolder, RunFile, glance};
use crate::lifecycle::{Local, Work};
use crate::printer::complain;

/// A way to local administration.
pub(crate) enum Client {
    /// Over HTTP, to the server that holds the data folder.
    Server {
        /// How to reach it.
        run: RunFile,
        /// The HTTP client.
        http: reqwest::Client,
    },
    /// In this process, which holds the data folder.
    Here(Box<Local>),
}

impl Client {
    /// Finds the running server, or opens the database and says so.
    pub(crate) async fn open(config: &Config, work: Work) -> Result<Self, Failure> {
        if work == Work::None && !config.data_dir.exists() {
            return Err(nothing_there(config));
        }
        let patience = tokio::time::Instant::now() + Duration::from_secs(5);
        loop {
            match DataFolder::acquire(&config.data_dir)? {
                Acquired::Held(_) if work == Work::None && !config.database.exists() => {
                    return Err(nothing_there(config));
                }
                Acquired::Held(folder) => {
                    if work == Work::None {
                        begun(config)?;
                    }
                    complain(&format!(
                        "note: no server runs on {}; this command has opened the database itself",
                        folder_name(config)
                    ));
                    return Ok(Self::Here(Box::new(
                        Local::open(config, folder, work).await?,
                    )));
                }
                Acquired::Busy => {}
            }
            if let Some(run) = DataFolder::read_run_file(&config.data_dir) {
                let http = reqwest::Client::builder()
                    .no_proxy()
                    // The server is on this machine: no certificate is ever looked at, and a bare
                    // machine has none.
                    .tls_certs_only([])
                    .timeout(Duration::from_mins(1))
                    .build()
                    .map_err(|error| Failure::Unreachable(error.to_string()))?;
                return Ok(Self::Server { run, http });
            }
            // A server that is starting or stopping holds the lock without a run file.
            if tokio::time::Instant::now() > patience {
                return Err(Failure::Unreachable(format!(
                    "another process holds {} and does not say how to reach it; \
                     wait until it has started or stopped, then try again",
                    config.data_dir.display()
                )));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Fails if the server does not even say that it is there, which takes it no time.
    pub(crate) async fn expect_sign_of_life(&self, limit: Duration) -> Result<(), Failure> {
        let Self::Server { run, http } = self else {
            return Ok(());
        };
        let asked = http.get(format!("{}/healthz", run.url)).timeout(limit);
        let Err(error) = asked.send().await else {
            return Ok(());
        };
        let found = if error.is_timeout() {
            format!("does not answer within {} s", limit.as_secs())
        } else {
            format!("does not answer: {}", error.without_url())
        };
        let pid = run.pid;
        Err(Failure::Unreachable(format!(
            "the server at {} (process {pid}) {found}; look at its log and at what the machine is busy \
             with. If it stays so, end it (kill {pid}, then kill -9 {pid}) and start it again: nothing \
             that was acknowledged is lost",
            run.url
        )))
    }

    /// Asks and reads the answer.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.call(Method::GET, path, None).await
    }

    /// Sends and reads the answer.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &Value,
    ) -> Result<T, Failure> {
        self.call(Method::POST, path, Some(body)).await
    }

    /// Sends bytes as they are and reads the answer.
    pub(crate) async fn post_bytes<T: DeserializeOwned>(
        &self,
        path: &str,
        body: Vec<u8>,
    ) -> Result<T, Failure> {
        self.send(Method::POST, path, body.into()).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<T, Failure> {
        let body = body.map(ToString::to_string).unwrap_or_default();
        self.send(method, path, body.into()).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<T, Failure> {
        let (status, bytes) = match self {
            Self::Server { run, http } => over_http(run, http, method, path, body).await?,
            Self::Here(local) => {
                in_process(local.router(), local.secret(), method, path, body).await?
            }
        };
        if !(200..300).contains(&status) {
            return Err(refusal(status, &bytes));
        }
        serde_json::from_slice(&bytes).map_err(|error| {
            Failure::Unreachable(format!(
                "the server's answer is not understood ({error}); are command and server of one version?"
            ))
        })
    }

    /// Finishes what this process has begun.
    pub(crate) async fn close(self) -> Result<(), Failure> {
        match self {
            Self::Server { .. } => Ok(()),
            Self::Here(local) => local.close().await,
        }
    }
}

/// Only the server and a chat begin something new: any other command would answer from an empty
/// database that it has just made, in a folder that was meant to be another.
fn nothing_there(config: &Config) -> Failure {
    Failure::Unreachable(format!(
        "there is no database in {}; go to the server's folder, name its data folder with --data-dir, \
         or start a server",
        folder_name(config)
    ))
}

/// Refuses a database or a key that was lost: neither is made anew by a command that looks.
fn begun(config: &Config) -> Result<(), Failure> {
    if !glance(&config.database)?.begun {
        return Err(Failure::Folder(format!(
            "{} is empty; restore a backup (switchboard restore), or start a server if none ever ran",
            config.database.display()
        )));
    }
    let key = config.data_dir.join(KEY);
    if config.encryption_key.is_none() && !key.exists() {
        return Err(Failure::Folder(format!(
            "{} is missing; bring it back from a backup, or start a server, which makes one where \
             nothing is sealed",
            key.display()
        )));
    }
    Ok(())
}

/// The data folder, so that it is clear which one is meant.
pub(crate) fn folder_name(config: &Config) -> String {
    let folder = std::path::absolute(&config.data_dir);
    folder
        .unwrap_or_else(|_| config.data_dir.clone())
        .display()
        .to_string()
}

async fn over_http(
    run: &RunFile,
    http: &reqwest::Client,
    method: Method,
    path: &str,
    body: Bytes,
) -> Result<(u16, Bytes), Failure> {
    let unreachable = |error: reqwest::Error| {
        Failure::Unreachable(format!(
            "the server at {} (process {}) does not answer: {error}",
            run.url, run.pid
        ))
    };
    let answer = http
        .request(method, format!("{}{path}", run.url))
        .header(SECRET_HEADER, &run.secret)
        .header("content-type", "application/json")
        .body(body)
        .send()
        .await
        .map_err(unreachable)?;
    let status = answer.status().as_u16();
    Ok((status, answer.bytes().await.map_err(unreachable)?))
}

async fn in_process(
    router: Router,
    secret: &str,
    method: Method,
    path: &str,
    body: Bytes,
) -> Result<(u16, Bytes), Failure> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(SECRET_HEADER, secret)
        .header("content-type", "application/json")
        .body(Body::from(body))
        .map_err(|error| Failure::Refused(format!("{path}: {error}")))?;
    let answer = match router.oneshot(request).await {
        Ok(answer) => answer,
        Err(never) => match never {},
    };
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await;
    Ok((
        status,
        body.map_err(|error| Failure::Refused(error.to_string()))?
            .to_bytes(),
    ))
}

fn refusal(status: u16, body: &[u8]) -> Failure {
    let message = serde_json::from_slice::<Value>(body)
        .ok()
        .and_then(|body| Some(body.get("message")?.as_str()?.to_owned()))
        .unwrap_or_else(|| {
            format!(
                "the server answered {status}: {}",
                String::from_utf8_lossy(body)
            )
        });
    match status {
        404 => Failure::NotFound(message),
        503 => Failure::Unreachable(message),
        _ => Failure::Refused(message),
    }
}

/// A path with a query, each value percent-encoded.
pub(crate) fn path(base: &str, query: &[(&str, Option<&str>)]) -> String {
    let mut pairs = reqwest::Url::parse("http://localhost").ok();
    let mut text = base.to_owned();
    if let Some(url) = &mut pairs {
        for (name, value) in query {
            if let Some(value) = value {
                url.query_pairs_mut().append_pair(name, value);
            }
        }
        if let Some(query) = url.query() {
            text.push('?');
            text.push_str(query);
        }
    }
    text
}
