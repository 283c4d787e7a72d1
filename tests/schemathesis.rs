//! The promise: the OpenAPI document is true. Schemathesis, unmodified, makes requests of it, right
//! ones and wrong ones, and compares what the running server answers.
//!
//! Of its checks three are off. `positive_data_acceptance`: a request may be refused although it fits
//! the schemas, as what it names must exist and `nextToken` must come from an answer.
//! `object_level_authorization`: `isolation.rs` does that, for every operation and caller.
//! `missing_required_header`: the token is given to each request here, so the header that it leaves
//! out comes back; `isolation.rs` asks without.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::{Api, Bot, Server, message};

const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance,unsupported_method,\
    allow_header_conformance,use_after_free,\
    ensure_resource_availability,ignored_auth,negative_data_rejection";

/// How long each caller asks, in seconds. Both do at once.
const BUDGET: &str = "60";
/// With the start, and with failures made small.
const LIMIT: Duration = Duration::from_mins(5);
const INSTALL_LIMIT: Duration = Duration::from_mins(4);

/// The hooks and the versions.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/schemathesis")
        .canonicalize()
        .expect("tests/schemathesis")
}

/// The program, installed into `target/` if it is not there.
async fn program() -> PathBuf {
    let requirements = folder().join("requirements.txt");
    let wanted = std::fs::read_to_string(&requirements).expect("the versions");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let home = target.join("schemathesis");
    let marker = home.join("installed.txt");
    let program = home.join("bin/st");
    if std::fs::read_to_string(&marker).is_ok_and(|found| found == wanted) {
        return program;
    }
    let python = home.join("bin/python");
    let mut environment = Command::new("python3");
    environment.args(["-m", "venv", "--clear"]).arg(&home);
    run_step(
        "python3 -m venv",
        "install Python 3.10 or later with venv (Debian: apt-get install python3-venv)",
        &mut environment,
    )
    .await;
    let mut install = Command::new(&python);
    install
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ])
        .arg("--requirement")
        .arg(&requirements);
    run_step(
        "pip install",
        "check that the Python package index can be reached",
        &mut install,
    )
    .await;
    std::fs::write(&marker, wanted).expect("the marker");
    program
}

async fn run_step(what: &str, help: &str, command: &mut Command) {
    let output = finish(INSTALL_LIMIT, command).await;
    assert!(
        output.status.success(),
        "Schemathesis could not be installed: `{what}` failed; {help}, and \
         tests/schemathesis/requirements.txt\n{}",
        text(&output)
    );
}

async fn finish(limit: Duration, command: &mut Command) -> Output {
    let running = command.kill_on_drop(true).output();
    let output = tokio::time::timeout(limit, running).await;
    let output = output.unwrap_or_else(|_| panic!("it has not ended within {limit:?}"));
    output.unwrap_or_else(|error| panic!("it does not start: {error}"))
}

fn text(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!(
        "{}\n{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(err)
    )
}

fn id(object: &Value) -> Value {
    assert!(object["id"].is_string(), "{object}");
    object["id"].clone()
}

/// What exists, for the hooks to name.
async fn objects(bot: &Api, telegram: &Api) -> Value {
    let conversation = telegram.conversation("501").await;
    let user = telegram.user("501").await;
    let body = message(&conversation["id"], &user["id"], "hello");
    let said = telegram.post("/v1/chat/messages", &body).await;
    let body = json!({ "type": "x", "payload": {}, "conversationId": conversation["id"] });
    let event = telegram.post("/v1/chat/events", &body).await;
    let body = json!({ "name": "x", "status": "listening" });
    let workflow = bot.post("/v1/chat/workflows", &body).await;
    json!({
        "conv": id(&conversation), "user": id(&user), "msg": id(&said.created("message")),
        "evt": id(&event.created("event")), "wflow": id(&workflow.created("workflow")),
        "bot": bot.bot_id, "int": telegram.integration.as_ref().expect("one").0,
        "alias": "telegram",
    })
}

/// Runs it as a caller.
async fn try_all(program: &Path, api: &Api, known: &Value, seed: &str) -> Result<(), String> {
    let scratch = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(program);
    command
        .args(["run", &format!("{}/openapi.json", api.url)])
        .args(["--header", &format!("Authorization: Bearer {}", api.token)])
        .args(["--header", &format!("x-bot-id: {}", api.bot_id)])
        .args(["--checks", CHECKS, "--max-time", BUDGET])
        .args(["--seed", seed])
        .args(["--generation-database", "none", "--no-color"])
        .env("SCHEMATHESIS_HOOKS", "hooks")
        .env("PYTHONPATH", folder())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("KNOWN_OBJECTS", known.to_string())
        .env("NO_PROXY", "127.0.0.1")
        .current_dir(scratch.path());
    if let Some((id, alias)) = &api.integration {
        command
            .args(["--header", &format!("x-integration-id: {id}")])
            .args(["--header", &format!("x-integration-alias: {alias}")]);
    }
    let output = finish(LIMIT, &mut command).await;
    let text = text(&output);
    // All of the document was read and tried.
    let whole = text.contains(" selected / ") && text.contains("Fuzzing (in ");
    if output.status.success() && whole {
        return Ok(());
    }
    Err(format!("as {:?}, seed {seed}:\n{text}", api.integration))
}

#[tokio::test]
async fn the_server_answers_as_the_document_says() {
    let program = program().await;
    let silent = Bot::silent().await;
    let mut server = Server::builder().bot(&silent.url).start().await;
    // What the bot says goes nowhere: there is no Telegram token.
    server.expect_dead_deliveries();
    let (bot, telegram) = (server.bot(), server.integration());
    let known = objects(&bot, &telegram).await;
    let seed = std::env::var("SWITCHBOARD_TEST_SEED").ok();
    let seed = seed.as_deref().unwrap_or("1");
    let (as_bot, as_integration) = tokio::join!(
        try_all(&program, &bot, &known, seed),
        try_all(&program, &telegram, &known, seed),
    );
    for result in [as_bot, as_integration] {
        result.unwrap_or_else(|text| panic!("{text}"));
    }
}
