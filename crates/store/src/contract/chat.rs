//! Chats of a channel as a whole: who is in them, and messages that are named without their thread.

use std::collections::BTreeSet;

use switchboard_model::{ConversationId, Direction, Event, MessageId, Tags};

use super::Factory;
use super::world::{World, all, json, once_of, tags, text_payload};
use crate::{
    About, Chat, ChatNews, Inbound, InboundContent, InboundEdit, InboundEvent, Ingested, Joined,
    Outcome, Rekey, Thread,
};

const BUSINESS: &str = "telegram:businessConnectionId";

fn chat(id: &str) -> Chat {
    Chat {
        channel: "channel".to_owned(),
        identity: tags([("telegram:id", id)]),
        tag: ("telegram:chatId".to_owned(), id.to_owned()),
        without: vec![BUSINESS.to_owned()],
    }
}

fn news(id: &str, at: i64) -> ChatNews {
    ChatNews {
        chat: chat(id),
        tags: Tags::new(),
        joined: Vec::new(),
        left: Vec::new(),
        decided: false,
        at,
        said_at: "telegram:date".to_owned(),
    }
}

fn event() -> InboundEvent {
    InboundEvent {
        kind: "telegram:chat_member".to_owned(),
        payload: json("{}"),
        thread: None,
        sender: None,
        moved_from: None,
        edit: None,
        about: None,
        tags: Tags::new(),
        news: None,
    }
}

fn told(world: &World, event: InboundEvent, once: Option<u64>) -> Inbound {
    let mut update = world.update("unused", "unused", "unused", once);
    update.content = InboundContent::Event(Box::new(event));
    update
}

async fn tell(world: &World, news: ChatNews) {
    let event = InboundEvent {
        news: Some(news),
        ..event()
    };
    world.ingest(vec![told(world, event, None)]).await;
}

async fn joined(world: &World, chat: &str, who: &str, at: i64) {
    let joined = vec![Joined {
        who: world.sender(who),
        into: None,
    }];
    tell(
        world,
        ChatNews {
            joined,
            ..news(chat, at)
        },
    )
    .await;
}

async fn left(world: &World, chat: &str, who: &str, at: i64) {
    let left = vec![world.sender(who)];
    tell(
        world,
        ChatNews {
            left,
            ..news(chat, at)
        },
    )
    .await;
}

/// The thread of a topic of a chat.
fn topic(world: &World, chat: &str, topic: &str) -> Thread {
    let id = format!("{chat}/{topic}");
    Thread {
        tags: tags([("telegram:id", &id), ("telegram:chatId", chat)]),
        ..world.external_thread(&id)
    }
}

async fn say(world: &World, thread: Thread, who: &str, text: &str) -> (ConversationId, MessageId) {
    say_once(world, thread, who, text, None).await
}

async fn say_once(
    world: &World,
    thread: Thread,
    who: &str,
    text: &str,
    once: Option<u64>,
) -> (ConversationId, MessageId) {
    let mut update = world.update("unused", who, text, once);
    if let InboundContent::Message(new) = &mut update.content {
        new.thread = thread;
        new.tags = Tags::new();
    }
    match &world.ingest(vec![update]).await[0] {
        Ingested::Message {
            conversation,
            message,
            ..
        } => (conversation.id, *message),
        other => panic!("a message, not {other:?}"),
    }
}

/// Who takes part, by external id.
async fn participants(world: &World, conversation: ConversationId) -> BTreeSet<String> {
    let list = world
        .store
        .list_participants(world.bot, conversation, all())
        .await;
    let users = list.unwrap().expect("a conversation").items;
    let id = |user: switchboard_model::User| user.tags.get("telegram:id").map(str::to_owned);
    users.into_iter().filter_map(id).collect()
}

fn set<const N: usize>(ids: [&str; N]) -> BTreeSet<String> {
    ids.map(str::to_owned).into()
}

async fn tag(world: &World, conversation: ConversationId, name: &str) -> Option<String> {
    let found = world.store.get_conversation(world.bot, conversation).await;
    found.unwrap().unwrap().tags.get(name).map(str::to_owned)
}

/// Of that chat alone: not of another, and not of what a business connection sees of it.
pub async fn who_leaves_a_chat_leaves_all_its_conversations(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let mut business = topic(&world, "-5", "seen");
    business.tags.insert(BUSINESS, "bc");
    let mut places = Vec::new();
    for thread in [
        world.external_thread("-5"),
        topic(&world, "-5", "42"),
        world.external_thread("-6"),
        business,
    ] {
        say(&world, thread.clone(), "8", "hi").await;
        places.push(say(&world, thread, "7", "hi").await.0);
    }
    let other = world.another_bot().await;
    let theirs = say(&other, other.external_thread("-5"), "7", "hi").await.0;
    let event = |world: &World| {
        let left = vec![world.sender("7"), world.sender("nobody")];
        let event = InboundEvent {
            news: Some(ChatNews {
                left,
                ..news("-5", 10)
            }),
            ..event()
        };
        told(world, event, Some(1))
    };
    world.ingest(vec![event(&world)]).await;
    let both = set(["7", "8"]);
    assert_eq!(participants(&world, places[0]).await, set(["8"]));
    assert_eq!(participants(&world, places[1]).await, set(["8"]));
    assert_eq!(participants(&world, places[2]).await, both);
    assert_eq!(participants(&world, places[3]).await, both);
    assert_eq!(participants(&other, theirs).await, set(["7"]));
    // Who speaks is there, and the old news again changes nothing of that.
    say(&world, topic(&world, "-5", "42"), "7", "back").await;
    let again = world.ingest(vec![event(&world)]).await;
    assert_eq!(again, [Ingested::Duplicate]);
    assert_eq!(participants(&world, places[1]).await, both);
    assert_eq!(participants(&world, places[0]).await, set(["8"]));
}

/// In the chat's own conversation only, and only if there is one.
pub async fn who_joins_a_chat_takes_part_once(factory: &dyn Factory) {
    let world = World::new(factory).await;
    joined(&world, "-5", "9", 10).await;
    assert!(world.conversations().await.is_empty());
    let own = say(&world, world.external_thread("-5"), "8", "hi").await.0;
    let beside = say(&world, topic(&world, "-5", "42"), "8", "hi").await.0;
    for _ in 0..2 {
        joined(&world, "-5", "9", 11).await;
    }
    assert_eq!(participants(&world, own).await, set(["8", "9"]));
    assert_eq!(participants(&world, beside).await, set(["8"]));
    assert!(
        !world
            .store
            .get_or_create_user(world.new_user("9"))
            .await
            .unwrap()
            .created
    );
    say(&world, world.external_thread("-5"), "9", "hello").await;
    assert_eq!(participants(&world, own).await, set(["8", "9"]));
}

/// In whatever order the news of a person come.
pub async fn an_older_word_on_who_is_in_a_chat_changes_nothing(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let own = say(&world, world.external_thread("-5"), "8", "hi").await.0;
    let (nobody, somebody) = (set(["8"]), set(["8", "9"]));
    joined(&world, "-5", "9", 20).await;
    left(&world, "-5", "9", 10).await;
    assert_eq!(participants(&world, own).await, somebody);
    // Another chat has times of its own.
    left(&world, "-6", "9", 30).await;
    left(&world, "-5", "9", 20).await;
    assert_eq!(participants(&world, own).await, nobody);
    joined(&world, "-5", "9", 19).await;
    assert_eq!(participants(&world, own).await, nobody);
    joined(&world, "-5", "9", 21).await;
    assert_eq!(participants(&world, own).await, somebody);
    // Who is made anew has no past.
    let user = world.person("9").await;
    let deleted = world.store.delete_user(world.bot, user.id, world.now());
    assert!(deleted.await.unwrap());
    while world.store.sweep(world.now()).await.unwrap() > 0 {}
    joined(&world, "-5", "9", 1).await;
    assert_eq!(participants(&world, own).await, somebody);
}

/// Wherever in the chat, and in whatever order it is told.
pub async fn who_speaks_after_leaving_is_there(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let own = say(&world, world.external_thread("-5"), "8", "hi").await.0;
    say(&world, world.external_thread("-5"), "9", "undated").await;
    let mut update = world.update("unused", "9", "back", None);
    if let InboundContent::Message(new) = &mut update.content {
        new.thread = topic(&world, "-5", "42");
        new.tags = tags([("telegram:date", "20")]);
    }
    let answers = world.ingest(vec![update]).await;
    let Ingested::Message { conversation, .. } = &answers[0] else {
        panic!("a message, not {answers:?}");
    };
    let beside = conversation.id;
    left(&world, "-5", "9", 19).await;
    assert_eq!(participants(&world, own).await, set(["8", "9"]));
    assert_eq!(participants(&world, beside).await, set(["9"]));
    // In another chat nothing was said since; here they left after that.
    left(&world, "-6", "9", 19).await;
    left(&world, "-5", "9", 20).await;
    assert_eq!(participants(&world, own).await, set(["8"]));
    assert_eq!(participants(&world, beside).await, set([]));
}

/// Something that `who` says in a chat, which goes into a conversation that was decided on.
async fn say_into(world: &World, conversation: ConversationId, chat: &str, who: &str, at: i64) {
    let mut update = world.update("unused", who, "hi", None);
    if let InboundContent::Message(new) = &mut update.content {
        new.thread.known = Some(conversation);
        new.thread.tags = tags([("telegram:chatId", chat)]);
        let date = at.to_string();
        new.tags = tags([("telegram:chatId", chat), ("telegram:date", &date)]);
    }
    world.ingest(vec![update]).await;
}

/// What somebody else decides on: whose conversations a chat's are is told by the chat that wrote last,
/// and who has spoken in one from another chat stays.
pub async fn who_is_in_a_chat_whose_conversations_are_decided(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let decided = |news: ChatNews| ChatNews {
        decided: true,
        ..news
    };
    let left = async |who: &str, chat: &str, at: i64| {
        let left = vec![world.sender(who)];
        tell(
            &world,
            decided(ChatNews {
                left,
                ..news(chat, at)
            }),
        )
        .await;
    };
    let mut places = Vec::new();
    for name in ["one", "two", "shared", "other"] {
        places.push(world.thread(name).await.id);
    }
    let [one, two, shared, other] = places[..] else {
        panic!("four");
    };
    say_into(&world, one, "-5", "7", 1).await;
    say_into(&world, one, "-5", "8", 1).await;
    say_into(&world, two, "-5", "7", 1).await;
    say_into(&world, shared, "-6", "7", 1).await;
    say_into(&world, shared, "-5", "7", 1).await;
    say_into(&world, shared, "-5", "9", 1).await;
    say_into(&world, other, "-6", "7", 1).await;
    left("7", "-5", 10).await;
    left("9", "-5", 10).await;
    left("nobody", "-5", 10).await;
    for (place, expected) in [
        (one, set(["8"])),
        (two, set([])),
        (shared, set(["7"])),
        (other, set(["7"])),
    ] {
        assert_eq!(participants(&world, place).await, expected);
    }
    // Word of another chat is none that they spoke here since.
    say_into(&world, one, "-5", "7", 5).await;
    say_into(&world, shared, "-6", "7", 15).await;
    say_into(&world, shared, "-5", "8", 1).await;
    left("7", "-5", 11).await;
    assert_eq!(participants(&world, one).await, set(["8"]));
    say_into(&world, one, "-5", "7", 15).await;
    left("7", "-5", 12).await;
    assert_eq!(participants(&world, one).await, set(["7", "8"]));
}

/// Where that is decided, else nowhere; and in nothing of another bot's.
pub async fn who_joins_a_chat_whose_conversations_are_decided(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let decided = |news: ChatNews| ChatNews {
        decided: true,
        ..news
    };
    let mut places = Vec::new();
    for name in ["-5", "two", "other"] {
        places.push(world.thread(name).await.id);
    }
    let [one, two, other] = places[..] else {
        panic!("three");
    };
    say_into(&world, one, "-5", "7", 1).await;
    say_into(&world, two, "-5", "7", 1).await;
    for (into, at) in [(None, 20), (Some(two), 21), (Some(other), 19)] {
        let joined = vec![Joined {
            who: world.sender("10"),
            into,
        }];
        tell(
            &world,
            decided(ChatNews {
                joined,
                ..news("-5", at)
            }),
        )
        .await;
    }
    assert_eq!(participants(&world, one).await, set(["7"]));
    assert_eq!(participants(&world, two).await, set(["10", "7"]));
    assert_eq!(participants(&world, other).await, set([]));
    // A user that was decided on leaves as any.
    let known = world.person("10").await.id;
    let mut who = world.sender("whoever");
    (who.known, who.tags) = (Some(known), tags([]));
    let left = vec![who];
    tell(
        &world,
        decided(ChatNews {
            left,
            ..news("-5", 30)
        }),
    )
    .await;
    assert_eq!(participants(&world, two).await, set(["7"]));
    // Nothing of another bot is decided on.
    let stranger = world.another_bot().await;
    let joined = vec![Joined {
        who: stranger.sender("10"),
        into: Some(two),
    }];
    let news = decided(ChatNews {
        joined,
        ..news("-5", 40)
    });
    let event = InboundEvent {
        news: Some(news),
        ..event()
    };
    let batch = stranger.batch(vec![told(&stranger, event, None)]);
    let refused = stranger.store.ingest(batch).await.unwrap_err();
    assert!(
        matches!(refused, switchboard_model::Error::ReferenceNotFound { .. }),
        "{refused}"
    );
    assert_eq!(participants(&world, two).await, set(["7"]));
}

/// Of a decided conversation nobody says so: it has the old name until something is said in it.
pub async fn who_leaves_a_decided_chat_that_moved(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let (one, two) = (world.thread("one").await.id, world.thread("two").await.id);
    for place in [one, two] {
        say_into(&world, place, "-5", "7", 1).await;
        say_into(&world, place, "-5", "8", 1).await;
    }
    let (bot, integration) = (world.bot, world.integration);
    let noted = world.store.note_move(bot, integration, "-1005", "-5").await;
    noted.unwrap();
    say_into(&world, one, "-1005", "8", 2).await;
    let left = vec![world.sender("7")];
    let news = ChatNews {
        left,
        decided: true,
        ..news("-1005", 10)
    };
    tell(&world, news).await;
    for place in [one, two] {
        assert_eq!(participants(&world, place).await, set(["8"]));
    }
}

/// What is told of a chat is on all its conversations, what is told of a topic on that alone; what was
/// true once is taken only where nothing is known.
pub async fn tags_of_a_chat_and_of_a_topic(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let mut named = topic(&world, "-5", "42");
    named.defaults = tags([("telegram:topicName", "Old")]);
    let own = say(&world, world.external_thread("-5"), "8", "hi").await.0;
    let beside = say(&world, named.clone(), "8", "hi").await.0;
    let other = say(&world, world.external_thread("-6"), "8", "hi").await.0;
    assert_eq!(
        tag(&world, beside, "telegram:topicName").await.as_deref(),
        Some("Old")
    );
    let status = tags([("telegram:botStatus", "kicked")]);
    tell(
        &world,
        ChatNews {
            tags: status,
            ..news("-5", 1)
        },
    )
    .await;
    for (place, expected) in [
        (own, Some("kicked")),
        (beside, Some("kicked")),
        (other, None),
    ] {
        let found = tag(&world, place, "telegram:botStatus").await;
        assert_eq!(found.as_deref(), expected);
    }
    let renamed = InboundEvent {
        thread: Some(topic(&world, "-5", "42")),
        tags: tags([("telegram:topicName", "New")]),
        ..event()
    };
    world
        .ingest(vec![told(&world, renamed.clone(), None)])
        .await;
    say(&world, named, "8", "again").await;
    assert_eq!(
        tag(&world, beside, "telegram:topicName").await.as_deref(),
        Some("New")
    );
    assert_eq!(tag(&world, own, "telegram:topicName").await, None);
    // It opens nothing.
    let nowhere = InboundEvent {
        thread: Some(topic(&world, "-5", "43")),
        ..renamed
    };
    world.ingest(vec![told(&world, nowhere, None)]).await;
    assert_eq!(world.conversations().await.len(), 3);
}

/// Sends a message that gets these tags when it has left.
async fn sent(world: &World, conversation: ConversationId, given: Tags) -> MessageId {
    let message = world.post(world.outgoing(conversation, "out")).await.value;
    let claimed = world.claim_one_of(world.channel(), conversation).await;
    let outcome = Outcome::Delivered {
        replies: Vec::new(),
        tags: given,
        change: None,
    };
    assert!(world.finish(&claimed, outcome).await);
    message.id
}

fn about(chat_id: &str, number: &str, once: Option<u64>) -> About {
    About {
        once: once.map(once_of),
        chat: chat(chat_id),
        message: ("telegram:id".to_owned(), number.to_owned()),
    }
}

async fn find(world: &World, about: About) -> Option<(MessageId, ConversationId)> {
    let (store, bot, integration) = (&world.store, world.bot, world.integration);
    let found = store.find_external_message(bot, integration, about).await;
    found.unwrap().map(|(message, place)| (message, place.id))
}

/// What came in by what it was recognised by, what went out by each of its numbers: looking, and in
/// the transaction of the event that is about it.
pub async fn a_message_is_found_by_its_name_in_the_chat(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let (own, _) = say(&world, world.external_thread("-5"), "8", "hi").await;
    let (beside, came) = say_once(&world, topic(&world, "-5", "42"), "8", "x", Some(3)).await;
    let (elsewhere, _) = say(&world, world.external_thread("-6"), "8", "hi").await;
    let one = sent(&world, own, tags([("telegram:id", "5")])).await;
    let parts = tags([("telegram:id", "9"), ("telegram:ids", "7,8,9")]);
    let many = sent(&world, beside, parts).await;
    let other = sent(&world, elsewhere, tags([("telegram:id", "5")])).await;

    assert_eq!(
        find(&world, about("-5", "3", Some(3))).await,
        Some((came, beside))
    );
    assert_eq!(
        find(&world, about("-5", "5", Some(4))).await,
        Some((one, own))
    );
    assert_eq!(
        find(&world, about("-6", "5", None)).await,
        Some((other, elsewhere))
    );
    for part in ["7", "8", "9"] {
        let found = find(&world, about("-5", part, None)).await;
        assert_eq!(found, Some((many, beside)), "{part}");
    }
    assert_eq!(find(&world, about("-5", "7,8,9", None)).await, None);
    assert_eq!(find(&world, about("-5", "6", None)).await, None);
    // A tag that an incoming message happens to have is no name that Telegram gave to one of ours.
    world
        .ingest(vec![world.update("-5", "8", "11", None)])
        .await;
    assert_eq!(find(&world, about("-5", "11", None)).await, None);

    let event = |about: About| InboundEvent {
        thread: Some(world.external_thread("-5")),
        about: Some(about),
        ..event()
    };
    let taken = world.ingest(vec![
        told(&world, event(about("-5", "8", None)), None),
        told(&world, event(about("-5", "3", Some(3))), None),
        told(&world, event(about("-5", "6", Some(6))), None),
    ]);
    let mut events: Vec<Event> = Vec::new();
    for taken in taken.await {
        let Ingested::Event { event, .. } = taken else {
            panic!("an event, not {taken:?}");
        };
        let found = world.store.get_event(world.bot, event).await;
        events.push(found.unwrap().unwrap());
    }
    let place = |event: &Event| (event.conversation, event.message);
    assert_eq!(place(&events[0]), (Some(beside), Some(many)));
    assert_eq!(place(&events[1]), (Some(beside), Some(came)));
    assert_eq!(place(&events[2]), (Some(own), None));

    // An edit belongs where its message is, whatever thread it comes in.
    let edit = InboundEvent {
        thread: Some(world.external_thread("-5")),
        edit: Some(InboundEdit {
            once: once_of(3),
            at: None,
            kind: "text".to_owned(),
            payload: text_payload("mended"),
            tags: Tags::new(),
        }),
        ..self::event()
    };
    let taken = world.ingest(vec![told(&world, edit, None)]).await;
    assert!(
        matches!(taken[0], Ingested::Event { conversation, .. } if conversation == Some(beside)),
        "{taken:?}"
    );
    assert_eq!(world.message(came).await.payload, text_payload("mended"));

    // Not another bot's, and nothing that is gone.
    let stranger = world.another_bot().await;
    assert_eq!(find(&stranger, about("-5", "5", Some(3))).await, None);
    let store = &world.store;
    assert!(
        store
            .delete_message(world.bot, many, None, world.now())
            .await
            .unwrap()
    );
    assert_eq!(find(&world, about("-5", "7", None)).await, None);
    assert!(
        store
            .delete_conversation(world.bot, own, world.now())
            .await
            .unwrap()
    );
    assert_eq!(find(&world, about("-5", "5", None)).await, None);
}

/// Numbers begin anew where a chat moves, and what is still told of the old one changes nothing.
pub async fn a_chat_that_moved_is_known_by_its_new_name(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let (own, _) = say(&world, world.external_thread("-5"), "8", "hi").await;
    sent(&world, own, tags([("telegram:id", "5")])).await;
    let command = Rekey {
        bot: world.bot,
        conversation: own,
        tags: tags([("telegram:id", "-1005"), ("telegram:chatId", "-1005")]),
        identity: tags([("telegram:id", "-1005")]),
        occupied: crate::Occupied::Refuse,
        now: world.now(),
    };
    world.store.rekey_conversation(command).await.unwrap();
    assert_eq!(find(&world, about("-1005", "5", None)).await, None);
    left(&world, "-5", "8", 10).await;
    assert_eq!(participants(&world, own).await, set(["8"]));
    let status = tags([("telegram:botStatus", "left")]);
    tell(
        &world,
        ChatNews {
            tags: status,
            ..news("-5", 1)
        },
    )
    .await;
    assert_eq!(tag(&world, own, "telegram:botStatus").await, None);

    // From the first message of the new chat on it is sure which chat a number is of.
    let mut update = world.update("-1005", "8", "1", None);
    if let InboundContent::Message(new) = &mut update.content {
        new.tags.insert("telegram:chatId", "-1005");
    }
    world.ingest(vec![update]).await;
    assert_eq!(find(&world, about("-1005", "5", None)).await, None);
    let new = sent(&world, own, tags([("telegram:id", "5")])).await;
    assert_eq!(
        find(&world, about("-1005", "5", None)).await,
        Some((new, own))
    );
    assert_eq!(world.message(new).await.direction, Direction::Outgoing);
    left(&world, "-1005", "8", 11).await;
    assert_eq!(participants(&world, own).await, set([]));
}
