//! The promise: one command, and a person talks with the bot in the terminal. The terminal is a
//! channel like any other.

use crate::support::{Bot, Reply, Server, texts};

#[tokio::test]
async fn lines_of_a_pipe_are_answered_by_the_running_server() {
    let server = Server::echo().await;
    let ended = server
        .command_with_input(&["chat"], "hi\nyou there?\n")
        .await;
    assert_eq!(ended.ok(), "hi\nyou there?\n");

    let listed = server
        .command(&["conversations", "list", "--json"])
        .await
        .json();
    let conversations = listed["conversations"].as_array().expect("a list");
    assert_eq!(conversations.len(), 1);
    assert_eq!(conversations[0]["alias"], "terminal");
    // The transcript is the same as any channel's, and the API shows it.
    let messages = server.bot().messages(&conversations[0]).await;
    assert_eq!(texts(&messages), ["hi", "hi", "you there?", "you there?"]);
    let directions: Vec<_> = messages.iter().map(|m| m["direction"].as_str()).collect();
    assert_eq!(directions[..2], [Some("incoming"), Some("outgoing")]);
}

#[tokio::test]
async fn without_a_server_the_command_opens_the_database_itself_and_says_so() {
    let mut server = Server::echo().await;
    server.terminate().await;
    let ended = server.command_with_input(&["chat"], "hi\n").await;
    assert_eq!(ended.ok(), "hi\n");
    assert!(ended.stderr.contains("no server runs"), "{}", ended.stderr);

    // The conversation goes on with the server.
    server.start().await;
    assert_eq!(
        server.command_with_input(&["chat"], "again\n").await.ok(),
        "again\n"
    );
    let listed = server
        .command(&["conversations", "list", "--json"])
        .await
        .json();
    let conversations = listed["conversations"].as_array().expect("a list");
    assert_eq!(conversations.len(), 1);
    let messages = server.bot().messages(&conversations[0]).await;
    assert_eq!(texts(&messages), ["hi", "hi", "again", "again"]);
}

#[tokio::test]
async fn it_works_in_an_empty_folder_before_any_server_was_started() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = crate::support::program::bare(folder.path());
    command.arg("chat");
    let ended = crate::support::program::run(&mut command, "first words\n").await;
    assert_eq!(ended.ok(), "first words\n");
    assert!(folder.path().join("data").is_dir());
}

#[tokio::test]
async fn threads_are_conversations_of_their_own() {
    let server = Server::echo().await;
    for thread in ["work", "home", "work"] {
        server
            .command_with_input(&["chat", "--thread", thread], "x\n")
            .await
            .ok();
    }
    let listed = server
        .command(&["conversations", "list", "--json"])
        .await
        .json();
    assert_eq!(listed["conversations"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn several_answers_of_a_bot_over_http_are_all_printed() {
    let bot = Bot::start(|received| {
        let text = received.text().unwrap_or_default();
        Reply::texts(&[&format!("you said {text}"), "and then?"])
    })
    .await;
    let server = Server::builder().bot(&bot.url).start().await;
    let ended = server.command_with_input(&["chat"], "hi\n").await;
    assert_eq!(ended.ok(), "you said hi\nand then?\n");
}

#[tokio::test]
async fn a_message_that_cannot_be_delivered_is_an_error() {
    let bot = Bot::start(|_| Reply::status(400)).await;
    let mut server = Server::builder().bot(&bot.url).start().await;
    server.expect_dead_deliveries();
    let ended = server.command_with_input(&["chat"], "hi\n").await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("not delivered"), "{}", ended.stderr);
}

#[tokio::test]
async fn control_characters_of_a_bot_do_not_reach_the_terminal() {
    let bot = Bot::start(|_| Reply::texts(&["a\u{1b}[31mb"])).await;
    let server = Server::builder().bot(&bot.url).start().await;
    let ended = server.command_with_input(&["chat"], "hi\n").await;
    assert_eq!(ended.ok(), "a\u{fffd}[31mb\n");
}
