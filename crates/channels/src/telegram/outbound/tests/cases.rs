//! More answers of Telegram's, by the case file.

use super::*;

fn descriptions(case: &Value) -> Vec<String> {
    let words = case["input"]["descriptions"].as_array().unwrap();
    words
        .iter()
        .map(|words| words.as_str().unwrap().to_owned())
        .collect()
}

fn picture(desk: &Desk) -> Outgoing {
    let payload = json!({ "imageUrl": "https://ex.test/a.png", "caption": "c" });
    desk.outgoing(&[("id", "501")], "image", &payload)
}

#[tokio::test]
async fn tg_fail_101_what_is_final_is_final_in_every_form() {
    for answer in case("tg-fail-101")["input"]["send_each_with_answer"]
        .as_array()
        .unwrap()
    {
        let desk = Desk::new().await;
        let status = u16::try_from(answer["status"].as_u64().unwrap()).unwrap();
        let reply = || Reply::Json(status, answer["body"].clone());
        let words = answer["body"]["description"].as_str().unwrap();
        desk.script("sendMessage", reply());
        assert_eq!(desk.send(&desk.text("x")).await, permanent(words));
        desk.script("sendPhoto", reply());
        assert_eq!(desk.send(&picture(&desk)).await, permanent(words));
        assert_eq!(desk.methods(), ["sendMessage", "sendPhoto"]);
    }
}

#[tokio::test]
async fn tg_fail_102_waits_by_other_names_are_waits() {
    for wait in case("tg-fail-102")["input"]["waits"].as_array().unwrap() {
        let desk = Desk::new().await;
        let status = u16::try_from(wait["status"].as_u64().unwrap()).unwrap();
        let words = wait["description"].as_str().unwrap();
        desk.script("sendMessage", Reply::refused(status, words));
        let SendOutcome::Wait { after, .. } = desk.send(&desk.text("x")).await else {
            panic!("no wait: {words}")
        };
        assert_eq!(
            after,
            Duration::from_secs(wait["seconds"].as_u64().unwrap())
        );
    }
}

#[tokio::test]
async fn tg_fail_103_what_a_gateway_passed_on_may_have_been_sent() {
    for answer in case("tg-fail-103")["input"]["answers"].as_array().unwrap() {
        let desk = Desk::new().await;
        let status = u16::try_from(answer["status"].as_u64().unwrap()).unwrap();
        desk.script(
            "sendMessage",
            match answer["body"].as_object() {
                Some(_) => Reply::Json(status, answer["body"].clone()),
                None => Reply::Text(status, "<html>"),
            },
        );
        let outcome = desk.send(&desk.text("x")).await;
        let is_uncertain = matches!(outcome, SendOutcome::Uncertain { .. });
        assert!(is_uncertain, "{outcome:?}");
        assert_eq!(desk.sent().len(), 1);
    }
}

#[tokio::test]
async fn tg_fail_104_formatting_that_is_refused_in_other_words_is_left_out() {
    for words in descriptions(&case("tg-fail-104")) {
        let desk = Desk::new().await;
        desk.script("sendMessage", Reply::refused(400, &words));
        let payload = json!({ "markdown": "**b**" });
        let message = desk.outgoing(&[("id", "501")], "markdown", &payload);
        let SendOutcome::Done(tags) = desk.send(&message).await else {
            panic!("not sent: {words}")
        };
        assert_eq!(tags.get("formatting"), Some("refused"));
        assert_eq!(desk.sent()[1]["text"], "b");
    }
}

#[tokio::test]
async fn tg_fail_105_an_answer_survives_what_it_answers_in_other_words() {
    for words in descriptions(&case("tg-fail-105")) {
        let desk = Desk::new().await;
        desk.script("sendMessage", Reply::refused(400, &words));
        let mut message = desk.text("x");
        message.message.tags.insert("replyTo", "55");
        let outcome = desk.send(&message).await;
        assert!(matches!(outcome, SendOutcome::Done(_)), "{outcome:?}");
        let sent = desk.sent();
        assert_eq!(sent[0]["reply_parameters"]["message_id"], 55);
        assert_eq!(sent[1].get("reply_parameters"), None);
    }
}

#[tokio::test]
async fn tg_fail_106_files_that_cannot_be_shown_go_out_as_links() {
    for words in descriptions(&case("tg-fail-106")) {
        let desk = Desk::new().await;
        desk.script("sendPhoto", Reply::refused(400, &words));
        let SendOutcome::Done(tags) = desk.send(&picture(&desk)).await else {
            panic!("not sent: {words}")
        };
        assert_eq!(tags.get("file"), Some("sent as a link"));
        assert_eq!(joined(&desk), "c\nhttps://ex.test/a.png");
    }
}

#[tokio::test]
async fn tg_fail_107_no_group_becomes_a_private_chat() {
    let case = case("tg-fail-107");
    for chat in case["input"]["migrate_to_chat_id"].as_array().unwrap() {
        let desk = Desk::new().await;
        let words = "Bad Request: group chat was upgraded to a supergroup chat";
        let body = json!({
            "ok": false, "error_code": 400, "description": words,
            "parameters": { "migrate_to_chat_id": chat },
        });
        desk.script("sendMessage", Reply::Json(400, body));
        let group = [("id", "-4100300")];
        let message = desk.outgoing(&group, "text", &json!({ "text": "x" }));
        assert_eq!(desk.send(&message).await, permanent(words));
        assert_eq!(desk.sent().len(), 1);
    }
}
