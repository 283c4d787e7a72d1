//! `switchboard integrations unmapped` and `replay`: what waits for a script to be mended.

use serde_json::{Value, json};

use crate::client::{Client, path};
use crate::commands::Failure;
use crate::commands::tokens::segment;
use crate::printer::{Printer, complain, rows, text};

/// What waits, all of it.
pub(super) async fn list(client: &Client, name: &str, bot: Option<&str>) -> Result<Value, Failure> {
    let base = format!("/local/integrations/{}/unmapped", segment(name));
    let mut all = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let query = [("bot", bot), ("after", after.as_deref())];
        let mut page: Value = client.get(&path(&base, &query)).await?;
        all.append(page["unmapped"].as_array_mut().unwrap_or(&mut Vec::new()));
        after = page["next"].as_str().map(ToOwned::to_owned);
        if after.is_none() {
            return Ok(json!({ "unmapped": all, "waiting": page["waiting"] }));
        }
    }
}

/// Takes what waits, or one of it; tells of each what became of it.
pub(super) async fn replay(
    client: &Client,
    name: &str,
    event: Option<&str>,
    bot: Option<&str>,
) -> Result<Value, Failure> {
    let base = format!("/local/integrations/{}/replay", segment(name));
    let base = path(&base, &[("bot", bot)]);
    let mut all = Vec::new();
    let mut after = Value::Null;
    loop {
        let body = json!({ "event": event, "after": after });
        let mut page: Value = client.post(&base, &body).await?;
        all.append(page["replayed"].as_array_mut().unwrap_or(&mut Vec::new()));
        after = page["next"].take();
        if after.is_null() {
            return Ok(json!({ "replayed": all, "waiting": page["waiting"] }));
        }
        complain(&format!("{} so far", all.len()));
    }
}

/// Whether nothing of what was asked for waits on.
pub(super) fn is_done(answer: &Value) -> bool {
    let mut all = rows(answer, "replayed");
    !all.any(|one| matches!(one["outcome"].as_str(), Some("failed" | "behind")))
}

pub(super) fn tell_list(answer: &Value, printer: Printer) -> Result<(), Failure> {
    printer.table(
        &["EVENT", "THREAD", "CAME", "REASON"],
        rows(answer, "unmapped").map(|found| {
            let shown = ["event", "thread", "created_at", "reason"];
            shown.map(|field| text(found, field)).into()
        }),
    )?;
    Ok(())
}

pub(super) fn tell_replay(answer: &Value, printer: Printer) -> Result<(), Failure> {
    printer.table(
        &["EVENT", "WHAT BECAME OF IT"],
        rows(answer, "replayed").map(|one| vec![text(one, "unmapped"), became(one)]),
    )?;
    printer.line(&format!("{} wait still.", answer["waiting"]))?;
    Ok(())
}

fn became(one: &Value) -> String {
    let field = |name| text(one, name);
    match one["outcome"].as_str() {
        Some("message") => format!("{} in {}", field("message"), field("conversation")),
        Some("event") if one["conversation"].is_string() => {
            format!("{} of {}", field("event"), field("conversation"))
        }
        Some("event") => field("event"),
        Some("failed") => format!("waits on; {}", field("reason")),
        Some("behind") => format!("waits on, behind {} of its thread", field("event")),
        _ => "did not wait any more".to_owned(),
    }
}
