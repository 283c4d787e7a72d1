//! The promise: a file describes a whole bot, and what was said to it is remembered whatever
//! happens to the server.

use std::path::{Path, PathBuf};

use crate::support::{Server, program, texts, wait};

fn shop() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/faq/shop.toml")
}

async fn server(file: &Path) -> Server {
    let file = file.display().to_string();
    Server::builder().env("SWITCHBOARD_FAQ", file).start().await
}

/// Says lines; gives what the bot answered.
async fn say(server: &Server, lines: &str) -> String {
    let ended = server.command_with_input(&["chat"], lines).await;
    ended.ok().to_owned()
}

#[tokio::test]
async fn the_shop_of_the_examples_answers_and_goes_on_after_a_kill() {
    let mut server = server(&shop()).await;
    let hello = say(&server, "hello\n").await;
    assert!(hello.contains("This is Ada's Bicycles."), "{hello}");
    assert!(hello.contains("\n  1. Opening hours\n"), "{hello}");
    assert!(say(&server, "1\n").await.contains("Thursday until 20:00"));
    let delivery = say(&server, "2\nhow long does delivry take?\n").await;
    assert!(delivery.contains("Two to four working days"), "{delivery}");
    assert!(
        say(&server, "back\n")
            .await
            .contains("What can I do for you?")
    );

    let form = say(&server, "where's my order\n123\n12345\n").await;
    assert!(form.contains("not a number of five digits"), "{form}");
    assert!(form.ends_with("And your e-mail address?\n"), "{form}");
    server.kill().await;
    server.start().await;
    let rest = say(&server, "ada@example.com\nyes\n").await;
    assert!(
        rest.contains("Order 12345, mail to ada@example.com."),
        "{rest}"
    );
    assert!(rest.contains("We look where order 12345 is"), "{rest}");

    // What was answered is a state of the conversation, which the API shows.
    let conversations = server
        .bot()
        .list("/v1/chat/conversations", "conversations")
        .await;
    let id = conversations[0]["id"].as_str().expect("an id").to_owned();
    let state = server
        .bot()
        .get(&format!("/v1/chat/states/conversation/{id}/faq"))
        .await
        .ok("state");
    assert_eq!(state["payload"]["answers"]["order"]["number"], "12345");
}

#[tokio::test]
async fn while_a_person_has_the_word_the_bot_is_quiet_and_the_tag_tells() {
    let server = server(&shop()).await;
    let handed = say(&server, "hello\na person please\n").await;
    assert!(handed.contains("A person will go on here"), "{handed}");
    let tag = async |expected: Option<&str>| {
        let conversations = server
            .bot()
            .list("/v1/chat/conversations", "conversations")
            .await;
        assert_eq!(conversations[0]["tags"]["handover"].as_str(), expected);
        conversations[0].clone()
    };
    let conversation = tag(Some("requested")).await;
    let quiet = ["chat", "--linger", "0"];
    let ended = server.command_with_input(&quiet, "opening hours\n").await;
    assert_eq!(ended.ok(), "");
    assert!(say(&server, "/bot\n").await.contains("I am back."));
    tag(None).await;
    let messages = server.bot().messages(&conversation).await;
    assert!(texts(&messages).contains(&"opening hours"));
}

#[tokio::test]
async fn a_changed_file_is_taken_and_a_broken_one_leaves_the_bot_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("bot.toml");
    let text = std::fs::read_to_string(shop()).expect("the example");
    std::fs::write(&file, &text).expect("written");
    let server = server(&file).await;

    std::fs::write(&file, text.replace("\"faq:returns\"", "\"faq:nothing\"")).expect("written");
    server.signal("HUP").await;
    wait::until("the fault is told", || async {
        let log = server.log();
        (log.contains("menu[1].choices[2].go") && log.contains("goes on as it was")).then_some(())
    })
    .await;
    assert!(say(&server, "refund\n").await.contains("Within 30 days"));

    std::fs::write(&file, text.replace("Within 30 days", "Within 60 days")).expect("written");
    wait::until("the file is read again", || async {
        server.log().contains("was read again").then_some(())
    })
    .await;
    assert!(say(&server, "refund\n").await.contains("Within 60 days"));
}

#[tokio::test]
async fn a_broken_file_is_refused_at_the_start_and_two_bots_are_one_too_many() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("bot.toml");
    std::fs::write(&file, "start = \"main\"\n").expect("written");
    let mut command = program::bare(folder.path());
    command.args(["serve", "--listen", "127.0.0.1:0", "--faq", "bot.toml"]);
    let ended = program::run(&mut command, "").await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(
        ended.stderr.contains("line 1, start: there is no menu"),
        "{ended:?}"
    );
    assert!(!folder.path().join("data/switchboard.db").exists());

    let mut command = program::bare(folder.path());
    command.args(["--faq", "bot.toml", "--bot-url", "http://127.0.0.1:9/"]);
    let ended = program::run(&mut command, "").await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("not both"), "{ended:?}");
}

#[tokio::test]
async fn a_file_is_checked_and_its_points_are_shown_without_a_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let check = async |file: &Path, more: &[&str]| {
        let mut command = program::bare(folder.path());
        command.args(["bots", "check"]).arg(file).args(more);
        program::run(&mut command, "").await
    };
    let well = check(&shop(), &[]).await;
    assert!(
        well.ok().contains("menus 3, questions 5, forms 1"),
        "{well:?}"
    );
    let asked = check(&shop(), &["--ask", "can I get a refund?", "--json"])
        .await
        .json();
    assert_eq!(asked["fits"][0]["id"], "returns");
    let german = check(&shop(), &["--ask", "versand", "--language", "de"]).await;
    assert!(german.ok().contains("delivery_time"), "{german:?}");
    assert_eq!(check(&shop(), &["--language", "fr"]).await.code, Some(3));
    assert_eq!(check(Path::new("missing.toml"), &[]).await.code, Some(3));
    assert!(!folder.path().join("data").exists());
}
