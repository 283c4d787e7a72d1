use serde_json::{Value, json};
use switchboard_engine::Explanation;
use switchboard_integration::{Webhook, WebhookAnswer};
use switchboard_model::ConversationId;
use switchboard_store::{Place, Rekey, Rekeyed};

use super::super::account::Account;
use super::super::fixture::{Api, Bench, TOKEN};
use super::super::webhook::request_of;
use super::explain;

const GROUP: i64 = -1_002_100_000_001;

/// A bench whose integration has the token kept, as `explain` looks it up.
async fn bench() -> (Bench, std::sync::Arc<Account>) {
    let (mut bench, api) = (Bench::new().await, Api::start().await);
    let kept = bench
        .engine
        .activate_integration(&bench.integration, TOKEN)
        .await;
    bench.integration = kept.unwrap();
    let account = bench.account(&api.url);
    (bench, account)
}

async fn ask(bench: &Bench, raw: &str) -> Explanation {
    explain(&bench.engine, &bench.integration, raw.as_bytes())
        .await
        .unwrap()
}

async fn conversations(bench: &Bench) -> Vec<ConversationId> {
    let page = switchboard_store::PageRequest {
        after: None,
        limit: 1000,
    };
    let filter = switchboard_store::ConversationFilter::default();
    let store = bench.engine.store();
    let found = store.list_conversations(bench.integration.bot, filter, page);
    let found = found.await.unwrap().items;
    found.into_iter().map(|found| found.id).collect()
}

/// Explains an update, takes it, and compares what was said with what has come to be.
async fn check(bench: &Bench, account: &Account, raw: &str) -> Explanation {
    let events = bench.events().await.len();
    let before = conversations(bench).await;
    let said = ask(bench, raw).await;
    assert_eq!(
        conversations(bench).await,
        before,
        "explaining writes nothing"
    );
    assert_eq!(
        bench.events().await.len(),
        events,
        "explaining writes nothing"
    );

    let answer = account.receive(request_of(account, raw)).await;
    assert_eq!(answer, WebhookAnswer::OK);
    let told = bench.events().await;
    let after = conversations(bench).await;
    assert_eq!(said.duplicate, told.len() == events, "{raw}: {said:?}");
    assert_eq!(said.created, after.len() > before.len(), "{raw}: {said:?}");
    if !said.duplicate {
        let event = told.last().unwrap();
        assert_eq!(said.event, event.kind, "{raw}");
        match said.conversation_id {
            Some(id) => assert_eq!(event.conversation, Some(id), "{raw}"),
            None if said.created => assert!(!before.contains(&event.conversation.unwrap())),
            None => assert_eq!(event.conversation, None, "{raw}"),
        }
        match (said.user_id, &said.sender) {
            (Some(id), _) => assert_eq!(event.user, Some(id), "{raw}"),
            (None, Some(_)) => assert!(event.user.is_some(), "{raw}"),
            (None, None) => assert_eq!(event.user, None, "{raw}"),
        }
    }
    // Where it came with an identity of its own, it is a redelivery now.
    let again = ask(bench, raw).await;
    assert!(again.duplicate && !again.created, "{raw}: {again:?}");
    said
}

fn has(said: &Explanation, word: &str) -> bool {
    said.reasons.iter().any(|reason| reason.starts_with(word))
}

fn message(id: i64, more: &Value) -> String {
    let mut message = json!({
        "message_id": id, "date": 1_790_000_000,
        "chat": { "id": GROUP, "type": "supergroup", "title": "Team", "is_forum": true },
        "from": { "id": 501, "is_bot": false, "first_name": "Ada" }, "text": format!("m{id}"),
    });
    for (name, value) in more.as_object().unwrap() {
        message[name] = value.clone();
    }
    json!({ "update_id": 100 + id, "message": message }).to_string()
}

#[tokio::test]
async fn what_is_said_of_a_topic_general_and_a_chain_of_replies_is_what_is_done() {
    let (bench, account) = bench().await;
    let topic = json!({ "message_thread_id": 42, "is_topic_message": true });
    let said = check(&bench, &account, &message(1, &topic)).await;
    assert_eq!(said.key.as_deref(), Some("-1002100000001/42"));
    assert!(
        said.created && has(&said, "topic:") && has(&said, "new:"),
        "{said:?}"
    );
    let said = check(&bench, &account, &message(2, &topic)).await;
    assert!(said.conversation_id.is_some() && !said.created && has(&said, "known:"));

    let said = check(&bench, &account, &message(3, &json!({}))).await;
    assert_eq!(said.key.as_deref(), Some("-1002100000001"));
    assert!(has(&said, "General:"), "{said:?}");
    let general = json!({ "message_thread_id": 1, "is_topic_message": true });
    let said = check(&bench, &account, &message(4, &general)).await;
    assert!(has(&said, "General:") && !said.created, "{said:?}");
    let reply = json!({ "message_thread_id": 3 });
    let said = check(&bench, &account, &message(5, &reply)).await;
    assert!(has(&said, "chat:") && !said.created, "{said:?}");
}

#[tokio::test]
async fn what_is_said_of_senders_is_what_is_done() {
    let (bench, account) = bench().await;
    let group = json!({ "id": GROUP, "type": "supergroup", "title": "Team" });
    let anonymous = json!({
        "sender_chat": group, "from": { "id": 1_087_968_824, "is_bot": true, "first_name": "Group" },
    });
    let said = check(&bench, &account, &message(1, &anonymous)).await;
    assert_eq!(said.sender.as_deref(), Some("-1002100000001"));
    assert!(
        said.reasons
            .iter()
            .any(|reason| reason.contains("anonymous administrator"))
    );
    let channel = json!({ "id": -1_002_200_000_001_i64, "type": "channel", "title": "News" });
    let post = json!({ "update_id": 7, "channel_post": {
        "message_id": 5, "date": 1_790_000_000, "chat": channel, "sender_chat": channel,
        "text": "news",
    } });
    let said = check(&bench, &account, &post.to_string()).await;
    assert_eq!(said.key, said.sender);
    assert!(
        said.reasons
            .iter()
            .any(|reason| reason.contains("channel speaks"))
    );
    let direct = json!({
        "direct_messages_topic": { "topic_id": 9 }, "from": null,
        "chat": { "id": -1_002_200_000_009_i64, "type": "supergroup" },
    });
    let said = check(&bench, &account, &message(6, &direct)).await;
    assert!(has(&said, "direct:"), "{said:?}");
    let business =
        json!({ "business_connection_id": "abc", "chat": { "id": 501, "type": "private" } });
    let said = check(&bench, &account, &message(7, &business)).await;
    assert_eq!(said.key.as_deref(), Some("business:abc/501"));
    assert!(has(&said, "business:"), "{said:?}");
}

#[tokio::test]
async fn what_is_said_of_events_presses_and_what_cannot_be_understood_is_what_is_done() {
    let (bench, account) = bench().await;
    let edited = |id: i64| {
        let text = message(id, &json!({}));
        text.replace("\"message\":", "\"edited_message\":")
    };
    let said = check(&bench, &account, &edited(1)).await;
    assert!(!said.created && said.conversation_id.is_none() && has(&said, "event:"));
    check(&bench, &account, &message(1, &json!({}))).await;
    let said = check(&bench, &account, &edited(2)).await;
    assert!(said.conversation_id.is_some() && said.event == "telegram:edited_message");

    let press = |id: i64, data: &str| {
        json!({ "update_id": 200 + id, "callback_query": {
            "id": format!("q{id}"), "data": data, "chat_instance": "1",
            "from": { "id": 501, "is_bot": false, "first_name": "Ada" },
            "message": { "message_id": 9, "date": 1, "chat": { "id": 501, "type": "private" } },
        } })
        .to_string()
    };
    let said = check(&bench, &account, &press(1, "yes")).await;
    assert!(said.created && has(&said, "press:"), "{said:?}");
    assert_eq!(said.event, "message_created");
    let said = check(&bench, &account, &press(2, "sb:unknown")).await;
    assert_eq!(said.event, "telegram:callback_query");

    for raw in [
        r#"{"update_id":9,"message":{"message_id":"seven","chat":5}}"#,
        r#"{"update_id":10,"brand_new_kind":{"x":[1,2]}}"#,
        r#"{"update_id":-4,"poll":{}}"#,
        r#"{"message":{}}"#,
        r#"{"update_id":11,"message":{"message_id":1,"date":1,"chat":{"id":501},"text":"half \ud83d"}}"#,
        "[1, 2]",
        "no json",
    ] {
        let said = check(&bench, &account, raw).await;
        assert!(!said.created && said.key.is_none(), "{raw}: {said:?}");
    }
    let long = json!({ "business_connection_id": "x".repeat(600) });
    let said = check(&bench, &account, &message(77, &long)).await;
    assert!(
        has(&said, "not understood:") && said.event == "telegram:unknown",
        "{said:?}"
    );
}

#[tokio::test]
async fn an_alias_is_named_and_the_old_name_leads_to_the_same() {
    let (bench, account) = bench().await;
    let old = json!({ "chat": { "id": -4_100, "type": "group", "title": "Team" } });
    check(&bench, &account, &message(1, &old)).await;
    let id = conversations(&bench).await[0];
    let identity = switchboard_model::Tags::new().with("telegram:id", GROUP.to_string());
    let command = Rekey {
        bot: bench.integration.bot,
        conversation: id,
        tags: identity.clone(),
        identity,
        occupied: switchboard_store::Occupied::Refuse,
        now: bench.engine.env().now(),
    };
    let rekeyed = bench.engine.store().rekey_conversation(command).await;
    assert!(matches!(rekeyed, Ok(Rekeyed::Rekeyed(_))));
    let said = check(&bench, &account, &message(2, &old)).await;
    assert_eq!(said.conversation_id, Some(id));
    assert!(has(&said, "alias:"), "{said:?}");
    let said = check(&bench, &account, &message(3, &json!({}))).await;
    assert_eq!(said.conversation_id, Some(id));
    assert!(has(&said, "known:"), "{said:?}");

    // A redelivery is where it was stored, also after the thread has begun anew.
    let store = bench.engine.store();
    let reset = store.reset_conversation(bench.integration.bot, id, bench.engine.env().now());
    reset.await.unwrap().unwrap();
    let again = ask(&bench, &message(3, &json!({}))).await;
    assert_eq!((again.conversation_id, again.duplicate), (Some(id), true));
    let said = check(&bench, &account, &message(4, &json!({}))).await;
    assert!(said.created && has(&said, "new:"), "{said:?}");
    let place = Place {
        bot: bench.integration.bot,
        integration: bench.integration.id,
        channel: super::super::CHANNEL.to_owned(),
    };
    let identity = switchboard_model::Tags::new().with("telegram:id", GROUP.to_string());
    let found = store.find_conversation(place, identity).await.unwrap();
    assert_ne!(found.unwrap().id, id);
}

#[tokio::test]
async fn without_a_token_it_is_said_that_redeliveries_cannot_be_told() {
    let bench = Bench::new().await;
    let said = ask(&bench, &message(1, &json!({}))).await;
    assert!(has(&said, "no bot number:") && said.created, "{said:?}");
}

#[tokio::test]
async fn what_names_a_message_without_its_topic_is_said_to_be_where_it_is() {
    let (bench, account) = bench().await;
    let topic = json!({ "message_thread_id": 42, "is_topic_message": true });
    check(&bench, &account, &message(1, &topic)).await;
    let place = conversations(&bench).await[0];
    // Topics were switched off since.
    let edit: Value = serde_json::from_str(&message(1, &json!({ "text": "mended" }))).unwrap();
    let edit = json!({ "update_id": 900, "edited_message": edit["message"] }).to_string();
    let said = check(&bench, &account, &edit).await;
    assert_eq!(said.conversation_id, Some(place));
    assert!(has(&said, "about a message:"), "{said:?}");
    let reaction = |number: i64| {
        json!({ "update_id": 901 + number, "message_reaction": {
            "chat": { "id": GROUP, "type": "supergroup", "is_forum": true }, "date": 1,
            "message_id": number, "old_reaction": [], "new_reaction": [],
            "user": { "id": 501, "is_bot": false, "first_name": "Ada" },
        } })
        .to_string()
    };
    let said = check(&bench, &account, &reaction(1)).await;
    assert_eq!(said.conversation_id, Some(place));
    let said = check(&bench, &account, &reaction(2)).await;
    assert_eq!(said.conversation_id, None);
    assert!(has(&said, "no thread:"), "{said:?}");
}
