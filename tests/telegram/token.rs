//! A token is tried when it is set: it is somebody's, or refused, or kept with a word that nobody knows.

use serde_json::Value;

use crate::support::telegram::{FakeTelegram, TOKEN};
use crate::support::{Server, program};

const WRONG: &str = "7000000001:mistyped-Secret";
const ADD: [&str; 3] = ["integrations", "add", "telegram"];

/// Whether the bot's telegram has a token.
async fn is_plugged_in(server: &Server) -> bool {
    let shown = ["integrations", "show", "telegram", "--json"];
    server.command(&shown).await.json()["has_secret"] == true
}

#[tokio::test]
async fn a_good_token_is_told_by_its_bots_name_and_a_mistyped_one_is_refused() {
    let telegram = FakeTelegram::start().await;
    let mut server = Server::builder()
        .env("SWITCHBOARD_TELEGRAM_API_URL", telegram.url())
        .start()
        .await;
    for runs in [true, false] {
        if !runs {
            server.terminate().await;
        }
        let wrong = server.command_with_input(&ADD, WRONG).await;
        assert_eq!(wrong.code, Some(1), "{wrong:#?}");
        assert!(wrong.stderr.contains("Unauthorized"), "{wrong:#?}");
        assert!(wrong.stderr.contains("@BotFather"), "{wrong:#?}");
        assert!(!format!("{wrong:?}").contains("mistyped"), "{wrong:#?}");
        assert!(!is_plugged_in(&server).await);

        // By a variable, as for a server's start, it is not kept either.
        let mut command = program::bare(server.folder());
        command
            .args(ADD)
            .env("SWITCHBOARD_DATA_DIR", server.data_dir())
            .env("SWITCHBOARD_TELEGRAM_API_URL", telegram.url())
            .env("SWITCHBOARD_TELEGRAM_TOKEN", WRONG);
        let wrong = program::run(&mut command, "").await;
        assert_eq!(wrong.code, Some(1), "{wrong:#?}");
        assert!(!is_plugged_in(&server).await);
    }

    let added = server.command_with_input(&ADD, TOKEN).await;
    assert!(added.ok().contains("is plugged in, as @"), "{added:#?}");
    assert!(!format!("{added:?}").contains("fake-Bot_token"));
    assert!(is_plugged_in(&server).await);
    server.start().await;
    telegram.push_text(501, 501, "hello");
    telegram.wait_for_text(501, "hello").await;
    let again = server.command_with_input(&["integrations", "add", "telegram", "--json"], TOKEN);
    let again: Value = again.await.json();
    assert_eq!(again["alias"], "telegram");
    assert!(
        again["account"].as_str().is_some_and(|name| name.len() > 1),
        "{again:#}"
    );
    assert!(again.get("unchecked").is_none(), "{again:#}");
}

#[tokio::test]
async fn a_token_is_kept_where_telegram_cannot_be_asked_or_shall_not() {
    let mut telegram = FakeTelegram::start().await;
    let server = Server::builder()
        .env("SWITCHBOARD_TELEGRAM_API_URL", telegram.url())
        .start()
        .await;
    telegram.refuse_connections();
    let added = server.command_with_input(&ADD, TOKEN).await;
    assert!(added.ok().contains("is plugged in"), "{added:#?}");
    assert!(added.stderr.contains("could not be asked"), "{added:#?}");
    assert!(!format!("{added:?}").contains("fake-Bot_token"));
    assert!(is_plugged_in(&server).await);

    telegram.accept_connections().await;
    let unasked = [
        "integrations",
        "add",
        "telegram",
        "--no-check",
        "--alias",
        "other",
    ];
    let other = server
        .command_with_input(&unasked, "7000000002:mistyped")
        .await;
    assert!(other.ok().contains("other ("), "{other:#?}");
    assert!(!other.stderr.contains("could not be asked"), "{other:#?}");
}
