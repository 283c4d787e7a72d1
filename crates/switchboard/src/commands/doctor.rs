//! `switchboard doctor`: what is wrong, what it leads to, what to do.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde::Deserialize;
use serde_json::json;
use switchboard_api::admin::{Check, Verdict};

use crate::client::Client;
use crate::commands::Failure;
use crate::config::Config;
use crate::doctor::{fail, outside};
use crate::lifecycle::Work;
use crate::printer::{Printer, printable};

/// How long a server may take to say that it is there.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Check every row and index of the database, however long it takes
    #[arg(long)]
    deep: bool,
}

#[derive(Deserialize)]
struct Answer {
    checks: Vec<Check>,
}

pub(super) async fn run(
    config: &Config,
    options: Options,
    printer: Printer,
) -> Result<ExitCode, Failure> {
    let (at, deep) = (config.clone(), options.deep);
    let looked = tokio::task::spawn_blocking(move || outside(&at, deep)).await;
    let mut checks = looked.map_err(|error| Failure::Refused(error.to_string()))?;
    if config.data_dir.is_dir() {
        match from_inside(config).await {
            Ok(found) => checks.extend(found),
            Err(failure) => checks.push(fail(
                "asking the server or the database",
                &failure.to_string(),
                "the rest could not be looked at",
                "do as the text says, then call doctor again",
            )),
        }
    }
    let failed = checks.iter().any(|check| check.status == Verdict::Fail);
    if printer.is_json() {
        printer.json(&json!({ "ok": !failed, "checks": checks }))?;
    } else {
        for check in &checks {
            show(check, printer)?;
        }
    }
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

async fn from_inside(config: &Config) -> Result<Vec<Check>, Failure> {
    let client = Client::open(config, Work::None).await?;
    client.expect_sign_of_life(SIGN_OF_LIFE).await?;
    let answer: Result<Answer, _> = client.get("/local/doctor").await;
    client.close().await?;
    Ok(answer?.checks)
}

fn show(check: &Check, printer: Printer) -> Result<(), Failure> {
    let word = match check.status {
        Verdict::Ok => "ok  ",
        Verdict::Warn => "WARN",
        Verdict::Fail => "FAIL",
        Verdict::Skip => "--  ",
    };
    printer.line(&printable(&format!(
        "{word}  {}: {}",
        check.name, check.found
    )))?;
    if !check.fix.is_empty() {
        printer.line(&printable(&format!("      leads to: {}", check.leads_to)))?;
        printer.line(&printable(&format!("      do: {}", check.fix)))?;
    }
    Ok(())
}
