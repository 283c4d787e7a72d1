use serde_json::{Value, json};
use switchboard_engine::{Update, UpdateContent};

use super::super::fixture::{Api, Bench, links};
use super::super::inbound::read;
use super::super::press;
use super::super::thread::Topic;
use super::*;

const ACCOUNT: &str = "7000000001";
const GROUP: i64 = -1_002_100_000_001;

fn group() -> Value {
    json!({ "id": GROUP, "type": "supergroup", "title": "Team", "is_forum": true })
}

fn person(id: i64) -> Value {
    json!({ "id": id, "is_bot": false, "first_name": format!("P{id}") })
}

fn bot() -> Value {
    json!({ "id": 7_000_000_001_i64, "is_bot": true, "first_name": "S" })
}

fn take(update: &Value) -> Update {
    read(ACCOUNT, &links(), &update.to_string())
}

fn event(update: &Value) -> IncomingEvent {
    match take(update).content {
        UpdateContent::Event(event) => event,
        other => panic!("not an event: {other:?}"),
    }
}

fn service(more: &Value) -> Value {
    let mut message = json!({
        "message_id": 11, "date": 1_790_000_000, "chat": group(), "from": person(501),
    });
    for (name, value) in more.as_object().unwrap() {
        message[name] = value.clone();
    }
    json!({ "update_id": 1, "message": message })
}

fn changed(kind: &str, member: &Value) -> Value {
    json!({ "update_id": 1, kind: {
        "chat": group(), "from": person(600), "date": 1_790_000_000,
        "old_chat_member": { "status": "left", "user": member["user"] },
        "new_chat_member": member,
    } })
}

/// Who joined and who left, by id.
fn came_and_went(event: &IncomingEvent) -> (Vec<String>, Vec<String>) {
    let Some(news) = &event.news else {
        return Default::default();
    };
    assert_eq!(news.chat, chat(GROUP));
    assert_eq!(news.at, 1_790_000_000);
    let joined = news.joined.iter().map(|member| member.who.id.clone());
    let left = news.left.iter().map(|user| user.id.clone());
    (joined.collect(), left.collect())
}

fn ids<const N: usize>(ids: [&str; N]) -> Vec<String> {
    ids.map(str::to_owned).into()
}

#[test]
fn who_is_in_a_chat_is_told_by_the_status_alone() {
    let (joined, left, nothing) = (
        (ids(["501"]), ids([])),
        (ids([]), ids(["501"])),
        (ids([]), ids([])),
    );
    for (status, is_member, expected) in [
        ("creator", None, &joined),
        ("administrator", None, &joined),
        ("member", None, &joined),
        ("restricted", Some(true), &joined),
        ("restricted", Some(false), &left),
        ("left", None, &left),
        ("kicked", None, &left),
        ("restricted", None, &nothing),
        ("ghost", None, &nothing),
    ] {
        let member = json!({ "status": status, "user": person(501), "is_member": is_member });
        let event = event(&changed("chat_member", &member));
        assert_eq!(came_and_went(&event), *expected, "{status} {is_member:?}");
        assert_eq!(event.thread.unwrap().id, GROUP.to_string());
        assert_eq!(event.sender.unwrap().id, "600");
    }
}

#[test]
fn a_service_message_tells_the_same_and_never_of_the_bot_itself() {
    let both = json!({ "new_chat_members": [person(501), bot(), person(502)] });
    let joined = event(&service(&both));
    assert_eq!(joined.kind, "message");
    assert_eq!(came_and_went(&joined), (ids(["501", "502"]), ids([])));
    assert_eq!(
        joined.news.unwrap().joined[0].who.name.as_deref(),
        Some("P501")
    );
    let left = event(&service(&json!({ "left_chat_member": person(501) })));
    assert_eq!(came_and_went(&left), (ids([]), ids(["501"])));
    for update in [
        service(&json!({ "left_chat_member": bot() })),
        service(&json!({ "new_chat_members": [bot()] })),
        service(&json!({ "new_chat_members": "everybody" })),
        service(&json!({ "new_chat_members": [person(5)], "business_connection_id": "bc" })),
    ] {
        assert_eq!(event(&update).news, None, "{update}");
    }
    let mut undated = changed(
        "chat_member",
        &json!({ "status": "member", "user": person(5) }),
    );
    undated["chat_member"]["date"] = "yesterday".into();
    assert_eq!(event(&undated).news, None);
    let itself = json!({ "status": "member", "user": bot() });
    let itself = event(&changed("chat_member", &itself));
    assert_eq!(came_and_went(&itself), (ids([]), ids([])));
}

#[test]
fn how_the_bot_stands_is_a_tag_in_telegram_s_words() {
    for status in [
        "kicked",
        "member",
        "administrator",
        "left",
        "restricted",
        "new",
    ] {
        let member = json!({ "status": status, "user": bot() });
        let event = event(&changed("my_chat_member", &member));
        assert_eq!(came_and_went(&event), (ids([]), ids([])));
        let tags = event.news.unwrap().tags;
        assert_eq!(tags, Tags::new().with("botStatus", status));
    }
    let odd = json!({ "status": 5, "user": bot() });
    assert_eq!(event(&changed("my_chat_member", &odd)).news, None);
}

#[test]
fn topics_are_told_of_in_their_own_conversation() {
    let in_topic = |more: Value| {
        let mut update = service(&more);
        update["message"]["message_thread_id"] = 42.into();
        update["message"]["is_topic_message"] = true.into();
        let event = event(&update);
        assert_eq!(event.thread.unwrap().id, format!("{GROUP}/42"));
        event.tags
    };
    let created = json!({ "forum_topic_created": { "name": "Work", "icon_color": 7_322_096 } });
    assert_eq!(in_topic(created), Tags::new().with("topicName", "Work"));
    let renamed = json!({ "forum_topic_edited": { "name": "Home" } });
    assert_eq!(in_topic(renamed), Tags::new().with("topicName", "Home"));
    let icon = json!({ "forum_topic_edited": { "icon_custom_emoji_id": "5" } });
    assert_eq!(in_topic(icon), Tags::new());
    let closed = json!({ "forum_topic_closed": {} });
    assert_eq!(in_topic(closed), Tags::new().with("topicClosed", "true"));
    let reopened = json!({ "forum_topic_reopened": {} });
    assert_eq!(in_topic(reopened), Tags::new().with("topicClosed", "false"));

    let general = |more: Value| {
        let event = event(&service(&more));
        assert_eq!(event.thread.unwrap().id, GROUP.to_string());
        event.tags
    };
    let hidden = general(json!({ "general_forum_topic_hidden": {} }));
    let expected = Tags::new().with("topicHidden", "true");
    assert_eq!(hidden, expected.with("topicClosed", "true"));
    let shown = general(json!({ "general_forum_topic_unhidden": {} }));
    assert_eq!(shown, Tags::new().with("topicHidden", "false"));
}

#[test]
fn the_first_message_of_a_topic_tells_what_it_was_called() {
    let said = |topic: i64, head: i64| {
        let update = service(&json!({
            "text": "hi", "message_thread_id": topic, "is_topic_message": true,
            "reply_to_message": {
                "message_id": head, "forum_topic_created": { "name": "Work", "icon_color": 1 },
            },
        }));
        match take(&update).content {
            UpdateContent::Message(message) => message.thread.defaults,
            other => panic!("not a message: {other:?}"),
        }
    };
    assert_eq!(said(42, 42), Tags::new().with("topicName", "Work"));
    // An answer to the head of another topic is none of this one.
    assert_eq!(said(42, 43), Tags::new());
}

#[test]
fn what_names_a_message_without_its_topic_is_about_it() {
    let message = json!({ "message_id": 5, "date": 0, "chat": group() });
    let updates = [
        json!({ "update_id": 1, "message_reaction": {
            "chat": group(), "message_id": 5, "date": 1, "user": person(501),
            "old_reaction": [], "new_reaction": [],
        } }),
        json!({ "update_id": 1, "message_reaction_count": {
            "chat": group(), "message_id": 5, "date": 1, "reactions": [],
        } }),
        json!({ "update_id": 1, "callback_query": {
            "id": "q", "from": person(501), "message": message, "game_short_name": "g",
        } }),
        json!({ "update_id": 1, "edited_channel_post": {
            "message_id": 5, "date": 1, "edit_date": 2, "chat": group(), "text": "new",
        } }),
    ];
    for update in updates {
        let about = event(&update).about.expect("a message");
        assert_eq!((about.chat, &*about.id), (chat(GROUP), "5"), "{update}");
        let once = ["message", ACCOUNT, "", &GROUP.to_string(), "5"];
        assert_eq!(about.once, once);
    }
    let mut business = service(&json!({ "business_connection_id": "bc", "text": "x" }));
    let message = business["message"].take();
    let edited = json!({ "update_id": 1, "edited_business_message": message });
    assert_eq!(event(&edited).about, None);
}

#[tokio::test]
async fn a_press_under_a_message_that_is_no_longer_accessible_is_said_in_its_topic() {
    let (bench, api) = (Bench::new().await, Api::start().await);
    let account = bench.account(&api.url);
    let topic = Thread {
        topic: Topic::Forum(42),
        ..Thread::chat(GROUP)
    };
    let at = topic.external(&serde_json::from_str(&group().to_string()).unwrap());
    let view = switchboard_engine::View::integration(&bench.integration.alias);
    let tags = view.stored_tags(at.tags).with("telegram:id", at.id);
    let (engine, bot) = (&bench.engine, bench.integration.bot);
    let conversation = switchboard_store::CreateConversation {
        id: engine.new_conversation_id(),
        place: switchboard_store::Place {
            bot,
            integration: bench.integration.id,
            channel: CHANNEL.to_owned(),
        },
        tags,
        unless: None,
        participants: Vec::new(),
        now: engine.env().now(),
    };
    let id = conversation.id;
    engine
        .store()
        .create_conversation(conversation)
        .await
        .unwrap();
    let message = switchboard_store::PostMessage {
        bot,
        message: switchboard_store::NewMessage {
            id: engine.new_message_id(),
            conversation: id,
            user: bot.into(),
            direction: switchboard_model::Direction::Outgoing,
            kind: "text".to_owned(),
            payload: switchboard_model::Json::parse(r#"{"text":"?"}"#).unwrap(),
            tags: Tags::new()
                .with("telegram:id", "9")
                .with("telegram:ids", "8,9"),
            synthetic: false,
        },
        discriminate: switchboard_store::Discriminate::Never,
        delivery: engine.new_delivery_id(),
        due: None,
        now: engine.env().now(),
    };
    engine.store().post_message(message).await.unwrap();
    let press = |number: i64, data: &str| {
        json!({ "update_id": 7, "callback_query": {
            "id": format!("q{number}{data}"), "data": data, "chat_instance": "1",
            "from": person(501),
            "message": { "message_id": number, "date": 0, "chat": group() },
        } })
        .to_string()
    };
    for number in [8, 9] {
        let (update, _) = account.read(&press(number, "yes")).await.unwrap();
        let UpdateContent::Message(said) = update.content else {
            panic!("something said, not {update:?}");
        };
        assert_eq!(said.thread.id, format!("{GROUP}/42"));
        assert_eq!(said.payload.as_str(), r#"{"text":"yes"}"#);
        assert_eq!(said.tags.get("replyTo"), Some(&*number.to_string()));
    }
    let (unknown, _) = account.read(&press(7, "yes")).await.unwrap();
    assert!(
        matches!(unknown.content, UpdateContent::Event(_)),
        "{unknown:?}"
    );
    let links = links();
    let (engine, integration) = (&bench.engine, &bench.integration);
    // A script's conversations are not found by their chat.
    let raw = press(9, "yes");
    let scripted = press::read(engine, integration, ACCOUNT, &links, &raw, false).await;
    let (scripted, _) = scripted.unwrap();
    assert!(
        matches!(scripted.content, UpdateContent::Event(_)),
        "{scripted:?}"
    );
}

/// What a script's conversations are, Telegram's chats do not say, but for who is in them.
#[tokio::test]
async fn what_is_told_of_a_chat_changes_no_tag_of_a_scripts_conversation() {
    let (bench, api) = (Bench::new().await, Api::start().await);
    let source = "const integration = { conversations: { async getOrCreateConversation(ctx) { \
                  return await ctx.bp.conversations.getById('one') ?? \
                  await ctx.bp.conversations.create({ id: 'one', platform: 'telegram' }) } } }";
    let script = switchboard_script::Script::load(source, switchboard_script::Limits::default());
    let account = bench.scripted(&api.url, Some(script.await.unwrap()));
    let member = json!({ "status": "member", "user": person(501) });
    let created = json!({
        "text": "hi", "message_thread_id": 42, "is_topic_message": true,
        "reply_to_message": { "message_id": 42, "forum_topic_created": { "name": "Work" } },
    });
    let renamed = json!({ "forum_topic_edited": { "name": "Home" } });
    for update in [
        service(&created),
        service(&renamed),
        changed("chat_member", &member),
        changed("my_chat_member", &member),
    ] {
        let raw = update.to_string();
        let (update, _) = account.read(&raw).await.unwrap();
        match account.mapped(&raw, &update).await.unwrap().content {
            UpdateContent::Message(message) => {
                assert!(message.thread.known.is_some());
                assert_eq!(message.thread.defaults, Tags::new());
            }
            UpdateContent::Event(event) => {
                assert_eq!((event.about, event.tags), (None, Tags::new()), "{raw}");
                let Some(news) = event.news else {
                    assert_ne!(event.kind, "chat_member");
                    continue;
                };
                assert_eq!(event.kind, "chat_member");
                assert_eq!((news.tags, news.decided), (Tags::new(), true));
                assert_eq!(news.joined.len(), 1);
                assert_eq!(news.joined[0].into, event.thread.unwrap().known);
                assert!(news.joined[0].into.is_some());
            }
            UpdateContent::Unmapped(kept) => panic!("{raw}: {kept:?}"),
        }
    }
}
