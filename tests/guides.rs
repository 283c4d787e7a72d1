//! The promise: what the guides say to do works, as they say it.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::support::telegram::{FakeTelegram, TOKEN as TELEGRAM_TOKEN};
use crate::support::{Server, http, node, notes, program, texts, wait};

const TOKEN: &str = "a-token-that-bot-and-server-agree-on";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).expect(path)
}

async fn listens(port: u16) {
    wait::until("the bot listens", || async {
        tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .ok()
    })
    .await;
}

async fn remember(port: u16, server: &str) -> Child {
    let bot = Command::new("python3")
        .arg(root().join("examples/remember.py"))
        .arg(port.to_string())
        .env("SWITCHBOARD_URL", server)
        .env("SWITCHBOARD_TOKEN", TOKEN)
        .env("no_proxy", "127.0.0.1")
        .kill_on_drop(true)
        .spawn()
        .expect("python3 starts");
    listens(port).await;
    bot
}

#[tokio::test]
async fn the_tutorial_s_bot_remembers_over_kills_of_server_and_bot() {
    let telegram = FakeTelegram::start().await;
    let port = http::free_port();
    let listen = format!("127.0.0.1:{}", http::free_port());
    let mut server = Server::builder()
        .telegram(&telegram.url(), TELEGRAM_TOKEN)
        .bot(&format!("http://127.0.0.1:{port}/"))
        .env("SWITCHBOARD_LISTEN", &listen)
        .env("SWITCHBOARD_TOKEN", TOKEN)
        .start()
        .await;
    let url = server.ready.url.clone();
    let mut bot = remember(port, &url).await;
    telegram.push_text(501, 501, "/start");
    telegram
        .wait_for_text(501, "Hello! What is your name?")
        .await;
    telegram.push_text(501, 501, "Ada");
    telegram.wait_for_text(501, "Nice to meet you, Ada.").await;

    server.kill().await;
    telegram.push_text(501, 501, "are you there?");
    server.start().await;
    telegram
        .wait_for_text(501, "Ada, that was message 1.")
        .await;
    bot.kill().await.expect("it can be killed");
    telegram.push_text(501, 501, "and now?");
    let _bot = remember(port, &url).await;
    telegram
        .wait_for_text(501, "Ada, that was message 2.")
        .await;

    // The same event once more, as after a crash between answer and note: nothing counts twice.
    let api = server.bot();
    let events = api.list("/v1/chat/events", "events").await;
    let last = json!({ "event": events[0] });
    let again = http::client()
        .post(format!("http://127.0.0.1:{port}/"))
        .header("x-bot-id", &api.bot_id)
        .json(&last)
        .send()
        .await
        .expect("an answer");
    let again: Value = again.json().await.expect("JSON");
    let said = &again["messages"][0]["payload"]["text"];
    assert_eq!(said, "Ada, that was message 2.");

    // Somebody else is somebody else, and what is known can be forgotten.
    telegram.push_text(502, 502, "hi");
    telegram
        .wait_for_text(502, "Hello! What is your name?")
        .await;
    telegram.push_text(501, 501, "/forget");
    telegram
        .wait_for_text(501, "I know nothing of you any more.")
        .await;
    let conversation = events[0]["conversationId"].as_str().expect("an id");
    let path = format!("/v1/chat/states/conversation/{conversation}/memory");
    let state = api.get(&path).await.ok("state");
    assert_eq!(state["payload"]["memory"], json!({}));
}

#[tokio::test]
async fn the_sdk_s_example_answers_and_remembers() {
    let port = http::free_port();
    let server = Server::builder()
        .bot(&format!("http://127.0.0.1:{port}/"))
        .env("SWITCHBOARD_TOKEN", TOKEN)
        .start()
        .await;
    let file = root().join("examples/sdk.cjs");
    let _bot = node::script(&file.display().to_string())
        .arg(port.to_string())
        .env("NODE_PATH", node::folder().join("node_modules"))
        .env("BP_API_URL", &server.ready.url)
        .env("BP_TOKEN", TOKEN)
        .spawn()
        .expect("node starts");
    listens(port).await;
    let ended = server.command_with_input(&["chat"], "a\nb\n").await;
    assert_eq!(ended.ok(), "1: a\n2: b\n");
    let conversations = server
        .bot()
        .list("/v1/chat/conversations", "conversations")
        .await;
    let messages = server.bot().messages(&conversations[0]).await;
    assert_eq!(texts(&messages), ["a", "1: a", "b", "2: b"]);
}

/// The settings of the example, as `name = value`, with what stands before them taken away.
fn settings() -> Vec<(String, String)> {
    read("examples/switchboard.toml")
        .lines()
        .filter_map(|line| line.strip_prefix('#'))
        .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()))
        .map(|line| {
            let (name, _) = line.split_once(" = ").expect("a setting");
            (name.to_owned(), line.to_owned())
        })
        .collect()
}

async fn config(file: Option<&str>) -> Value {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = program::bare(folder.path());
    command.args(["config", "--json"]);
    if let Some(text) = file {
        std::fs::write(folder.path().join("example.toml"), text).expect("written");
        command.args(["--config", "example.toml"]);
    }
    program::run(&mut command, "").await.json()
}

#[tokio::test]
async fn the_example_of_the_settings_has_each_with_its_default() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = program::bare(folder.path());
    let help = program::run(command.arg("--help"), "").await;
    let mut flags: Vec<String> = help
        .ok()
        .split_once("Settings (")
        .expect("the settings in --help")
        .1
        .lines()
        .filter_map(|line| line.trim().strip_prefix("--"))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| !["config", "json"].contains(name))
        .map(|name| name.replace('-', "_"))
        .collect();
    let mut named: Vec<String> = settings().into_iter().map(|(name, _)| name).collect();
    flags.sort();
    named.sort();
    assert_eq!(named, flags);

    let defaults = config(None).await;
    assert_eq!(
        config(Some(&read("examples/switchboard.toml"))).await,
        defaults
    );
    // Only one bot can answer.
    for left_out in ["faq", "bot_url"] {
        let text: Vec<String> = settings()
            .into_iter()
            .filter(|(name, _)| name != left_out)
            .map(|(_, line)| line)
            .collect();
        let set = config(Some(&text.join("\n"))).await;
        for (name, value) in set.as_object().expect("an object") {
            let default = &defaults[name];
            assert!(!value.is_null() || name == left_out, "{name} is not set");
            assert!(default.is_null() || value == default, "{name}: {value}");
        }
    }
}

#[tokio::test]
async fn the_commands_that_the_documents_show_are_understood() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut known = 0;
    let docs = std::fs::read_dir(root().join("docs")).expect("docs/");
    let docs = docs.map(|entry| entry.expect("an entry").path());
    for document in docs.chain([root().join("README.md")]) {
        let text = std::fs::read_to_string(&document).expect("a document");
        for line in text.lines().filter_map(|line| line.strip_prefix("$ ")) {
            let Some(arguments) = arguments(line) else {
                continue;
            };
            let shell = format!("\"$BINARY\" {arguments} --help");
            let mut command = Command::new("sh");
            command.args(["-c", &shell]).current_dir(folder.path());
            let ended = program::run(command.env("BINARY", program::BINARY), "").await;
            assert_eq!(ended.code, Some(0), "{}: {line}", document.display());
            known += 1;
        }
    }
    assert!(known > 10, "only {known} commands were found");
}

/// What a line of a shell gives to the program, if it calls it.
fn arguments(line: &str) -> Option<&str> {
    let starts = [
        "target/release/switchboard ",
        "switchboard switchboard ",
        "cargo run --release -- ",
    ];
    let rest = line.strip_prefix("switchboard ").or_else(|| {
        let mut found = starts.iter().filter_map(|start| line.split_once(start));
        found.next().map(|(_, rest)| rest)
    });
    // Not where it is put: `install target/release/switchboard /usr/local/bin/`.
    let rest = rest.filter(|rest| !rest.starts_with('/'))?;
    Some(rest.split([';', '|', '>', '&']).next().unwrap_or(rest))
}

/// Whether a program is there; leaves a note if not.
fn installed(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .chain(["/usr/sbin".into()])
        .any(|folder| folder.join(name).is_file());
    if !found {
        let note = format!("{name} is not installed: its example was not checked");
        notes::leave(&format!("guides-{name}"), &note);
    }
    found
}

#[tokio::test]
async fn systemd_takes_the_unit() {
    if !installed("systemd-analyze") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let unit = read("examples/switchboard.service");
    let unit = unit.replace("/usr/local/bin/switchboard", program::BINARY);
    std::fs::write(folder.path().join("switchboard.service"), unit).expect("written");
    let mut command = Command::new("systemd-analyze");
    command.args(["verify", "./switchboard.service"]);
    let ended = program::run(command.current_dir(folder.path()), "").await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
}

/// What a proxy must let through, and what not.
async fn stands_between(server: &Server, port: u16) {
    listens(port).await;
    let proxy = format!("http://127.0.0.1:{port}");
    let status = async |path: &str| {
        let answer = http::client().get(format!("{proxy}{path}")).send().await;
        answer.expect("an answer").status().as_u16()
    };
    for (path, expected) in [
        ("/healthz", 200),
        ("/docs", 200),
        ("/readyz", 404),
        ("/local/bots", 404),
        ("/v1/chat/conversations", 401),
    ] {
        assert_eq!(status(path).await, expected, "{path}");
    }
    assert_eq!(
        http::client()
            .get(format!("{}/readyz", server.ready.url))
            .send()
            .await
            .expect("an answer")
            .status(),
        200
    );
    let mut api = server.integration();
    api.url.clone_from(&proxy);
    api.conversation("501").await;
    // The server says itself what is too large: nobody cuts off what a webhook may bring.
    let large = vec![b'x'; 15 << 20];
    let webhook = format!("{proxy}/webhook/unknown");
    let answer = http::client().post(webhook).body(large).send().await;
    let answer: Value = answer.expect("an answer").json().await.expect("JSON");
    assert_eq!(answer["type"], "ResourceNotFound");
}

#[tokio::test]
async fn nginx_stands_between_with_its_example() {
    if !installed("nginx") {
        return;
    }
    let server = Server::echo().await;
    let (folder, port) = (tempfile::tempdir().expect("a folder"), http::free_port());
    // Without TLS: certificates are the operator's.
    let site: Vec<String> = read("examples/nginx.conf")
        .split_once("\n}\n")
        .expect("the redirection, then the server")
        .1
        .replace("http://127.0.0.1:4000", &server.ready.url)
        .replace("listen 443 ssl http2", &format!("listen 127.0.0.1:{port}"))
        .lines()
        .filter(|line| !line.trim().starts_with("ssl_") && !line.contains("[::]"))
        .map(str::to_owned)
        .collect();
    let here = folder.path().display();
    let config = format!(
        "daemon off; master_process off; pid {here}/pid; error_log {here}/log; events {{}}\n\
         http {{ access_log {here}/access; client_body_temp_path {here}/b; proxy_temp_path {here}/p;\n\
         fastcgi_temp_path {here}/f; uwsgi_temp_path {here}/u; scgi_temp_path {here}/s;\n{}\n}}",
        site.join("\n")
    );
    let file = folder.path().join("nginx.conf");
    std::fs::write(&file, config).expect("written");
    let _nginx = Command::new("/usr/sbin/nginx")
        .arg("-c")
        .arg(&file)
        .kill_on_drop(true)
        .spawn()
        .expect("nginx starts");
    stands_between(&server, port).await;
    let log = std::fs::read_to_string(folder.path().join("access")).expect("a log");
    assert!(
        log.contains("/healthz") && !log.contains("/webhook/"),
        "{log}"
    );
}

#[tokio::test]
async fn caddy_stands_between_with_its_example() {
    if !installed("caddy") {
        return;
    }
    let server = Server::echo().await;
    let (folder, port) = (tempfile::tempdir().expect("a folder"), http::free_port());
    let upstream = server.ready.url.trim_start_matches("http://");
    let site = read("examples/Caddyfile")
        .replace("127.0.0.1:4000", upstream)
        .replace(
            "\nchat.example.com {",
            &format!("\nhttp://127.0.0.1:{port} {{"),
        );
    let file = folder.path().join("Caddyfile");
    std::fs::write(&file, format!("{{\n\tadmin off\n}}\n{site}")).expect("written");
    let _caddy = Command::new("caddy")
        .args(["run", "--adapter", "caddyfile", "--config"])
        .arg(&file)
        .envs([
            ("HOME", folder.path()),
            ("XDG_DATA_HOME", folder.path()),
            ("XDG_CONFIG_HOME", folder.path()),
        ])
        .kill_on_drop(true)
        .spawn()
        .expect("caddy starts");
    stands_between(&server, port).await;
}
