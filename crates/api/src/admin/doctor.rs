//! Looking for what is wrong, from inside the process that holds the database.

use async_trait::async_trait;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::{Admin, NoQuery};
use crate::query::Parameters;

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It works, and will not for ever.
    Warn,
    /// It does not work.
    Fail,
    /// It could not be looked at, or need not.
    Skip,
}

/// One check.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Check {
    /// What was looked at.
    pub name: String,
    /// How it went.
    pub status: Verdict,
    /// What was found.
    pub found: String,
    /// What it leads to; empty where nothing is wrong.
    pub leads_to: String,
    /// What to do; empty where nothing is wrong.
    pub fix: String,
}

/// What Telegram says of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Account {
    /// It is this account's.
    Known(String),
    /// It is nobody's; why, and what to do.
    Refused(String),
    /// Nobody could be asked; why.
    Unreachable(String),
}

/// Who looks. What it is depends on what this process was started with.
#[async_trait]
pub trait Doctor: Send + Sync + 'static {
    /// Makes the checks, each within a few seconds.
    async fn checks(&self) -> Vec<Check>;

    /// Asks Telegram whose a token is, within a few seconds.
    async fn telegram_account(&self, token: &str) -> Account;
}

#[derive(Serialize)]
pub(super) struct Checks {
    checks: Vec<Check>,
}

pub(super) async fn checks(
    State(admin): State<Admin>,
    Parameters(NoQuery {}): Parameters<NoQuery>,
) -> Json<Checks> {
    Json(Checks {
        checks: admin.doctor.checks().await,
    })
}
