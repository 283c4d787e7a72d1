//! The outbox.

use std::time::Duration;

use switchboard_model::{DeliveryId, DeliveryStatus, Error, EventId, EventStatus, Json, MessageId};

use super::Factory;
use super::world::{World, all, dead, delivered, json, new_integration, tags, text_payload};
use crate::{
    Change, Claim, ClaimedDelivery, ConversationChange, ConversationFilter, DeliveryRecordStatus,
    InboundContent, IntegrationChange, Lane, MessageFilter, NewEvent, Outcome, Reply, SentPart,
    Subject,
};

pub(super) fn text_of(claimed: &ClaimedDelivery) -> String {
    let payload: &Json = match &claimed.subject {
        Subject::Message(outgoing) => &outgoing.message.payload,
        other => panic!("a message, not {other:?}"),
    };
    payload.as_str().to_owned()
}

pub(super) fn payload(text: &str) -> String {
    text_payload(text).as_str().to_owned()
}

/// Within a line the order of enqueuing; between lines nobody waits.
pub async fn a_line_is_kept_and_lines_do_not_wait_for_each_other(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let (a, b) = (world.thread("a").await, world.thread("b").await);
    for number in 0..3 {
        for (name, conversation) in [("a", a.id), ("b", b.id)] {
            let text = format!("{name}{number}");
            world.post(world.outgoing(conversation, &text)).await;
            world.pass(Duration::from_millis(1));
        }
    }
    for number in 0..3 {
        let claimed = world.claim(world.channel()).await.deliveries;
        let texts: Vec<_> = claimed.iter().map(text_of).collect();
        let expected = ["a", "b"].map(|name| payload(&format!("{name}{number}")));
        assert_eq!(texts, expected);
        let nothing = world.claim(world.channel()).await;
        assert!(nothing.deliveries.is_empty());
        assert!(world.store.is_busy(world.bot, a.id).await.unwrap());
        for one in &claimed {
            assert!(world.finish(one, delivered()).await);
            assert!(!world.finish(one, delivered()).await, "finished once");
        }
    }
    assert!(!world.store.is_busy(world.bot, a.id).await.unwrap());
    assert_eq!(world.claim(world.channel()).await.next_due, None);

    // A limit leaves the others due.
    world.post(world.outgoing(a.id, "x")).await;
    world.post(world.outgoing(b.id, "y")).await;
    let claim = Claim {
        limit: 1,
        ..world.a_claim(world.channel())
    };
    let claimed = world.store.claim(claim).await.unwrap();
    assert_eq!(claimed.deliveries.len(), 1);
    assert!(claimed.next_due.unwrap() <= world.now());
}

/// A retry holds its line; a wait that was asked for uses up no attempt and no patience.
pub async fn a_retry_waits_and_an_asked_wait_does_not_count(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let conversation = world.thread("1").await;
    let message = world.post(world.outgoing(conversation.id, "x")).await.value;
    world.post(world.outgoing(conversation.id, "y")).await;
    let start = world.now();
    let retry = |counts| Outcome::Retry {
        after: Duration::from_secs(10),
        error: "503".to_owned(),
        uncertain: false,
        counts,
    };
    let claimed = world.claim_one(world.channel()).await;
    assert!(world.finish(&claimed, retry(true)).await);
    let waiting = world.claim(world.channel()).await;
    assert!(waiting.deliveries.is_empty());
    assert_eq!(waiting.next_due, Some(start.plus(Duration::from_secs(10))));
    let shown = world.message(message.id).await.delivery.unwrap();
    assert_eq!(shown.status, DeliveryStatus::Queued);
    assert_eq!((shown.attempts, shown.error.as_deref()), (1, Some("503")));
    world.pass(Duration::from_secs(10));
    let claimed = world.claim_one(world.channel()).await;
    assert_eq!((claimed.attempt, claimed.trying_since), (2, start));
    assert!(world.finish(&claimed, retry(false)).await);
    world.pass(Duration::from_secs(10));
    let claimed = world.claim_one(world.channel()).await;
    let later = start.plus(Duration::from_secs(10));
    assert_eq!((claimed.attempt, claimed.trying_since), (2, later));
    assert_eq!(text_of(&claimed), payload("x"));
    assert!(world.finish(&claimed, delivered()).await);
    let shown = world.message(message.id).await.delivery.unwrap();
    assert_eq!((shown.status, shown.error), (DeliveryStatus::Sent, None));
}

/// A dead one lets the next pass; a replay goes to the end and keeps its id.
pub async fn the_dead_make_way_and_come_back_at_the_end(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let store = &world.store;
    let conversation = world.thread("1").await;
    let first = world.post(world.outgoing(conversation.id, "x")).await.value;
    world.post(world.outgoing(conversation.id, "y")).await;
    world.post(world.outgoing(conversation.id, "z")).await;
    let x = world.claim_one(world.channel()).await;
    assert!(world.finish(&x, dead("blocked by the user")).await);
    let shown = world.message(first.id).await.delivery.unwrap();
    assert_eq!(shown.status, DeliveryStatus::Failed);
    assert_eq!(shown.error.as_deref(), Some("blocked by the user"));
    let y = world.claim_one(world.channel()).await;
    assert_eq!(text_of(&y), payload("y"));
    let early = store.replay_delivery(world.bot, y.id, world.now()).await;
    assert!(matches!(early, Err(Error::InvalidPayload { .. })));
    let list = store.list_deliveries(world.bot, Some(DeliveryRecordStatus::Dead), None, all());
    let list = list.await.unwrap().items;
    assert_eq!(list.len(), 1);
    assert_eq!((list[0].id, list[0].message), (x.id, Some(first.id)));

    let replayed = store.replay_delivery(world.bot, x.id, world.now()).await;
    let replayed = replayed.unwrap().unwrap();
    assert_eq!(replayed.id, x.id);
    assert_eq!(replayed.status, DeliveryRecordStatus::Pending);
    let shown = world.message(first.id).await.delivery.unwrap();
    assert_eq!(shown.status, DeliveryStatus::Queued);
    let uncertain = Outcome::Uncertain {
        error: "cut off".to_owned(),
    };
    assert!(world.finish(&y, uncertain).await);
    for expected in ["z", "x"] {
        let next = world.claim_one(world.channel()).await;
        assert_eq!(text_of(&next), payload(expected));
        assert!(world.finish(&next, delivered()).await);
    }
    let all_of = store.list_deliveries(world.bot, None, Some(conversation.id), all());
    let statuses: Vec<_> = all_of
        .await
        .unwrap()
        .items
        .iter()
        .map(|d| d.status)
        .collect();
    assert_eq!(
        statuses,
        [
            DeliveryRecordStatus::Delivered,
            DeliveryRecordStatus::Delivered,
            DeliveryRecordStatus::Uncertain
        ]
    );
    // With nothing before it, a replayed one is ready at once.
    let replay = store.replay_delivery(world.bot, y.id, world.now()).await;
    assert!(replay.unwrap().is_some());
    assert_eq!(world.claim_one(world.channel()).await.id, y.id);
    let none = DeliveryId::new(world.env.ulid());
    let none = store.replay_delivery(world.bot, none, world.now()).await;
    assert_eq!(none.unwrap(), None);
}

/// What was dismissed is no longer among the dead or uncertain; what it is of stays as it was, and a
/// replay takes it from there.
pub async fn the_dismissed_are_set_aside_and_may_come_back(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let store = &world.store;
    let conversation = world.thread("1").await;
    let given_up = world.post(world.outgoing(conversation.id, "x")).await.value;
    let x = world.claim_one(world.channel()).await;
    let waiting = store.dismiss_delivery(world.bot, x.id).await;
    assert!(matches!(waiting, Err(Error::InvalidPayload { .. })));
    assert!(world.finish(&x, dead("blocked by the user")).await);
    let cut_off = world.post(world.outgoing(conversation.id, "y")).await.value;
    let y = world.claim_one(world.channel()).await;
    let uncertain = Outcome::Uncertain {
        error: "cut off".to_owned(),
    };
    assert!(world.finish(&y, uncertain).await);

    for id in [x.id, y.id, x.id] {
        let dismissed = store.dismiss_delivery(world.bot, id).await.unwrap();
        let dismissed = dismissed.unwrap();
        assert_eq!(dismissed.id, id);
        assert_eq!(dismissed.status, DeliveryRecordStatus::Dismissed);
        assert!(dismissed.error.is_some());
    }
    let listed = async |status| {
        let list = store.list_deliveries(world.bot, Some(status), None, all());
        let items = list.await.unwrap().items;
        items.iter().map(|found| found.id).collect::<Vec<_>>()
    };
    assert_eq!(listed(DeliveryRecordStatus::Dead).await, []);
    assert_eq!(listed(DeliveryRecordStatus::Uncertain).await, []);
    let dismissed = listed(DeliveryRecordStatus::Dismissed).await;
    assert_eq!(dismissed, [y.id, x.id]);
    let shown = world.message(given_up.id).await.delivery.unwrap();
    assert_eq!(shown.status, DeliveryStatus::Failed);
    assert_eq!(shown.error.as_deref(), Some("blocked by the user"));
    let shown = world.message(cut_off.id).await.delivery.unwrap();
    assert_eq!(shown.status, DeliveryStatus::Uncertain);
    assert!(!store.is_busy(world.bot, conversation.id).await.unwrap());

    let replayed = store.replay_delivery(world.bot, x.id, world.now()).await;
    let replayed = replayed.unwrap().unwrap();
    assert_eq!(replayed.status, DeliveryRecordStatus::Pending);
    let again = world.claim_one(world.channel()).await;
    assert_eq!(again.id, x.id);
    assert!(world.finish(&again, delivered()).await);
    let done = store.dismiss_delivery(world.bot, x.id).await;
    assert!(matches!(done, Err(Error::InvalidPayload { .. })));
    assert_eq!(listed(DeliveryRecordStatus::Dismissed).await, [y.id]);
    let none = DeliveryId::new(world.env.ulid());
    let none = store.dismiss_delivery(world.bot, none).await;
    assert_eq!(none.unwrap(), None);
}

/// An event whose delivery was dismissed has failed all the same.
pub async fn an_event_that_was_dismissed_has_failed(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let store = &world.store;
    let event = store.create_event(world.event(None, "failing")).await;
    let event = event.unwrap().id;
    let claimed = world.claim_one(Lane::Bots).await;
    assert!(world.finish(&claimed, dead("refused")).await);
    let dismissed = store.dismiss_delivery(world.bot, claimed.id).await;
    let dismissed = dismissed.unwrap().unwrap();
    assert_eq!(dismissed.event, Some(event));
    let shown = store.get_event(world.bot, event).await.unwrap().unwrap();
    assert_eq!(shown.status, EventStatus::Failed);
    assert_eq!(shown.failure_reason.as_deref(), Some("refused"));
}

fn reply(world: &World, text: &str) -> Reply {
    Reply {
        message: MessageId::new(world.env.ulid()),
        delivery: DeliveryId::new(world.env.ulid()),
        kind: "text".to_owned(),
        payload: text_payload(text),
    }
}

/// Answers and completion are one write: both or, under an old epoch, neither.
pub async fn replies_are_stored_with_the_completion(factory: &dyn Factory) {
    let world = World::new(factory).await;
    world
        .ingest(vec![world.update("1", "7", "hi", Some(1))])
        .await;
    let stale = world.claim_one(Lane::Bots).await;
    world.pass(Duration::from_mins(1));
    let claimed = world.claim_one(Lane::Bots).await;
    let with_change = || Outcome::Delivered {
        replies: vec![reply(&world, "a"), reply(&world, "b")],
        tags: tags([]),
        change: Some(Box::new(ConversationChange {
            state: None,
            tags: tags([("handover", "requested")]),
        })),
    };
    let handed_over = async || {
        let filter = ConversationFilter {
            tags: tags([("handover", "requested")]),
            ..ConversationFilter::default()
        };
        let listed = world.store.list_conversations(world.bot, filter, all());
        listed.await.unwrap().items.len()
    };
    assert!(!world.finish(&stale, with_change()).await);
    assert_eq!(handed_over().await, 0);
    assert!(world.claim(world.channel()).await.deliveries.is_empty());
    assert!(world.finish(&claimed, with_change()).await);
    assert_eq!(handed_over().await, 1);
    let Subject::Event(event) = claimed.subject else {
        panic!("an event");
    };
    let event = world.store.get_event(world.bot, event.id).await.unwrap();
    assert_eq!(event.unwrap().status, EventStatus::Processed);
    for expected in ["a", "b"] {
        let next = world.claim_one(world.channel()).await;
        assert_eq!(text_of(&next), payload(expected));
        let Subject::Message(outgoing) = &next.subject else {
            panic!("a message");
        };
        assert_eq!(outgoing.message.user, world.bot.into());
        assert_eq!(outgoing.user.id, world.bot.into());
        let sent = Outcome::Delivered {
            replies: Vec::new(),
            tags: tags([("telegram:id", expected)]),
            change: None,
        };
        assert!(world.finish(&next, sent).await);
        let stored = world.message(outgoing.message.id).await;
        assert_eq!(stored.tags, tags([("telegram:id", expected)]));
    }
}

/// An answer that has no place to go fails visibly; nothing of it is kept.
pub async fn replies_without_a_conversation_are_dead(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let event = NewEvent {
        id: EventId::new(world.env.ulid()),
        delivery: DeliveryId::new(world.env.ulid()),
        bot: world.bot,
        kind: "timer".to_owned(),
        payload: json("{}"),
        conversation: None,
        user: None,
        message: None,
        workflow: None,
        due: None,
        now: world.now(),
    };
    let id = event.id;
    world.store.create_event(event).await.unwrap();
    let claimed = world.claim_one(Lane::Bots).await;
    let answer = Outcome::Delivered {
        replies: vec![reply(&world, "a")],
        tags: tags([]),
        change: None,
    };
    assert!(world.finish(&claimed, answer).await);
    let event = world.store.get_event(world.bot, id).await.unwrap().unwrap();
    assert_eq!(event.status, EventStatus::Failed);
    assert!(event.failure_reason.unwrap().contains("no conversation"));
    let list = world
        .store
        .list_messages(world.bot, MessageFilter::default(), all());
    assert!(list.await.unwrap().items.is_empty());
}

/// A message to an inactive integration is failed from the start, and can be replayed.
pub async fn an_inactive_integration_fails_visibly(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let store = &world.store;
    let conversation = world.thread("1").await;
    let switch = async |active| {
        let change = IntegrationChange {
            active: Some(active),
            secret: None,
            script: None,
        };
        let update = store.update_integration(world.bot, world.integration, change, world.now());
        update.await.unwrap();
    };
    switch(false).await;
    let post = world.outgoing(conversation.id, "x");
    let delivery = post.delivery;
    let message = world.post(post).await.value;
    let shown = message.delivery.unwrap();
    assert_eq!((shown.status, shown.attempts), (DeliveryStatus::Failed, 0));
    assert!(shown.error.unwrap().contains("telegram is not active"));
    assert!(world.claim(world.channel()).await.deliveries.is_empty());
    switch(true).await;
    let replay = store
        .replay_delivery(world.bot, delivery, world.now())
        .await;
    assert!(replay.unwrap().is_some());
    assert_eq!(world.claim_one(world.channel()).await.id, delivery);
}

/// Parts that left are handed to whoever tries next, after a replay too.
pub async fn parts_that_left_are_remembered(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let conversation = world.thread("1").await;
    world.post(world.outgoing(conversation.id, "x")).await;
    let claimed = world.claim_one(world.channel()).await;
    assert!(claimed.progress.is_empty());
    let parts = [(0, "5"), (1, "\"6\"")].map(|(part, id)| SentPart::new(part, id));
    for part in &parts {
        let record = world
            .store
            .record_part(claimed.id, claimed.epoch, part.clone());
        assert!(record.await.unwrap());
    }
    assert!(world.finish(&claimed, dead("no")).await);
    let replay = world
        .store
        .replay_delivery(world.bot, claimed.id, world.now());
    replay.await.unwrap();
    let again = world.claim_one(world.channel()).await;
    assert_eq!(again.progress, parts);
    assert_eq!(again.trying_since, world.now());
}

/// What a deleted message or conversation left in the outbox is claimed as gone, and makes way.
pub async fn what_was_deleted_is_gone(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let conversation = world.thread("1").await;
    let first = world.post(world.outgoing(conversation.id, "x")).await.value;
    world.post(world.outgoing(conversation.id, "y")).await;
    let delete = world
        .store
        .delete_message(world.bot, first.id, None, world.now());
    delete.await.unwrap();
    let gone = world.claim_one(world.channel()).await;
    assert!(matches!(gone.subject, Subject::Gone));
    assert!(world.finish(&gone, dead("deleted")).await);
    let delete = world
        .store
        .delete_conversation(world.bot, conversation.id, world.now());
    delete.await.unwrap();
    let gone = world.claim_one(world.channel()).await;
    assert!(matches!(gone.subject, Subject::Gone));
    assert!(world.finish(&gone, dead("deleted")).await);
    let list = world.store.list_deliveries(world.bot, None, None, all());
    assert!(list.await.unwrap().items.is_empty());
}

/// However many are tried again, a claim may keep room for those that never were.
pub async fn retries_leave_room_for_first_tries(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let store = &world.store;
    let retry = || Outcome::Retry {
        after: Duration::ZERO,
        error: "503".to_owned(),
        uncertain: false,
        counts: false,
    };
    for name in ["a", "b", "c"] {
        let conversation = world.thread(name).await;
        world.post(world.outgoing(conversation.id, name)).await;
    }
    let failing = world.claim(world.channel()).await.deliveries;
    assert!(failing.iter().all(|one| !one.again));
    for one in &failing {
        assert!(world.finish(one, retry()).await);
    }
    world.pass(Duration::from_millis(1));
    let fresh = world.thread("fresh").await;
    world.post(world.outgoing(fresh.id, "fresh")).await;
    let claim = |limit, again| {
        store.claim(Claim {
            limit,
            again,
            ..world.a_claim(world.channel())
        })
    };
    let claimed = claim(4, 1).await.unwrap();
    let texts: Vec<_> = claimed.deliveries.iter().map(text_of).collect();
    assert_eq!(texts, [payload("a"), payload("fresh")]);
    let again: Vec<_> = claimed.deliveries.iter().map(|one| one.again).collect();
    assert_eq!(again, [true, false]);
    let over = Some(world.now().plus(Duration::from_mins(1)));
    assert_eq!(claimed.next_due, over, "none that this claim could take");
    let none = claim(4, 0).await.unwrap();
    assert!(none.deliveries.is_empty());
    assert_eq!(none.next_due, over);
    let one = claim(1, 4).await.unwrap();
    assert_eq!(text_of(&one.deliveries[0]), payload("b"));
    assert!(one.next_due.unwrap() <= world.now());

    // A replay begins anew.
    let retried = &claimed.deliveries[0];
    assert!(world.finish(retried, dead("no")).await);
    let replay = store.replay_delivery(world.bot, retried.id, world.now());
    assert!(replay.await.unwrap().is_some());
    let first = claim(4, 0).await.unwrap().deliveries;
    assert_eq!((first[0].id, first[0].again), (retried.id, false));
}

/// Listeners hear of lanes and conversations, and find what they were told of.
pub async fn who_waits_is_told_after_the_commit(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let other = new_integration(&world.env, world.bot, "other", true);
    world.store.create_integration(other).await.unwrap();
    let mut changes = world.store.changes();
    let conversation = world.thread("1").await;
    let post = world.outgoing(conversation.id, "x");
    let id = post.message.id;
    world.post(post).await;
    let wanted = [
        Change::Lane(world.channel()),
        Change::Conversation(conversation.id),
    ];
    let mut heard = Vec::new();
    while heard.len() < wanted.len() {
        let change = tokio::time::timeout(Duration::from_secs(5), changes.recv());
        let change = change.await.expect("a change in time").unwrap();
        assert!(
            world
                .store
                .get_message(world.bot, id)
                .await
                .unwrap()
                .is_some()
        );
        assert!(wanted.contains(&change));
        heard.push(change);
    }
}

/// Of a message that goes out its delivery, of one that came in its event's.
pub async fn a_message_is_retried_by_its_own_id(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let (store, bot) = (&world.store, world.bot);
    let conversation = world.thread("1").await;
    let out = world
        .post(world.outgoing(conversation.id, "out"))
        .await
        .value;
    let update = world.update("1", "7", "in", Some(1));
    let InboundContent::Message(said) = &update.content else {
        panic!("a message");
    };
    let came = said.id;
    world.ingest(vec![update]).await;
    for (message, lane) in [(out.id, world.channel()), (came, Lane::Bots)] {
        let claimed = world.claim_one(lane).await;
        let busy = store.replay_message(bot, message, world.now()).await;
        assert!(matches!(busy.unwrap_err(), Error::InvalidPayload { .. }));
        assert!(world.finish(&claimed, dead("no")).await);
        let listed = store.message_deliveries(bot, message).await.unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].id, claimed.id);
        assert_eq!(listed[0].status, DeliveryRecordStatus::Dead);
        let replayed = store.replay_message(bot, message, world.now()).await;
        assert_eq!(replayed.unwrap().unwrap().id, claimed.id);
        let again = world.claim_one(lane).await;
        assert_eq!(again.id, claimed.id);
        assert!(world.finish(&again, delivered()).await);
        let done = store.replay_message(bot, message, world.now()).await;
        assert!(matches!(done.unwrap_err(), Error::InvalidPayload { .. }));
    }
    let other = world.another_bot().await;
    for (bot, message) in [(other.bot, out.id), (bot, MessageId::new(world.env.ulid()))] {
        let none = store.replay_message(bot, message, world.now()).await;
        assert_eq!(none.unwrap(), None);
        let none = store.message_deliveries(bot, message).await;
        assert!(none.unwrap().is_empty());
    }
}
