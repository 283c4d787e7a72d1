//! The promise: an integration written in JavaScript, in the documented form, says which conversation
//! a channel's threads are; whatever it does, nothing is lost and the server goes on.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::telegram::{FakeTelegram, TOKEN};
use crate::support::{Bot, Server, texts, wait};

const GROUP: i64 = -1_002_100_000_001;
const GET_OR_CREATE: &str = "conversations.getOrCreateConversation";

fn file(path: &str) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.join(path).display().to_string()
}

fn documented() -> String {
    file("tests/fixtures/javascript/documented.js")
}

async fn add(server: &Server, script: &str, more: &[&str]) -> Value {
    let mut arguments = vec!["integrations", "add", "javascript", script];
    arguments.extend(["--alias", "scripted", "--channel", "telegram", "--json"]);
    arguments.extend(more);
    server.command(&arguments).await.json()
}

async fn call(server: &Server, function: &str, id: &str) -> Value {
    let arguments = ["integrations", "call", "scripted", function, id, "--json"];
    server.command(&arguments).await.json()
}

fn written(server: &Server, source: &str) -> String {
    let path = server.folder().join("script.js");
    std::fs::write(&path, source).expect("a file");
    path.display().to_string()
}

fn in_group(message: i64, person: i64, text: &str) -> Value {
    json!({ "message": {
        "message_id": message, "date": 1_790_000_000,
        "chat": { "id": GROUP, "type": "supergroup", "title": "Team" },
        "from": { "id": person, "is_bot": false, "first_name": format!("P{person}") }, "text": text,
    } })
}

async fn scripted(script: &str) -> (FakeTelegram, Server, String) {
    let telegram = FakeTelegram::start().await;
    let server = Server::builder()
        .env("SWITCHBOARD_TELEGRAM_API_URL", telegram.url())
        .start()
        .await;
    let added = add(&server, script, &["--telegram-token", TOKEN]).await;
    assert_eq!(added["active"], true);
    let id = added["integration_id"].as_str().expect("an id").to_owned();
    (telegram, server, id)
}

async fn conversations(server: &Server) -> Vec<Value> {
    server
        .bot()
        .list("/v1/chat/conversations", "conversations")
        .await
}

#[tokio::test]
async fn sixteen_calls_at_once_on_a_cold_thread_end_with_one_conversation() {
    let server = Server::echo().await;
    let added = add(&server, &documented(), &[]).await;
    assert_eq!(added["active"], false);
    let again = add(&server, &documented(), &[]).await;
    assert_eq!(added["integration_id"], again["integration_id"]);
    let calls = (0..16).map(|_| call(&server, GET_OR_CREATE, "-1001234"));
    let made = futures::future::join_all(calls).await;
    let ids: BTreeSet<_> = made.iter().map(|one| one["id"].as_str()).collect();
    assert_eq!(ids.len(), 1, "{made:#?}");
    assert_eq!(conversations(&server).await.len(), 1);
    assert_eq!(made[0]["tags"]["id"], "-1001234");

    let user = call(&server, "users.getOrCreateUser", "501").await;
    assert_eq!(user["tags"]["id"], "501");
    let name = [
        "integrations",
        "call",
        "scripted",
        "conversations.nonsense",
        "1",
    ];
    let unknown = server.command(&name).await;
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.stderr.contains("users.createUser"), "{unknown:?}");
    let list = server.command(&["integrations", "list"]).await;
    assert!(list.ok().contains("a script maps it"), "{}", list.stdout);
}

#[tokio::test]
async fn a_script_is_added_and_called_also_without_a_server() {
    let mut server = Server::echo().await;
    server.terminate().await;
    let added = add(&server, &documented(), &[]).await;
    let made = call(&server, GET_OR_CREATE, "7").await;
    server.start().await;
    assert_eq!(call(&server, GET_OR_CREATE, "7").await, made);
    let broken = written(&server, "const integration = (a: string) => a");
    let arguments = ["integrations", "add", "javascript", &broken];
    let more = ["--alias", "scripted", "--channel", "telegram"];
    let refused = server.command(&[&arguments[..], &more].concat()).await;
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("line 1, column"), "{refused:?}");
    let listed = server
        .command(&["integrations", "list", "--json"])
        .await
        .json();
    let found = listed["integrations"].as_array().expect("a list");
    let found = found
        .iter()
        .find(|one| one["id"] == added["integration_id"]);
    assert_eq!(found.expect("it is listed")["scripted"], true);
}

#[tokio::test]
async fn members_of_a_group_have_conversations_of_their_own_and_answers_reach_the_group() {
    let (telegram, mut server, id) = scripted(&file("examples/one-per-member.js")).await;
    telegram.push(in_group(1, 501, "from ada"));
    telegram.push(in_group(2, 502, "from bob"));
    telegram.push_text(503, 503, "alone");
    telegram.wait_for_text(GROUP, "from ada").await;
    telegram.wait_for_text(GROUP, "from bob").await;
    telegram.wait_for_text(503, "alone").await;
    server.kill().await;
    telegram.push(in_group(3, 501, "ada again"));
    server.start().await;
    telegram.wait_for_text(GROUP, "ada again").await;
    let all = conversations(&server).await;
    assert_eq!(all.len(), 3, "{all:#?}");
    let api = server.bot().acting_as(&id, "scripted");
    let ada = all.iter().find(|one| {
        one["tags"]["scripted:id"] == format!("{GROUP}#501")
            || one["tags"]["id"] == format!("{GROUP}#501")
    });
    let ada = ada.expect("ada's conversation");
    let messages = api.messages(ada).await;
    assert_eq!(texts(&messages).len(), 4, "{messages:#?}");
    // The same update again.
    telegram.push(in_group(3, 501, "ada again"));
    telegram.wait_until_taken().await;
    assert_eq!(conversations(&server).await.len(), 3);
    assert_eq!(api.messages(ada).await.len(), 4);
}

#[tokio::test]
async fn a_script_that_fails_loses_nothing_and_is_mended_without_a_restart() {
    let (telegram, server, id) = scripted(&file("examples/one-per-member.js")).await;
    let broken = "const integration = { conversations: { getOrCreateConversation() { throw new Error('broken') } } }";
    add(&server, &written(&server, broken), &[]).await;
    telegram.push_text(501, 501, "lost?");
    telegram.wait_until_taken().await;
    let events = wait::until("it is kept as an event", || async {
        let events = server.bot().list("/v1/chat/events", "events").await;
        let kept = |event: &&Value| event["type"] == "scripted:unmapped";
        events.iter().find(kept).cloned()
    })
    .await;
    assert_eq!(events["payload"]["update"]["message"]["text"], "lost?");
    assert!(
        events["payload"]["reason"]
            .as_str()
            .expect("a reason")
            .contains("broken")
    );
    let health = server.bot().get("/healthz").await.body;
    let trouble = health["integrations"][&id]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    // Anyone may read it, and the reason may repeat what people said.
    assert!(trouble.contains("its script fails"), "{health}");
    assert!(!trouble.contains("broken"), "{health}");
    assert!(conversations(&server).await.is_empty());

    add(&server, &documented(), &[]).await;
    telegram.push_text(501, 501, "hello");
    telegram.wait_for_text(501, "hello").await;
    let well = wait::until("it is well", || async {
        let health = server.bot().get("/healthz").await.body;
        let text = health["integrations"][&id].as_str()?.to_owned();
        (!text.contains("fails")).then_some(text)
    })
    .await;
    assert!(!well.is_empty());
}

/// Who takes part in the conversation with this external id, by external id.
async fn participants(server: &Server, id: &str, conversation: &str) -> BTreeSet<String> {
    let api = server.bot().acting_as(id, "scripted");
    let all = api.list("/v1/chat/conversations", "conversations").await;
    let found = all.iter().find(|one| one["tags"]["id"] == conversation);
    let found = found.and_then(|one| one["id"].as_str());
    let found = found.unwrap_or_else(|| panic!("{conversation} among {all:#?}"));
    let path = format!("/v1/chat/conversations/{found}/participants");
    let users = api.list(&path, "participants").await;
    let ids = users.iter().filter_map(|user| user["tags"]["id"].as_str());
    ids.map(str::to_owned).collect()
}

fn ids<const N: usize>(ids: [&str; N]) -> BTreeSet<String> {
    ids.map(str::to_owned).into()
}

/// Told by somebody else, an administrator that never said anything.
fn member(person: i64, status: &str, date: i64) -> Value {
    let named = |id: i64| json!({ "id": id, "is_bot": false, "first_name": format!("P{id}") });
    json!({ "chat_member": {
        "chat": { "id": GROUP, "type": "supergroup", "title": "Team" },
        "from": named(500), "date": 1_790_000_000 + date,
        "old_chat_member": { "status": "restricted", "user": named(person), "is_member": true },
        "new_chat_member": { "status": status, "user": named(person), "until_date": 0 },
    } })
}

#[tokio::test]
async fn who_is_in_a_chat_takes_part_where_the_script_says() {
    // One conversation for all, and one for each member.
    let (telegram, server, id) = scripted(&documented()).await;
    let group = GROUP.to_string();
    telegram.push(in_group(1, 501, "from ada"));
    telegram.push(in_group(2, 502, "from bob"));
    telegram.push_text(502, 502, "alone");
    telegram.push(member(502, "left", 10));
    telegram.push(member(503, "member", 11));
    // An older word that comes late.
    telegram.push(member(503, "kicked", 9));
    telegram.wait_until_taken().await;
    assert_eq!(
        participants(&server, &id, &group).await,
        ids(["501", "503"])
    );
    assert_eq!(participants(&server, &id, "502").await, ids(["502"]));
    telegram.push(in_group(3, 502, "back"));
    telegram.wait_until_taken().await;
    let all = ids(["501", "502", "503"]);
    assert_eq!(participants(&server, &id, &group).await, all);

    let (telegram, server, id) = scripted(&file("examples/one-per-member.js")).await;
    let (ada, bob) = (format!("{GROUP}#501"), format!("{GROUP}#502"));
    telegram.push(in_group(1, 501, "from ada"));
    telegram.push(in_group(2, 502, "from bob"));
    telegram.push(member(502, "left", 10));
    telegram.wait_until_taken().await;
    assert_eq!(participants(&server, &id, &ada).await, ids(["501"]));
    assert_eq!(participants(&server, &id, &bob).await, ids([]));
    // Ada brings Bob back, and somebody who has no conversation yet.
    let mut added = in_group(3, 501, "");
    let named = |id: i64| json!({ "id": id, "is_bot": false, "first_name": format!("P{id}") });
    let message = added["message"].as_object_mut().expect("a message");
    message.remove("text");
    message.insert(
        "new_chat_members".to_owned(),
        json!([named(502), named(503)]),
    );
    message.insert("date".to_owned(), json!(1_790_000_011));
    telegram.push(added);
    telegram.wait_until_taken().await;
    assert_eq!(participants(&server, &id, &bob).await, ids(["502"]));
    assert_eq!(participants(&server, &id, &ada).await, ids(["501"]));
    assert_eq!(conversations(&server).await.len(), 2);
    let events = server.bot().list("/v1/chat/events", "events").await;
    assert!(
        events
            .iter()
            .all(|event| event["type"] != "scripted:unmapped")
    );
}

const BROKEN: &str = "const integration = { conversations: { getOrCreateConversation() { \
    throw new Error('broken') } } }";

/// Replays; the answer, and whether all was taken.
async fn replay(server: &Server, more: &[&str]) -> (Vec<Value>, u64, bool) {
    let mut arguments = vec!["integrations", "replay", "scripted", "--json"];
    arguments.extend(more);
    let ended = server.command(&arguments).await;
    assert!(matches!(ended.code, Some(0 | 1)), "{ended:#?}");
    let answer: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    let replayed = answer["replayed"].as_array().expect("a list").clone();
    let waiting = answer["waiting"].as_u64().expect("a number");
    (replayed, waiting, ended.code == Some(0))
}

async fn unmapped(server: &Server) -> Vec<Value> {
    let arguments = ["integrations", "unmapped", "scripted", "--json"];
    let answer = server.command(&arguments).await.json();
    answer["unmapped"].as_array().expect("a list").clone()
}

/// Updates that came while the script failed, all kept.
async fn kept(telegram: &FakeTelegram, server: &Server, updates: Vec<Value>) {
    add(server, &written(server, BROKEN), &[]).await;
    let count = updates.len();
    for update in updates {
        telegram.push(update);
    }
    telegram.wait_until_taken().await;
    assert_eq!(unmapped(server).await.len(), count);
}

fn private(message: i64, person: i64, text: &str) -> Value {
    json!({ "message": {
        "message_id": message, "date": 1_790_000_000,
        "chat": { "id": person, "type": "private" },
        "from": { "id": person, "is_bot": false, "first_name": format!("P{person}") }, "text": text,
    } })
}

fn edited(message: i64, person: i64, text: &str) -> Value {
    let mut update = private(message, person, text);
    let mut content = update["message"].take();
    content["edit_date"] = json!(1_790_000_100);
    json!({ "edited_message": content })
}

#[tokio::test]
async fn what_a_broken_script_kept_becomes_messages_once_it_is_mended() {
    let bot = Bot::silent().await;
    let telegram = FakeTelegram::start().await;
    let server = Server::builder()
        .env("SWITCHBOARD_TELEGRAM_API_URL", telegram.url())
        .bot(&bot.url)
        .start()
        .await;
    let added = add(&server, &documented(), &["--telegram-token", TOKEN]).await;
    assert_eq!(added["waiting"], 0);
    let id = added["integration_id"].as_str().expect("an id").to_owned();
    telegram.push(private(1, 501, "before"));
    bot.wait_for_text("before").await;
    let updates = vec![
        private(2, 501, "kept"),
        private(3, 501, "to be edited"),
        private(1, 502, "of another"),
        edited(3, 501, "edited"),
    ];
    kept(&telegram, &server, updates.clone()).await;
    let listed = unmapped(&server).await;
    assert_eq!(listed[0]["thread"], "501");
    assert!(
        listed[0]["reason"]
            .as_str()
            .expect("a reason")
            .contains("broken")
    );
    // Still broken: nothing is lost by trying.
    let (tried, waiting, done) = replay(&server, &[]).await;
    assert_eq!((waiting, done), (4, false));
    let outcomes: Vec<_> = tried.iter().map(|one| one["outcome"].as_str()).collect();
    assert_eq!(outcomes, [Some("failed"); 4]);

    let arguments = ["integrations", "add", "javascript", &documented()];
    let more = ["--alias", "scripted", "--channel", "telegram"];
    let mended = server.command(&[&arguments[..], &more].concat()).await;
    assert!(mended.ok().contains("4 updates wait"), "{}", mended.stdout);
    assert!(
        mended
            .stdout
            .contains("switchboard integrations replay scripted")
    );
    telegram.push(private(4, 501, "meanwhile"));
    bot.wait_for_text("meanwhile").await;
    let (replayed, waiting, done) = replay(&server, &[]).await;
    assert_eq!((replayed.len(), waiting, done), (4, 0, true));
    assert_eq!(replayed[3]["outcome"], "event");

    let api = server.bot().acting_as(&id, "scripted");
    let all = conversations(&server).await;
    assert_eq!(all.len(), 2, "{all:#?}");
    let mine = all
        .iter()
        .find(|one| one["id"] == replayed[0]["conversation"]);
    let mine = mine.expect("the conversation");
    let expected = ["before", "meanwhile", "kept", "edited"];
    assert_eq!(texts(&api.messages(mine).await), expected);
    bot.wait_for_text("kept").await;
    bot.wait_for_text("of another").await;
    let held = replayed[0]["unmapped"].as_str().expect("an event");
    let held = server.bot().get(&format!("/v1/chat/events/{held}")).await;
    assert_eq!(held.ok("event")["messageId"], replayed[0]["message"]);

    // A second replay, and Telegram again, add nothing.
    let (again, waiting, done) = replay(&server, &[]).await;
    assert!(again.is_empty() && waiting == 0 && done, "{again:?}");
    let one = replayed[0]["unmapped"].as_str().expect("an event");
    let (again, _, _) = replay(&server, &["--event", one]).await;
    assert_eq!(again[0]["outcome"], "gone");
    for update in updates {
        telegram.push(update);
    }
    telegram.wait_until_taken().await;
    assert_eq!(texts(&api.messages(mine).await), expected);
    let other = server
        .command(&["integrations", "replay", "telegram", "--event", one])
        .await;
    assert_eq!(other.code, Some(1), "{other:#?}");
}

#[tokio::test]
async fn what_still_fails_holds_back_its_thread_and_no_other() {
    let (telegram, server, id) = scripted(&documented()).await;
    let updates = vec![
        private(1, 501, "bad"),
        private(2, 501, "good"),
        private(1, 502, "fine"),
    ];
    kept(&telegram, &server, updates).await;
    let half = std::fs::read_to_string(documented())
        .expect("the script")
        .replace(
            "getOrCreateConversation: async (ctx, telegramConversationId) => {",
            "getOrCreateConversation: async (ctx, telegramConversationId) => {
            if (ctx.update.message.text === 'bad') throw new Error('not this one')",
        );
    add(&server, &written(&server, &half), &[]).await;
    let (replayed, waiting, done) = replay(&server, &[]).await;
    assert_eq!((waiting, done), (2, false));
    assert_eq!(replayed[0]["outcome"], "failed");
    assert!(
        replayed[0]["reason"]
            .as_str()
            .expect("why")
            .contains("not this one")
    );
    assert_eq!(replayed[1]["outcome"], "behind");
    assert_eq!(replayed[1]["event"], replayed[0]["unmapped"]);
    assert_eq!(replayed[2]["outcome"], "message");
    telegram.wait_for_text(502, "fine").await;

    let good = replayed[1]["unmapped"].as_str().expect("an event");
    let (one, waiting, done) = replay(&server, &["--event", good]).await;
    assert_eq!(
        (&one[0]["outcome"], waiting, done),
        (&json!("message"), 1, true)
    );
    telegram.wait_for_text(501, "good").await;
    add(&server, &documented(), &[]).await;
    let (last, waiting, _) = replay(&server, &[]).await;
    assert_eq!(waiting, 0);
    assert_eq!(last[0]["conversation"], one[0]["conversation"]);
    telegram.wait_for_text(501, "bad").await;
    let api = server.bot().acting_as(&id, "scripted");
    let mine = json!({ "id": last[0]["conversation"] });
    let said = api.messages(&mine).await;
    let said: Vec<_> = texts(&said)
        .into_iter()
        .filter(|text| !text.contains("echo"))
        .collect();
    assert!(said.starts_with(&["good"]), "{said:?}");
}

#[tokio::test]
async fn a_replay_that_is_cut_off_by_a_kill_is_finished_by_the_next() {
    const COUNT: usize = 40;
    let bot = Bot::silent().await;
    let telegram = FakeTelegram::start().await;
    let mut server = Server::builder()
        .env("SWITCHBOARD_TELEGRAM_API_URL", telegram.url())
        .bot(&bot.url)
        .start()
        .await;
    add(&server, &documented(), &["--telegram-token", TOKEN]).await;
    let updates = (1..).take(COUNT);
    let updates = updates.map(|number| private(number, 501, &format!("n{number}")));
    kept(&telegram, &server, updates.collect()).await;
    add(&server, &documented(), &[]).await;
    let cut = async {
        bot.wait_for_text("n3").await;
        server.signal("KILL").await;
    };
    let arguments = ["integrations", "replay", "scripted", "--json"];
    let (ended, ()) = tokio::join!(server.command(&arguments), cut);
    assert_ne!(ended.code, Some(0), "it was killed before: {ended:#?}");
    server.kill().await;

    // The rest without a server.
    let (replayed, waiting, done) = replay(&server, &[]).await;
    assert!(
        !replayed.is_empty() && replayed.len() < COUNT,
        "{}",
        replayed.len()
    );
    assert_eq!((waiting, done), (0, true));
    server.start().await;
    bot.wait_for_text(&format!("n{COUNT}")).await;
    let all = conversations(&server).await;
    assert_eq!(all.len(), 1, "{all:#?}");
    let expected: Vec<_> = (1..=COUNT).map(|number| format!("n{number}")).collect();
    assert_eq!(texts(&server.bot().messages(&all[0]).await), expected);
    let mut told: Vec<_> = bot.received();
    told.retain(|one| one.text().is_some());
    let ids: BTreeSet<_> = told.iter().map(|one| one.id().to_owned()).collect();
    assert_eq!(ids.len(), COUNT, "each message has one event");
}

#[tokio::test]
async fn a_call_is_given_a_sender_and_an_update() {
    let server = Server::echo().await;
    let source = "const integration = { conversations: {
        getOrCreateConversation: (ctx) => ctx.bp.conversations.getOrCreate({
            id: [ctx.sender?.id, ctx.update?.message?.text].join('|'), platform: 'telegram' }) } }";
    add(&server, &written(&server, source), &[]).await;
    let update = server.folder().join("update.json");
    std::fs::write(&update, r#"{"message":{"text":"hi"}}"#).expect("a file");
    let update = update.display().to_string();
    let called = async |more: &[&str]| {
        let arguments = [
            "integrations",
            "call",
            "scripted",
            GET_OR_CREATE,
            "1",
            "--json",
        ];
        server.command(&[&arguments[..], more].concat()).await
    };
    let sender = ["--sender", r#"{"id":"501"}"#];
    for (more, id) in [
        (vec![], "|"),
        (sender.to_vec(), "501|"),
        (vec!["--update", &update], "|hi"),
        ([&sender[..], &["--update", &update]].concat(), "501|hi"),
    ] {
        assert_eq!(called(&more).await.json()["tags"]["id"], id);
    }
    let piped = [
        "integrations",
        "call",
        "scripted",
        GET_OR_CREATE,
        "1",
        "--json",
        "--update",
        "-",
    ];
    let piped = server
        .command_with_input(&piped, r#"{"message":{"text":"in"}}"#)
        .await;
    assert_eq!(piped.json()["tags"]["id"], "|in");
    for (more, code, word) in [
        (["--sender", "501"], 2, "--sender: expected a JSON object"),
        (["--sender", "{"], 2, "--sender: expected JSON"),
        (["--sender", "{}"], 1, "sender"),
        (["--update", "nowhere.json"], 3, "nowhere.json"),
    ] {
        let refused = called(&more).await;
        assert_eq!(refused.code, Some(code), "{refused:#?}");
        assert!(refused.stderr.contains(word), "{refused:#?}");
    }
}

const OLD: i64 = -5001;
const NEW: i64 = -1_002_100_005_001;

fn in_chat(chat: i64, message: i64, person: i64, more: &Value) -> Value {
    let kind = if chat == OLD { "group" } else { "supergroup" };
    let mut content = json!({
        "message_id": message, "date": 1_790_000_000 + message,
        "chat": { "id": chat, "type": kind, "title": "Team" },
        "from": { "id": person, "is_bot": false, "first_name": format!("P{person}") },
    });
    for (name, value) in more.as_object().expect("fields") {
        content[name] = value.clone();
    }
    json!({ "message": content })
}

/// Two people speak in a group, which becomes a supergroup. Both are told of it by an update, before or
/// after what they say in the supergroup. Then `divided`: a conversation a person, else one.
async fn a_group_moves(script: String, told_first: bool, divided: bool) {
    let (telegram, server, id) = scripted(&script).await;
    let say = |chat, message, person, text: &str| {
        telegram.push(in_chat(chat, message, person, &json!({ "text": text })));
    };
    let told = || {
        let moved = json!({ "migrate_to_chat_id": NEW });
        telegram.push(in_chat(OLD, 3, 501, &moved));
        let moved = json!({ "migrate_from_chat_id": OLD });
        telegram.push(in_chat(NEW, 1, 501, &moved));
    };
    say(OLD, 1, 501, "ada before");
    say(OLD, 2, 502, "bob before");
    telegram.wait_for_text(OLD, "bob before").await;
    let before = conversations(&server).await;
    if told_first {
        told();
    }
    say(NEW, 2, 501, "ada between");
    say(NEW, 3, 502, "bob between");
    telegram.wait_for_text(NEW, "ada between").await;
    telegram.wait_for_text(NEW, "bob between").await;
    if !told_first {
        told();
    }
    telegram.wait_until_taken().await;
    say(NEW, 4, 501, "ada after");
    say(NEW, 5, 502, "bob after");
    telegram.wait_for_text(NEW, "ada after").await;
    telegram.wait_for_text(NEW, "bob after").await;

    let after = conversations(&server).await;
    let ids = |all: &[Value]| -> BTreeSet<String> {
        all.iter().map(|one| one["id"].to_string()).collect()
    };
    assert_eq!(ids(&before), ids(&after), "{after:#?}");
    assert_eq!(after.len(), if divided { 2 } else { 1 });
    let api = server.bot().acting_as(&id, "scripted");
    let mut seen = BTreeSet::new();
    for conversation in &after {
        let said = api.messages(conversation).await;
        let said: Vec<_> = said
            .iter()
            .filter(|one| one["direction"] == "incoming")
            .collect();
        for person in ["ada", "bob"] {
            let all = ["before", "between", "after"].map(|when| format!("{person} {when}"));
            let his: Vec<_> = said
                .iter()
                .filter_map(|one| one["payload"]["text"].as_str())
                .filter(|text| text.starts_with(person))
                .collect();
            if his.is_empty() && divided {
                continue;
            }
            assert_eq!(his, all, "{said:#?}");
            seen.insert(person);
        }
        assert_eq!(said.len(), if divided { 3 } else { 6 });
        let own = conversation["id"].as_str().expect("an id");
        let full = api.get(&format!("/v1/chat/conversations/{own}")).await;
        let full = full.ok("conversation");
        assert_eq!(full["tags"]["chatId"], NEW.to_string(), "{full}");
    }
    assert_eq!(seen.len(), 2);
}

#[tokio::test]
async fn a_scripts_conversation_goes_on_in_the_supergroup_that_a_group_became() {
    for told_first in [true, false] {
        a_group_moves(documented(), told_first, false).await;
    }
}

#[tokio::test]
async fn each_members_conversation_goes_on_in_the_supergroup_that_a_group_became() {
    for told_first in [true, false] {
        a_group_moves(file("examples/one-per-member.js"), told_first, true).await;
    }
}

#[tokio::test]
async fn a_script_is_taken_off_and_the_channel_maps_what_comes_and_what_waits() {
    let (telegram, server, id) = scripted(&documented()).await;
    let bot = server.bot().acting_as(&id, "scripted");
    let said = async |count| {
        wait::until("it is stored", || async {
            let all = conversations(&server).await;
            let messages = bot.messages(all.first()?).await;
            let incoming = messages.iter().filter(|one| one["direction"] == "incoming");
            (incoming.count() == count).then_some(all)
        })
        .await
    };
    telegram.push(private(1, 501, "before"));
    said(1).await;
    kept(&telegram, &server, vec![private(2, 501, "waits")]).await;
    let off = ["integrations", "unscript", "scripted", "--json"];
    let answer = server.command(&off).await.json();
    assert_eq!(answer["waiting"], 1, "{answer}");
    assert_eq!(answer["integration"]["active"], true, "{answer}");
    // The script is broken, so that what comes now is read without it.
    telegram.push(private(3, 501, "after"));
    said(2).await;
    let (replayed, waiting, done) = replay(&server, &[]).await;
    assert_eq!(
        (replayed.len(), waiting, done),
        (1, 0, true),
        "{replayed:?}"
    );
    let all = said(3).await;
    assert_eq!(all.len(), 1, "the script's conversation goes on: {all:#?}");
    let list = server.command(&["integrations", "list"]).await;
    assert!(!list.ok().contains("a script maps it"), "{}", list.stdout);
    let called = [
        &["integrations", "call", "scripted"][..],
        &[GET_OR_CREATE, "501"],
    ]
    .concat();
    let refused = server.command(&called).await;
    assert!(refused.stderr.contains("has no script"), "{refused:#?}");
    // Once more changes nothing.
    assert_eq!(server.command(&off).await.json()["waiting"], 0);
}
