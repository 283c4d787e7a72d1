//! What a bot changes after sending: edits and deletions on their way to the channel.

use std::time::Duration;

use serde_json::json;
use switchboard_model::{DeliveryId, DeliveryStatus, Error, Message, MessageId};

use super::Factory;
use super::world::{World, all, dead, delivered, tags, text_payload};
use crate::{
    Claim, ClaimedDelivery, DeliveryAction, DeliveryRecord, DeliveryRecordStatus,
    IntegrationChange, LostSends, MessageUpdate, Outcome, SentPart, Subject,
};

/// The bot gives a message another text.
async fn edit(world: &World, message: MessageId, text: &str) -> Message {
    let update = MessageUpdate {
        payload: Some(text_payload(text)),
        delivery: Some(DeliveryId::new(world.env.ulid())),
        ..MessageUpdate::default()
    };
    let changed = world
        .store
        .update_message(world.bot, message, update, world.now());
    changed.await.unwrap().expect("the message")
}

/// The bot deletes a message.
async fn delete(world: &World, message: MessageId) {
    let delivery = Some(DeliveryId::new(world.env.ulid()));
    let deleted = world
        .store
        .delete_message(world.bot, message, delivery, world.now());
    assert!(deleted.await.unwrap());
}

async fn record(world: &World, claimed: &ClaimedDelivery, part: SentPart) {
    let recorded = world.store.record_part(claimed.id, claimed.epoch, part);
    assert!(recorded.await.unwrap());
}

/// A message that the channel has in one part.
async fn sent(world: &World, thread: &str, text: &str) -> MessageId {
    let conversation = world.thread(thread).await;
    let message = world
        .post(world.outgoing(conversation.id, text))
        .await
        .value;
    let claimed = world.claim_one_of(world.channel(), conversation.id).await;
    record(world, &claimed, SentPart::new(0, "5")).await;
    assert!(world.finish(&claimed, delivered()).await);
    message.id
}

async fn records(world: &World) -> Vec<DeliveryRecord> {
    let list = world.store.list_deliveries(world.bot, None, None, all());
    list.await.unwrap().items
}

/// What each delivery of the bot does and how it stands, newest first.
async fn standing(world: &World) -> Vec<(DeliveryAction, DeliveryRecordStatus)> {
    let all = records(world).await;
    all.iter().map(|one| (one.action, one.status)).collect()
}

fn edited_text(claimed: &ClaimedDelivery) -> String {
    match &claimed.subject {
        Subject::Edit(outgoing) => outgoing.message.payload.as_str().to_owned(),
        other => panic!("an edit, not {other:?}"),
    }
}

fn text(text: &str) -> String {
    text_payload(text).as_str().to_owned()
}

fn retry() -> Outcome {
    Outcome::Retry {
        after: Duration::from_secs(10),
        error: "503".to_owned(),
        uncertain: false,
        counts: true,
    }
}

/// In its line, with what the channel has; the message's own delivery stays that of its sending.
pub async fn an_edit_goes_out_in_its_line(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let message = sent(&world, "1", "one").await;
    let conversation = world.message(message).await.conversation;
    world.post(world.outgoing(conversation, "two")).await;
    let changed = edit(&world, message, "changed").await;
    assert_eq!(changed.payload, text_payload("changed"));
    let status = |message: Message| message.delivery.unwrap().status;
    assert_eq!(status(changed), DeliveryStatus::Sent);

    let two = world.claim_one(world.channel()).await;
    assert!(matches!(two.subject, Subject::Message(_)));
    record(&world, &two, SentPart::new(0, "6")).await;
    assert!(world.finish(&two, delivered()).await);
    let claimed = world.claim_one(world.channel()).await;
    assert_eq!(edited_text(&claimed), text("changed"));
    assert_eq!(claimed.progress, [SentPart::new(0, "5")]);
    assert!(world.finish(&claimed, delivered()).await);
    let done = (DeliveryAction::Edit, DeliveryRecordStatus::Delivered);
    assert_eq!(standing(&world).await[0], done);
    assert_eq!(status(world.message(message).await), DeliveryStatus::Sent);
    assert!(world.claim(world.channel()).await.deliveries.is_empty());
    // Nothing new is said of it.
    edit(&world, message, "changed").await;
    let retag = MessageUpdate {
        tags: tags([("a", "b")]),
        delivery: Some(DeliveryId::new(world.env.ulid())),
        ..MessageUpdate::default()
    };
    let retag = world
        .store
        .update_message(world.bot, message, retag, world.now());
    retag.await.unwrap();
    assert!(world.claim(world.channel()).await.deliveries.is_empty());
}

/// What was noted of the parts since goes on from change to change, and does not pile up.
pub async fn changes_pass_on_what_the_channel_has(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let message = sent(&world, "1", "one").await;
    for round in 0..4 {
        edit(&world, message, &format!("round {round}")).await;
        let claimed = world.claim_one(world.channel()).await;
        assert_eq!(claimed.progress[0].part, 0);
        assert_eq!(claimed.progress.len(), if round == 0 { 1 } else { 2 });
        for detail in ["a", "b"] {
            let part = SentPart {
                detail: json!({ "round": round, "note": detail }),
                ..SentPart::new(1, "6")
            };
            record(&world, &claimed, part).await;
        }
        // A second try sees what the first noted.
        assert!(world.finish(&claimed, retry()).await);
        world.pass(Duration::from_secs(10));
        let again = world.claim_one(world.channel()).await;
        let last = again.progress.last().unwrap();
        assert_eq!(last.detail, json!({ "round": round, "note": "b" }));
        assert!(world.finish(&again, delivered()).await);
    }
    let of_message = world.store.message_deliveries(world.bot, message);
    let actions: Vec<_> = of_message
        .await
        .unwrap()
        .iter()
        .map(|one| one.action)
        .collect();
    assert_eq!(actions, [DeliveryAction::Send, DeliveryAction::Edit]);
}

/// Those that wait become one; one in flight is followed by another.
pub async fn edits_that_wait_become_the_newest(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let message = sent(&world, "1", "one").await;
    for name in ["a", "b", "c"] {
        edit(&world, message, name).await;
    }
    let claimed = world.claim_one(world.channel()).await;
    assert_eq!(edited_text(&claimed), text("c"));
    edit(&world, message, "d").await;
    edit(&world, message, "e").await;
    assert!(world.claim(world.channel()).await.deliveries.is_empty());
    assert!(world.finish(&claimed, retry()).await);
    // It says the newest when it comes again, and so does what was enqueued behind it.
    world.pass(Duration::from_secs(10));
    for _ in 0..2 {
        let next = world.claim_one(world.channel()).await;
        assert_eq!(edited_text(&next), text("e"));
        assert!(world.finish(&next, delivered()).await);
    }
    assert!(world.claim(world.channel()).await.deliveries.is_empty());
    assert!(
        !world
            .store
            .is_busy(world.bot, world.message(message).await.conversation)
            .await
            .unwrap()
    );
}

/// What was not begun takes the newest payload; what has begun is edited behind it.
pub async fn a_message_on_its_way_is_edited_behind(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let conversation = world.thread("1").await.id;
    let first = world.post(world.outgoing(conversation, "x")).await.value.id;
    edit(&world, first, "newer").await;
    let claimed = world.claim_one(world.channel()).await;
    let Subject::Message(outgoing) = &claimed.subject else {
        panic!("a message");
    };
    assert_eq!(outgoing.message.payload, text_payload("newer"));
    edit(&world, first, "newest").await;
    record(&world, &claimed, SentPart::new(0, "5")).await;
    assert!(world.finish(&claimed, delivered()).await);
    let change = world.claim_one(world.channel()).await;
    assert_eq!(edited_text(&change), text("newest"));
    assert_eq!(change.progress, [SentPart::new(0, "5")]);
    assert!(world.finish(&change, delivered()).await);

    // Of a channel that tells of no parts nothing can be changed.
    let second = world.post(world.outgoing(conversation, "y")).await.value.id;
    let claimed = world.claim_one(world.channel()).await;
    edit(&world, second, "z").await;
    assert!(world.finish(&claimed, delivered()).await);
    let gone = world.claim_one(world.channel()).await;
    assert!(matches!(gone.subject, Subject::Gone));
    assert!(world.finish(&gone, dead("gone")).await);
    edit(&world, second, "zz").await;
    assert!(world.claim(world.channel()).await.deliveries.is_empty());
    let failed =
        world
            .store
            .list_deliveries(world.bot, Some(DeliveryRecordStatus::Dead), None, all());
    assert!(failed.await.unwrap().items.is_empty());
}

/// A message whose sending failed has nothing to edit; it is sent anew as it is then.
pub async fn what_failed_is_not_edited(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let conversation = world.thread("1").await.id;
    let message = world.post(world.outgoing(conversation, "x")).await.value.id;
    let claimed = world.claim_one(world.channel()).await;
    edit(&world, message, "y").await;
    record(&world, &claimed, SentPart::new(0, "5")).await;
    assert!(world.finish(&claimed, dead("no")).await);
    let gone = world.claim_one(world.channel()).await;
    assert!(matches!(gone.subject, Subject::Gone));
    assert!(world.finish(&gone, dead("gone")).await);
    edit(&world, message, "z").await;
    assert!(world.claim(world.channel()).await.deliveries.is_empty());
    let only = (DeliveryAction::Send, DeliveryRecordStatus::Dead);
    assert_eq!(standing(&world).await, [only]);

    // What there is of it is deleted.
    delete(&world, message).await;
    let claimed = world.claim_one(world.channel()).await;
    assert!(matches!(claimed.subject, Subject::Delete(_)));
    assert_eq!(claimed.progress, [SentPart::new(0, "5")]);
}

/// What the channel has outlives what the message said; before a message is sent nothing is.
pub async fn a_deletion_reaches_the_channel(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let message = sent(&world, "1", "one").await;
    let conversation = world.message(message).await.conversation;
    delete(&world, message).await;
    let claimed = world.claim_one(world.channel()).await;
    let Subject::Delete(deletion) = &claimed.subject else {
        panic!("a deletion");
    };
    assert_eq!(deletion.message, message);
    assert_eq!(deletion.conversation.id, conversation);
    assert_eq!(claimed.progress, [SentPart::new(0, "5")]);
    assert!(world.finish(&claimed, delivered()).await);
    let done = (DeliveryAction::Delete, DeliveryRecordStatus::Delivered);
    assert_eq!(standing(&world).await[0], done);

    let unsent = world
        .post(world.outgoing(conversation, "never"))
        .await
        .value
        .id;
    delete(&world, unsent).await;
    let gone = world.claim_one(world.channel()).await;
    assert!(matches!(gone.subject, Subject::Gone));
    assert!(world.finish(&gone, dead("deleted")).await);
    assert!(world.claim(world.channel()).await.deliveries.is_empty());

    let in_flight = world
        .post(world.outgoing(conversation, "now"))
        .await
        .value
        .id;
    let sending = world.claim_one(world.channel()).await;
    delete(&world, in_flight).await;
    record(&world, &sending, SentPart::new(0, "7")).await;
    assert!(world.finish(&sending, delivered()).await);
    let deletion = world.claim_one(world.channel()).await;
    assert!(matches!(&deletion.subject, Subject::Delete(of) if of.message == in_flight));
    assert_eq!(deletion.progress, [SentPart::new(0, "7")]);
}

/// A deletion takes the place of an edit that waits, also of one that is being tried.
pub async fn a_deletion_takes_the_place_of_an_edit(factory: &dyn Factory) {
    let world = World::new(factory).await;
    for tried in [false, true] {
        let message = sent(&world, "1", "one").await;
        edit(&world, message, "two").await;
        if tried {
            let claimed = world.claim_one(world.channel()).await;
            record(&world, &claimed, SentPart::new(1, "8")).await;
            assert!(world.finish(&claimed, retry()).await);
        }
        delete(&world, message).await;
        let claimed = world.claim_one(world.channel()).await;
        assert!(matches!(&claimed.subject, Subject::Delete(of) if of.message == message));
        assert_eq!(claimed.attempt, 1);
        assert_eq!(claimed.progress.len(), if tried { 2 } else { 1 });
        assert!(world.finish(&claimed, delivered()).await);
        assert!(world.claim(world.channel()).await.deliveries.is_empty());
    }
    // One in flight ends first, however it ends, and leaves nothing to replay.
    let message = sent(&world, "2", "one").await;
    edit(&world, message, "two").await;
    let editing = world.claim_one(world.channel()).await;
    delete(&world, message).await;
    assert!(world.finish(&editing, dead("no")).await);
    let claimed = world.claim_one(world.channel()).await;
    assert!(matches!(&claimed.subject, Subject::Delete(of) if of.message == message));
    assert!(world.finish(&claimed, delivered()).await);
    let failed =
        world
            .store
            .list_deliveries(world.bot, Some(DeliveryRecordStatus::Dead), None, all());
    assert!(failed.await.unwrap().items.is_empty());
}

/// A refused change is kept and can be replayed, until a later one is done.
pub async fn a_refused_change_is_kept_and_makes_way(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let store = &world.store;
    let message = sent(&world, "1", "one").await;
    let conversation = world.message(message).await.conversation;
    edit(&world, message, "two").await;
    world.post(world.outgoing(conversation, "next")).await;
    let refused = world.claim_one(world.channel()).await;
    assert!(world.finish(&refused, dead("cannot be edited")).await);
    let next = world.claim_one(world.channel()).await;
    assert!(matches!(next.subject, Subject::Message(_)));
    record(&world, &next, SentPart::new(0, "9")).await;
    assert!(world.finish(&next, delivered()).await);
    let report = world.message(message).await.delivery.unwrap();
    assert_eq!((report.status, report.error), (DeliveryStatus::Sent, None));

    let replay = store.replay_message(world.bot, message, world.now()).await;
    assert_eq!(replay.unwrap().unwrap().id, refused.id);
    let again = world.claim_one(world.channel()).await;
    assert_eq!(edited_text(&again), text("two"));
    assert!(world.finish(&again, dead("cannot be edited")).await);
    // A later one waits: it brings all.
    edit(&world, message, "three").await;
    let replay = store
        .replay_delivery(world.bot, refused.id, world.now())
        .await;
    assert!(matches!(replay, Err(Error::InvalidPayload { .. })));
    let later = world.claim_one(world.channel()).await;
    assert!(world.finish(&later, delivered()).await);
    assert!(records(&world).await.iter().all(|one| one.id != refused.id));

    // Where nobody sends, one is kept, however often the message changes.
    let change = IntegrationChange {
        active: Some(false),
        secret: None,
        script: None,
    };
    let switch = store.update_integration(world.bot, world.integration, change, world.now());
    switch.await.unwrap();
    for name in ["a", "b", "c"] {
        edit(&world, message, name).await;
    }
    let failed = store.list_deliveries(world.bot, Some(DeliveryRecordStatus::Dead), None, all());
    assert_eq!(failed.await.unwrap().items.len(), 1);
}

/// A channel that cannot change what was sent leaves nothing behind.
pub async fn a_dropped_change_leaves_nothing(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let message = sent(&world, "1", "one").await;
    let conversation = world.message(message).await.conversation;
    edit(&world, message, "two").await;
    world.post(world.outgoing(conversation, "next")).await;
    let claimed = world.claim_one(world.channel()).await;
    assert!(world.finish(&claimed, Outcome::Dropped).await);
    assert!(!world.finish(&claimed, Outcome::Dropped).await);
    let next = world.claim_one(world.channel()).await;
    assert!(matches!(next.subject, Subject::Message(_)));
    let actions = standing(&world).await;
    assert!(
        actions
            .iter()
            .all(|(action, _)| *action == DeliveryAction::Send)
    );
}

/// A change survives its holder. A deletion is made again in any case.
pub async fn a_lost_change_is_made_again(factory: &dyn Factory) {
    let world = World::new(factory).await;
    for (round, lost) in [LostSends::Retry, LostSends::Uncertain]
        .into_iter()
        .enumerate()
    {
        for starts_anew in [false, true] {
            let again = async || {
                if starts_anew {
                    let released = world.store.release_in_flight(world.now(), lost);
                    released.await.unwrap();
                } else {
                    world.pass(Duration::from_mins(2));
                }
                let claim = Claim {
                    lost,
                    ..world.a_claim(world.channel())
                };
                world.store.claim(claim).await.unwrap().deliveries.pop()
            };
            let thread = format!("{round} {starts_anew}");
            let message = sent(&world, &thread, "one").await;
            delete(&world, message).await;
            world.claim_one(world.channel()).await;
            let claimed = again().await.expect("the deletion");
            assert!(matches!(claimed.subject, Subject::Delete(_)));
            assert!(world.finish(&claimed, delivered()).await);

            let message = sent(&world, &thread, "one").await;
            edit(&world, message, "two").await;
            world.claim_one(world.channel()).await;
            let claimed = again().await;
            // Its further parts may have been sent.
            assert_eq!(claimed.is_some(), lost == LostSends::Retry);
            if let Some(claimed) = claimed {
                assert_eq!(edited_text(&claimed), text("two"));
                assert!(world.finish(&claimed, delivered()).await);
            }
        }
    }
    let uncertain = Some(DeliveryRecordStatus::Uncertain);
    let list = world
        .store
        .list_deliveries(world.bot, uncertain, None, all());
    let list = list.await.unwrap().items;
    assert_eq!(list.len(), 2);
    assert!(list.iter().all(|one| one.action == DeliveryAction::Edit));
}

/// What the store is not asked to tell stays here: a person's message, an integration's change.
pub async fn what_nobody_tells_stays_here(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let message = sent(&world, "1", "one").await;
    let update = MessageUpdate {
        payload: Some(text_payload("two")),
        ..MessageUpdate::default()
    };
    let update = world
        .store
        .update_message(world.bot, message, update, world.now());
    update.await.unwrap();
    let deleted = world
        .store
        .delete_message(world.bot, message, None, world.now());
    assert!(deleted.await.unwrap());
    assert!(world.claim(world.channel()).await.deliveries.is_empty());

    world
        .ingest(vec![world.update("1", "7", "hi", Some(1))])
        .await;
    let list = world
        .store
        .list_messages(world.bot, crate::MessageFilter::default(), all());
    let said = list.await.unwrap().items[0].id;
    edit(&world, said, "never said").await;
    delete(&world, said).await;
    assert!(world.claim(world.channel()).await.deliveries.is_empty());
}
