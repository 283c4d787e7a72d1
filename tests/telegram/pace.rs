//! Telegram's limits on how fast a bot may send.

use std::time::{Duration, Instant};

use super::{delivery, polling, send};
use crate::support::wait;

const GROUP: i64 = -1_002_100_000_001;

#[tokio::test]
async fn a_flood_to_a_group_waits_its_turn_holds_up_no_other_and_survives_a_kill() {
    let (telegram, mut server) = polling().await;
    let mut flood = Vec::new();
    for number in 0..8 {
        flood.push(send(&server, &GROUP.to_string(), &format!("f{number}")).await);
    }
    telegram.wait_for_sent(4).await;
    let calm = send(&server, "502", "calm").await;
    delivery(&server, &calm, "sent").await;
    // Known to be sent, so that the kill meets none on its way.
    delivery(&server, &flood[4], "sent").await;
    server.kill().await;
    let sent = telegram.sent();
    let times: Vec<_> = sent.iter().filter(|sent| sent.chat == GROUP).collect();
    assert!(times.len() < 8, "the flood was not held up");
    // Three at once, then one a second; what the way to Telegram takes may shorten it a little.
    let took = times[4].at - times[0].at;
    assert!(took >= Duration::from_millis(1500), "{took:?}");
    let killed = Instant::now();
    server.start().await;
    for message in &flood {
        let report = delivery(&server, message, "sent").await;
        assert!(report["attempts"].as_u64() <= Some(2), "{report}");
    }
    let expected: Vec<_> = (0..8).map(|number| format!("f{number}")).collect();
    assert_eq!(telegram.texts(GROUP), expected);
    assert_eq!(telegram.texts(502), ["calm"]);
    // No second burst: what the killed process sent counts.
    let sent = telegram.sent();
    let later = sent
        .iter()
        .filter(|sent| sent.chat == GROUP && sent.at > killed);
    let later: Vec<_> = later.map(|sent| sent.at).collect();
    assert!(later.len() >= 2, "{later:?}");
    for pair in later.windows(2) {
        let apart = pair[1] - pair[0];
        assert!(apart >= Duration::from_millis(3500), "{apart:?}");
    }
}

#[tokio::test]
async fn a_message_in_parts_goes_on_where_it_stopped_whatever_stopped_it() {
    let (telegram, server) = polling().await;
    let part = |letter: &str| letter.repeat(4096);
    let text = format!("{}{}{}", part("a"), part("b"), part("c"));
    // The second may have been taken, so it alone comes again.
    let second = telegram.on("sendMessage").in_chat(501).nth(2);
    second.reset();
    let message = send(&server, "501", &text).await;
    let report = delivery(&server, &message, "sent").await;
    assert_eq!(report["uncertain"], 1, "{report}");
    let expected = [part("a"), part("b"), part("b"), part("c")];
    assert_eq!(telegram.texts(501), expected);

    // The account breaks between two parts, and goes on with a new token.
    telegram
        .on("sendMessage")
        .in_chat(502)
        .nth(2)
        .refuse(401, "Unauthorized");
    let message = send(&server, "502", &text).await;
    let behind = send(&server, "502", "behind").await;
    wait::until("the account is found broken", || async {
        let health = super::health(&server).await;
        health.contains("token").then_some(())
    })
    .await;
    delivery(&server, &message, "queued").await;
    let renewed = "7000000001:another-Secret_of_the_same_bot";
    telegram.set_token(renewed);
    let add = ["integrations", "add", "telegram"];
    let token = format!("{renewed}\n");
    server.command_with_input(&add, &token).await.ok();
    delivery(&server, &message, "sent").await;
    delivery(&server, &behind, "sent").await;
    let expected = [part("a"), part("b"), part("c"), "behind".to_owned()];
    assert_eq!(telegram.texts(502), expected);
}
