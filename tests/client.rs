//! The promise: npm `@botpress/client`, unmodified, drives every operation that is served, as a bot
//! and as an integration. The assertions are in tests/js/client/, one script a resource.

use crate::support::telegram::{FakeTelegram, TOKEN};
use crate::support::{Server, node};

async fn script(name: &str) {
    // Bot and integration are of one server; the echo bot answers what comes in, which fails
    // visibly, since the integration has no Telegram token.
    let mut server = Server::echo().await;
    server.expect_dead_deliveries();
    run(&server, name).await;
}

async fn run(server: &Server, name: &str) {
    let path = format!("client/{name}.mjs");
    let mut command = node::script("--test");
    command
        .args(["--test-reporter=spec", &path])
        .env("API_URL", &server.ready.url)
        .env("BOT_ID", &server.ready.bot_id)
        .env("INTEGRATION_ID", &server.ready.integration_id)
        .env("TOKEN", &server.bot().token);
    node::run(&mut command).await;
}

#[tokio::test]
async fn conversations_as_the_official_client_uses_them() {
    script("conversations").await;
}

#[tokio::test]
async fn users_as_the_official_client_uses_them() {
    script("users").await;
}

#[tokio::test]
async fn messages_as_the_official_client_uses_them() {
    script("messages").await;
}

#[tokio::test]
async fn history_and_schedules_as_the_official_client_uses_them() {
    script("incoming").await;
}

#[tokio::test]
async fn events_as_the_official_client_uses_them() {
    script("events").await;
}

#[tokio::test]
async fn states_as_the_official_client_uses_them() {
    script("states").await;
}

#[tokio::test]
async fn workflows_as_the_official_client_uses_them() {
    script("workflows").await;
}

#[tokio::test]
async fn values_of_tags_as_the_official_client_uses_them() {
    script("tags").await;
}

#[tokio::test]
async fn errors_as_the_official_client_knows_them() {
    script("errors").await;
}

#[tokio::test]
async fn every_operation_answers_as_the_official_schemas_say() {
    let telegram = FakeTelegram::start().await;
    let builder = Server::builder().telegram(&telegram.url(), TOKEN);
    let mut server = builder.start().await;
    server.expect_dead_deliveries(); // Some go to a conversation that is deleted.
    run(&server, "operations").await;
}
