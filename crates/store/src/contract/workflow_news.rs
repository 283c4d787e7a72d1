//! What a bot is told of its workflows.

use std::time::Duration;

use switchboard_model::{
    DeliveryId, Error, Event, EventId, EventPayload, Workflow, WorkflowId, WorkflowNews,
    WorkflowStatus, WorkflowUpdate as Told,
};

use super::Factory;
use super::workflow::{becomes, create, get, new_workflow, update};
use super::world::{World, all, dead, delivered, json, tags};
use crate::{
    ClaimedDelivery, EventFilter, GetOrCreateWorkflow, Lane, NewEvent, NewWorkflow, Subject,
    WorkflowFilter, WorkflowUpdate,
};

/// What the bot is told next, and it alone is there to be told.
async fn next(world: &World) -> (ClaimedDelivery, Event) {
    let claimed = world.claim_one(Lane::Bots).await;
    let Subject::Event(event) = claimed.subject.clone() else {
        panic!("an event, not {:?}", claimed.subject);
    };
    (claimed, *event)
}

fn told(event: &Event) -> &Told {
    assert_eq!(event.kind, Event::WORKFLOW_UPDATE);
    let EventPayload::WorkflowUpdate(told) = &event.payload else {
        panic!("news of a workflow, not {:?}", event.payload);
    };
    assert_eq!(event.workflow, Some(told.workflow.id));
    told
}

/// The bot takes what it is told next: the news, of which workflow, and under which event.
async fn hears(world: &World) -> (WorkflowNews, WorkflowId, EventId) {
    let (claimed, event) = next(world).await;
    let told = told(&event);
    assert!(world.finish(&claimed, delivered()).await);
    (told.news, told.workflow.id, event.id)
}

async fn silence(world: &World) {
    assert!(world.claim(Lane::Bots).await.deliveries.is_empty());
}

async fn sweep_all(world: &World) {
    while world.store.sweep(world.now()).await.unwrap() > 0 {}
}

fn works_under(event: EventId) -> WorkflowUpdate {
    WorkflowUpdate {
        event: Some(event),
        ..becomes(WorkflowStatus::InProgress)
    }
}

async fn is(world: &World, id: WorkflowId, status: WorkflowStatus) -> Workflow {
    let workflow = get(world, id).await.unwrap();
    assert_eq!(workflow.status, status);
    workflow
}

/// An event that names a workflow.
async fn event_for(world: &World, workflow: WorkflowId) -> Event {
    let new = new_event(world, workflow);
    world.store.create_event(new).await.unwrap()
}

fn new_event(world: &World, workflow: WorkflowId) -> NewEvent {
    NewEvent {
        id: EventId::new(world.env.ulid()),
        delivery: DeliveryId::new(world.env.ulid()),
        bot: world.bot,
        kind: "answer".to_owned(),
        payload: json("{}"),
        conversation: None,
        user: None,
        message: None,
        workflow: Some(workflow),
        due: None,
        now: world.now(),
    }
}

/// Begins under the event that tells of it, goes on when that is processed, until it ends.
pub async fn a_workflow_goes_on_until_it_ends(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let conversation = world.thread("1").await;
    let user = world.person("7").await;
    let new = NewWorkflow {
        conversation: Some(conversation.id),
        user: Some(user.id),
        ..new_workflow(&world, "x")
    };
    let id = create(&world, new).await.id;
    let (claimed, event) = next(&world).await;
    assert_eq!(event.conversation, Some(conversation.id));
    assert_eq!(event.user, Some(user.id));
    let started = told(&event).clone();
    assert_eq!(started.news, WorkflowNews::WorkflowStarted);
    assert_eq!(
        started.workflow,
        is(&world, id, WorkflowStatus::Pending).await
    );
    assert_eq!(started.conversation, Some(conversation));
    assert_eq!(started.user, Some(user));
    assert_eq!(started.child, None);
    for _ in 0..2 {
        // Again, as after a lost answer.
        let at_work = update(&world, id, works_under(event.id)).await.unwrap();
        assert_eq!(at_work.event, Some(event.id));
    }
    world.pass(Duration::from_secs(5));
    assert!(world.finish(&claimed, delivered()).await);
    is(&world, id, WorkflowStatus::Pending).await;
    let (claimed, event) = next(&world).await;
    assert_eq!(told(&event).news, WorkflowNews::WorkflowContinued);
    update(&world, id, works_under(event.id)).await.unwrap();
    world.pass(Duration::from_millis(400));
    assert!(world.finish(&claimed, delivered()).await);

    // Not at once again: 600 ms are missing.
    is(&world, id, WorkflowStatus::Pending).await;
    sweep_all(&world).await;
    silence(&world).await;
    world.pass(Duration::from_millis(600));
    sweep_all(&world).await;
    let (claimed, event) = next(&world).await;
    assert_eq!(told(&event).news, WorkflowNews::WorkflowContinued);
    update(&world, id, works_under(event.id)).await.unwrap();
    let done = becomes(WorkflowStatus::Completed);
    update(&world, id, done).await.unwrap();
    world.pass(Duration::from_secs(5));
    assert!(world.finish(&claimed, delivered()).await);
    sweep_all(&world).await;
    silence(&world).await;
    let filter = EventFilter {
        workflow: Some(id),
        ..EventFilter::default()
    };
    let events = world.store.list_events(world.bot, filter, all()).await;
    let events = events.unwrap().items;
    assert_eq!(events.len(), 3);
    // What was told is shown with the workflow as it is now.
    assert_eq!(told(&events[2]).workflow.status, WorkflowStatus::Completed);
}

/// The event under which it is in progress may be one that announces a message.
pub async fn a_workflow_goes_on_when_a_message_is_processed(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let id = create(&world, new_workflow(&world, "x")).await.id;
    let (claimed, _) = next(&world).await;
    world.finish(&claimed, delivered()).await;
    world.ingest(vec![world.update("1", "7", "hi", None)]).await;
    let (claimed, event) = next(&world).await;
    assert_eq!(event.kind, Event::MESSAGE_CREATED);
    let at_work = update(&world, id, works_under(event.id)).await.unwrap();
    assert_eq!(at_work.event, Some(event.id));
    assert_eq!(is(&world, id, WorkflowStatus::InProgress).await, at_work);
    let unknown = works_under(EventId::new(world.env.ulid()));
    let refused = update(&world, id, unknown).await;
    assert!(matches!(
        refused,
        Err(Error::ReferenceNotFound { field, .. }) if field == "eventId"
    ));
    world.pass(Duration::from_secs(5));
    assert!(world.finish(&claimed, delivered()).await);
    is(&world, id, WorkflowStatus::Pending).await;
    let (_, event) = next(&world).await;
    assert_eq!(told(&event).news, WorkflowNews::WorkflowContinued);
}

/// What it is in progress under fails: it stays until somebody acts or its time is over.
pub async fn a_workflow_whose_event_fails_stays_as_it_is(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let id = create(&world, new_workflow(&world, "x")).await.id;
    let (claimed, event) = next(&world).await;
    update(&world, id, works_under(event.id)).await.unwrap();
    world.pass(Duration::from_secs(5));
    assert!(world.finish(&claimed, dead("no")).await);
    sweep_all(&world).await;
    silence(&world).await;
    is(&world, id, WorkflowStatus::InProgress).await;
    let replay = world
        .store
        .replay_delivery(world.bot, claimed.id, world.now());
    assert!(replay.await.unwrap().is_some());
    assert_eq!(hears(&world).await.0, WorkflowNews::WorkflowStarted);
    assert_eq!(hears(&world).await.0, WorkflowNews::WorkflowContinued);
}

/// By an event that names it; one that came too early is not lost.
pub async fn a_listening_workflow_is_woken(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let new = NewWorkflow {
        status: WorkflowStatus::Listening,
        ..new_workflow(&world, "x")
    };
    let id = create(&world, new).await.id;
    silence(&world).await;
    let answer = event_for(&world, id).await;
    assert_eq!(answer.workflow, Some(id));
    is(&world, id, WorkflowStatus::Pending).await;
    let (claimed, event) = next(&world).await;
    assert_eq!(event.id, answer.id, "the event comes first");
    world.finish(&claimed, delivered()).await;
    let (claimed, event) = next(&world).await;
    assert_eq!(told(&event).news, WorkflowNews::WorkflowContinued);
    update(&world, id, works_under(event.id)).await.unwrap();

    let early = event_for(&world, id).await;
    is(&world, id, WorkflowStatus::InProgress).await;
    let listens = becomes(WorkflowStatus::Listening);
    let woken = update(&world, id, listens.clone()).await.unwrap();
    assert_eq!(woken.status, WorkflowStatus::Pending);
    world.pass(Duration::from_secs(5));
    world.finish(&claimed, delivered()).await;
    let (claimed, event) = next(&world).await;
    assert_eq!(event.id, early.id);
    world.finish(&claimed, delivered()).await;
    let (claimed, event) = next(&world).await;
    assert_eq!(told(&event).news, WorkflowNews::WorkflowContinued);

    update(&world, id, works_under(event.id)).await.unwrap();
    let now = update(&world, id, listens).await.unwrap();
    assert_eq!(now.status, WorkflowStatus::Listening, "once is once");
    world.pass(Duration::from_secs(5));
    world.finish(&claimed, delivered()).await;
    sweep_all(&world).await;
    silence(&world).await;
}

/// Once, by a sweep that does nothing before and nothing after; also after a restart.
pub async fn a_workflow_times_out_once(factory: &dyn Factory) {
    let mut world = World::new(factory).await;
    let mut new = new_workflow(&world, "x");
    new.timeout_at = world.now().plus(Duration::from_mins(1));
    let id = create(&world, new).await.id;
    assert_eq!(hears(&world).await.0, WorkflowNews::WorkflowStarted);
    world.pass(Duration::from_secs(59));
    assert_eq!(world.store.sweep(world.now()).await.unwrap(), 0);
    let later = WorkflowUpdate {
        timeout_at: Some(world.now().plus(Duration::from_mins(1))),
        ..WorkflowUpdate::default()
    };
    update(&world, id, later).await.unwrap();
    world.pass(Duration::from_secs(1));
    assert_eq!(world.store.sweep(world.now()).await.unwrap(), 0);
    world.store = factory.reopen(std::sync::Arc::clone(&world.store)).await;
    world.pass(Duration::from_secs(59));
    assert_eq!(world.store.sweep(world.now()).await.unwrap(), 1);
    assert_eq!(world.store.sweep(world.now()).await.unwrap(), 0);
    let over = is(&world, id, WorkflowStatus::TimedOut).await;
    assert_eq!(over.completed_at, Some(world.now()));
    let (news, of, _) = hears(&world).await;
    assert_eq!((news, of), (WorkflowNews::WorkflowTimedOut, id));
    silence(&world).await;
}

/// A parent hears of the end of each part and of each that is deleted before, and is woken by it.
pub async fn a_parent_hears_of_its_parts(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let listening = NewWorkflow {
        status: WorkflowStatus::Listening,
        ..new_workflow(&world, "parent")
    };
    let parent = create(&world, listening).await.id;
    let part = async || {
        let new = NewWorkflow {
            parent: Some(parent),
            ..new_workflow(&world, "part")
        };
        let id = create(&world, new).await.id;
        assert_eq!(
            hears(&world).await,
            (
                WorkflowNews::WorkflowStarted,
                id,
                EventId::new(id_of(&world, id).await)
            )
        );
        id
    };
    let first = part().await;
    let output = WorkflowUpdate {
        output: Some(json("{\"done\":true}")),
        ..becomes(WorkflowStatus::Completed)
    };
    let ended = update(&world, first, output).await.unwrap();
    let (claimed, event) = next(&world).await;
    let told_parent = told(&event);
    assert_eq!(told_parent.news, WorkflowNews::ChildWorkflowFinished);
    assert_eq!(told_parent.workflow.id, parent);
    assert_eq!(told_parent.child, Some(ended));
    world.finish(&claimed, delivered()).await;
    let (news, of, _) = hears(&world).await;
    assert_eq!((news, of), (WorkflowNews::WorkflowContinued, parent));

    let second = part().await;
    for id in [first, second] {
        let delete = world.store.delete_workflow(world.bot, id, world.now());
        assert!(delete.await.unwrap());
    }
    let (claimed, event) = next(&world).await;
    let told_parent = told(&event);
    assert_eq!(told_parent.news, WorkflowNews::ChildWorkflowDeleted);
    assert_eq!(told_parent.child.as_ref().unwrap().id, second);
    world.finish(&claimed, delivered()).await;
    silence(&world).await;

    let third = part().await;
    update(&world, parent, becomes(WorkflowStatus::Cancelled))
        .await
        .unwrap();
    update(&world, third, becomes(WorkflowStatus::Completed))
        .await
        .unwrap();
    silence(&world).await;
}

/// The ULID of the event that told of its start.
async fn id_of(world: &World, workflow: WorkflowId) -> switchboard_model::ids::Ulid {
    let filter = EventFilter {
        workflow: Some(workflow),
        ..EventFilter::default()
    };
    let events = world.store.list_events(world.bot, filter, all()).await;
    events.unwrap().items[0].id.ulid()
}

/// Whoever knows every id of another bot's workflow reads, changes and wakes nothing.
pub async fn nothing_of_another_bots_workflow_is_reached(factory: &dyn Factory) {
    let own = World::new(factory).await;
    let other = own.another_bot().await;
    let store = &own.store;
    let new = NewWorkflow {
        status: WorkflowStatus::Listening,
        tags: tags([("key", "k")]),
        ..new_workflow(&own, "x")
    };
    let workflow = create(&own, new).await;
    let (id, bot, now) = (workflow.id, other.bot, own.now());
    assert_eq!(store.get_workflow(bot, id).await.unwrap(), None);
    for filter in [
        WorkflowFilter::default(),
        WorkflowFilter {
            tags: tags([("key", "k")]),
            ..WorkflowFilter::default()
        },
        WorkflowFilter {
            parent: Some(id),
            ..WorkflowFilter::default()
        },
    ] {
        let list = store.list_workflows(bot, filter, all()).await;
        assert_eq!(list.unwrap().items, []);
    }
    let cancel = becomes(WorkflowStatus::Cancelled);
    let update = store.update_workflow(bot, id, cancel, now);
    assert_eq!(update.await.unwrap(), None);
    assert!(!store.delete_workflow(bot, id, now).await.unwrap());
    let part = NewWorkflow {
        parent: Some(id),
        ..new_workflow(&other, "x")
    };
    let refused = store.create_workflow(part).await;
    assert!(matches!(refused, Err(Error::ReferenceNotFound { .. })));
    let knock = NewEvent {
        bot,
        ..new_event(&own, id)
    };
    let refused = store.create_event(knock).await;
    assert!(matches!(refused, Err(Error::ReferenceNotFound { .. })));
    let same = GetOrCreateWorkflow {
        workflow: NewWorkflow {
            tags: tags([("key", "k")]),
            status: WorkflowStatus::Listening,
            ..new_workflow(&other, "x")
        },
        identity: tags([("key", "k")]),
        group: None,
    };
    assert!(store.get_or_create_workflow(same).await.unwrap().created);
    assert_eq!(get(&own, id).await, Some(workflow));
    silence(&own).await;
}

/// What the bot was not told yet is not told any more, and does not hold up what comes behind.
pub async fn nothing_is_told_of_a_deleted_workflow(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let conversation = world.thread("1").await.id;
    let user = world.person("7").await.id;
    let new = || NewWorkflow {
        conversation: Some(conversation),
        ..new_workflow(&world, "x")
    };
    let untold = create(&world, new()).await.id;
    let in_flight = create(&world, new()).await.id;
    let delete = async |id| {
        let delete = world.store.delete_workflow(world.bot, id, world.now());
        assert!(delete.await.unwrap());
        sweep_all(&world).await;
    };
    delete(untold).await;
    let (claimed, event) = next(&world).await;
    assert_eq!(told(&event).workflow.id, in_flight);
    let said = world.said(
        conversation,
        user,
        switchboard_model::Direction::Incoming,
        "hi",
    );
    world.post(said).await;
    delete(in_flight).await;
    silence(&world).await;
    assert!(world.finish(&claimed, delivered()).await);
    let (_, event) = next(&world).await;
    assert_eq!(event.kind, Event::MESSAGE_CREATED);
    let list = world
        .store
        .list_events(world.bot, EventFilter::default(), all());
    assert_eq!(list.await.unwrap().items, [event]);
}
