//! Workflows: what they are. What is told of them is in `workflow_news.rs`.

use std::time::Duration;

use switchboard_model::{
    Error, StateId, StateKind, StatusGroup, Tags, Workflow, WorkflowId, WorkflowStatus,
};

use super::Factory;
use super::world::{World, all, json, tags, walk};
use crate::{
    GetOrCreateWorkflow, NewWorkflow, SetState, StateKey, StateOwner, WorkflowFilter,
    WorkflowUpdate,
};

/// A pending workflow that has an hour.
pub(super) fn new_workflow(world: &World, name: &str) -> NewWorkflow {
    NewWorkflow {
        id: WorkflowId::new(world.env.ulid()),
        bot: world.bot,
        name: name.to_owned(),
        status: WorkflowStatus::Pending,
        event: None,
        input: json("{\"n\":9007199254740993}"),
        parent: None,
        conversation: None,
        user: None,
        tags: Tags::new(),
        timeout_at: world.now().plus(Duration::from_hours(1)),
        now: world.now(),
    }
}

/// Makes it.
pub(super) async fn create(world: &World, new: NewWorkflow) -> Workflow {
    world.store.create_workflow(new).await.unwrap()
}

/// The workflow as it is now.
pub(super) async fn get(world: &World, id: WorkflowId) -> Option<Workflow> {
    world.store.get_workflow(world.bot, id).await.unwrap()
}

/// Changes it.
pub(super) async fn update(
    world: &World,
    id: WorkflowId,
    update: WorkflowUpdate,
) -> Result<Workflow, Error> {
    let updated = world
        .store
        .update_workflow(world.bot, id, update, world.now())
        .await?;
    Ok(updated.expect("a workflow"))
}

/// A change of the status alone.
pub(super) fn becomes(status: WorkflowStatus) -> WorkflowUpdate {
    WorkflowUpdate {
        status: Some(status),
        ..WorkflowUpdate::default()
    }
}

async fn listed(world: &World, filter: WorkflowFilter) -> Vec<WorkflowId> {
    let list = walk(2, async |page| {
        let list = world.store.list_workflows(world.bot, filter.clone(), page);
        list.await.unwrap()
    });
    list.await.iter().map(|found| found.id).collect()
}

/// Every field comes back, each change leaves the others.
pub async fn a_workflow_is_made_changed_and_deleted(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let conversation = world.thread("1").await.id;
    let user = world.person("7").await.id;
    let parent = create(&world, new_workflow(&world, "whole")).await;
    let new = NewWorkflow {
        parent: Some(parent.id),
        conversation: Some(conversation),
        user: Some(user),
        tags: tags([("a", "1"), ("b", "")]),
        ..new_workflow(&world, "part")
    };
    let made = create(&world, new.clone()).await;
    assert_eq!(
        made,
        Workflow {
            id: new.id,
            bot: world.bot,
            name: "part".to_owned(),
            status: WorkflowStatus::Pending,
            input: json("{\"n\":9007199254740993}"),
            output: json("{}"),
            parent: Some(parent.id),
            conversation: Some(conversation),
            user: Some(user),
            event: None,
            tags: tags([("a", "1")]),
            failure_reason: None,
            timeout_at: new.timeout_at,
            completed_at: None,
            created_at: new.now,
            updated_at: new.now,
        }
    );
    assert_eq!(get(&world, made.id).await, Some(made.clone()));
    world.pass(Duration::from_secs(1));
    let output = json("{\"z\":1.0}");
    let change = WorkflowUpdate {
        output: Some(output.clone()),
        tags: tags([("a", ""), ("c", "3")]),
        ..WorkflowUpdate::default()
    };
    let changed = update(&world, made.id, change.clone()).await.unwrap();
    let expected = Workflow {
        output,
        tags: tags([("c", "3")]),
        updated_at: world.now(),
        ..made.clone()
    };
    assert_eq!(changed, expected);
    world.pass(Duration::from_secs(1));
    let same = update(&world, made.id, change).await.unwrap();
    assert_eq!(same, expected, "the same again is no change");
    let failed = WorkflowUpdate {
        status: Some(WorkflowStatus::Failed),
        failure_reason: Some("no".to_owned()),
        ..WorkflowUpdate::default()
    };
    let failed = update(&world, made.id, failed).await.unwrap();
    assert_eq!(failed.completed_at, Some(world.now()));
    assert_eq!(failed.failure_reason.as_deref(), Some("no"));
    let delete = || world.store.delete_workflow(world.bot, made.id, world.now());
    assert!(delete().await.unwrap());
    assert!(!delete().await.unwrap());
    assert_eq!(get(&world, made.id).await, None);
    let gone = becomes(WorkflowStatus::Paused);
    let gone = world
        .store
        .update_workflow(world.bot, made.id, gone, world.now());
    assert_eq!(gone.await.unwrap(), None);
}

/// What cannot follow is refused with what can, and nothing of it is written.
pub async fn a_status_that_cannot_follow_is_refused(factory: &dyn Factory) {
    use WorkflowStatus::{
        Cancelled, Completed, Failed, InProgress, Listening, Paused, Pending, TimedOut,
    };
    let world = World::new(factory).await;
    for end in [Completed, Failed, Cancelled] {
        let made = create(&world, new_workflow(&world, "x")).await;
        for wrong in [TimedOut] {
            let error = update(&world, made.id, becomes(wrong)).await.unwrap_err();
            assert!(
                error.to_string().contains("in_progress, listening"),
                "{error}"
            );
        }
        for next in [Listening, Paused, Listening] {
            let now = update(&world, made.id, becomes(next)).await.unwrap();
            assert_eq!(now.status, next);
        }
        let ended = update(&world, made.id, becomes(end)).await.unwrap();
        let again = update(&world, made.id, becomes(end)).await.unwrap();
        assert_eq!(again, ended);
        for next in [
            Pending, Listening, Paused, Completed, Failed, Cancelled, InProgress,
        ] {
            if next == end {
                continue;
            }
            let change = WorkflowUpdate {
                output: Some(json("{\"late\":1}")),
                ..becomes(next)
            };
            let refused = update(&world, made.id, change).await.unwrap_err();
            assert!(
                matches!(&refused, Error::InvalidPayload { field, .. } if field == "status"),
                "{refused:?}"
            );
        }
        let late = WorkflowUpdate {
            output: Some(json("{\"late\":1}")),
            ..WorkflowUpdate::default()
        };
        assert!(update(&world, made.id, late).await.is_err());
        assert_eq!(get(&world, made.id).await, Some(ended));
        let retag = WorkflowUpdate {
            tags: tags([("seen", "1")]),
            ..WorkflowUpdate::default()
        };
        let retagged = update(&world, made.id, retag).await.unwrap();
        assert_eq!(retagged.tags.get("seen"), Some("1"));
    }
}

/// By name and tags, within a group if one is named; a found one stays as it is.
pub async fn a_workflow_is_found_by_name_tags_and_group(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let ask = async |name: &str, pairs: Tags, by: Tags, group| {
        let command = GetOrCreateWorkflow {
            workflow: NewWorkflow {
                tags: pairs,
                ..new_workflow(&world, name)
            },
            identity: by,
            group,
        };
        let found = world.store.get_or_create_workflow(command).await.unwrap();
        (found.value.id, found.created)
    };
    let key = || tags([("key", "k")]);
    let (first, created) = ask("daily", key().with("x", "1"), key(), None).await;
    assert!(created);
    assert_eq!(
        ask("daily", key().with("x", "2"), key(), None).await,
        (first, false)
    );
    assert_eq!(
        get(&world, first).await.unwrap().tags,
        key().with("x", "1"),
        "it stays as it is"
    );
    assert!(ask("other", key(), key(), None).await.1);
    let both = key().with("x", "2");
    let (second, created) = ask("daily", both.clone(), both.clone(), None).await;
    assert!(created);
    update(&world, first, becomes(WorkflowStatus::Completed))
        .await
        .unwrap();
    let active = Some(StatusGroup::Active);
    assert_eq!(ask("daily", key(), key(), None).await, (first, false));
    assert_eq!(ask("daily", key(), key(), active).await, (second, false));
    assert_eq!(
        ask("daily", key(), key(), Some(StatusGroup::Finished)).await,
        (first, false)
    );
    update(&world, second, becomes(WorkflowStatus::Cancelled))
        .await
        .unwrap();
    let (third, created) = ask("daily", key(), key(), active).await;
    assert!(created);
    let delete = world.store.delete_workflow(world.bot, first, world.now());
    assert!(delete.await.unwrap());
    assert_eq!(ask("daily", key(), key(), None).await, (second, false));
    let racing = (0..16).map(|_| ask("race", key(), key(), active));
    let made = futures_created(racing).await;
    assert_eq!(made, 1, "exactly one of racing calls makes it");
    assert_ne!(third, second);
    let nothing = GetOrCreateWorkflow {
        workflow: new_workflow(&world, "x"),
        identity: Tags::new(),
        group: None,
    };
    assert!(world.store.get_or_create_workflow(nothing).await.is_err());
}

async fn futures_created<F: Future<Output = (WorkflowId, bool)>>(
    racing: impl Iterator<Item = F>,
) -> usize {
    let mut created = 0;
    // Together in the writer's queue, not one after the other.
    let mut racing: Vec<_> = racing.map(Box::pin).collect();
    std::future::poll_fn(|context| {
        racing.retain_mut(|ask| match ask.as_mut().poll(context) {
            std::task::Poll::Ready((_, made)) => {
                created += usize::from(made);
                false
            }
            std::task::Poll::Pending => true,
        });
        if racing.is_empty() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    created
}

/// Each filter, newest first, in pages.
pub async fn workflows_are_filtered_and_paged(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let conversation = world.thread("1").await.id;
    let user = world.person("7").await.id;
    let parent = create(&world, new_workflow(&world, "parent")).await.id;
    let mut made = vec![parent];
    for number in 0..9_u32 {
        let every = |of: u32| number % of == 0;
        let new = NewWorkflow {
            conversation: every(2).then_some(conversation),
            user: every(3).then_some(user),
            parent: every(4).then_some(parent),
            tags: tags([("even", if every(2) { "yes" } else { "no" })]),
            ..new_workflow(&world, if every(3) { "three" } else { "x" })
        };
        made.push(create(&world, new).await.id);
    }
    for id in [made[1], made[2]] {
        let end = becomes(WorkflowStatus::Completed);
        update(&world, id, end).await.unwrap();
    }
    let listening = becomes(WorkflowStatus::Listening);
    update(&world, made[3], listening).await.unwrap();
    let only = |places: &[usize]| {
        let mut ids: Vec<_> = places.iter().map(|place| made[*place]).collect();
        ids.reverse();
        ids
    };
    let all_of_them = || WorkflowFilter::default();
    assert_eq!(
        listed(&world, all_of_them()).await,
        only(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    );
    for (filter, places) in [
        (
            WorkflowFilter {
                tags: tags([("even", "yes")]),
                ..all_of_them()
            },
            &[1, 3, 5, 7, 9][..],
        ),
        (
            WorkflowFilter {
                conversation: Some(conversation),
                ..all_of_them()
            },
            &[1, 3, 5, 7, 9],
        ),
        (
            WorkflowFilter {
                user: Some(user),
                ..all_of_them()
            },
            &[1, 4, 7],
        ),
        (
            WorkflowFilter {
                parent: Some(parent),
                ..all_of_them()
            },
            &[1, 5, 9],
        ),
        (
            WorkflowFilter {
                name: Some("three".to_owned()),
                ..all_of_them()
            },
            &[1, 4, 7],
        ),
        (
            WorkflowFilter {
                statuses: vec![WorkflowStatus::Completed],
                ..all_of_them()
            },
            &[1, 2],
        ),
        (
            WorkflowFilter {
                statuses: vec![WorkflowStatus::Completed, WorkflowStatus::Listening],
                tags: tags([("even", "yes")]),
                name: Some("three".to_owned()),
                ..all_of_them()
            },
            &[1],
        ),
    ] {
        assert_eq!(
            listed(&world, filter.clone()).await,
            only(places),
            "{filter:?}"
        );
    }
}

/// What a workflow names must exist.
pub async fn unknown_references_are_named(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let unknown = world.env.ulid();
    let new = || new_workflow(&world, "x");
    for (expected, new) in [
        (
            "parentWorkflowId",
            NewWorkflow {
                parent: Some(WorkflowId::new(unknown)),
                ..new()
            },
        ),
        (
            "conversationId",
            NewWorkflow {
                conversation: Some(switchboard_model::ConversationId::new(unknown)),
                ..new()
            },
        ),
        (
            "userId",
            NewWorkflow {
                user: Some(switchboard_model::UserId::new(unknown)),
                ..new()
            },
        ),
        (
            "eventId",
            NewWorkflow {
                status: WorkflowStatus::InProgress,
                event: Some(switchboard_model::EventId::new(unknown)),
                ..new()
            },
        ),
    ] {
        let refused = world.store.create_workflow(new).await.unwrap_err();
        let Error::ReferenceNotFound { field, .. } = refused else {
            panic!("a reference that is not found, not {refused:?}");
        };
        assert_eq!(field, expected);
    }
    assert_eq!(listed(&world, WorkflowFilter::default()).await, []);
}

/// With its states, and with its conversation.
pub async fn what_belongs_to_a_workflow_goes_with_it(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let store = &world.store;
    let conversation = world.thread("1").await.id;
    let of_conversation = NewWorkflow {
        conversation: Some(conversation),
        ..new_workflow(&world, "x")
    };
    let alone = create(&world, new_workflow(&world, "x")).await.id;
    let of_conversation = create(&world, of_conversation).await.id;
    let key = |id: WorkflowId| StateKey {
        bot: world.bot,
        owner: StateOwner::Bot,
        kind: StateKind::Workflow,
        subject: id.ulid(),
        name: "s".to_owned(),
    };
    let set = async |id: WorkflowId| {
        let command = SetState {
            id: StateId::new(world.env.ulid()),
            key: key(id),
            payload: json("{}"),
            expiry: None,
            now: world.now(),
        };
        store.set_state(command).await
    };
    for id in [alone, of_conversation] {
        assert_eq!(set(id).await.unwrap().kind, StateKind::Workflow);
        assert!(
            store
                .get_state(key(id), world.now())
                .await
                .unwrap()
                .is_some()
        );
    }
    assert!(
        store
            .delete_workflow(world.bot, alone, world.now())
            .await
            .unwrap()
    );
    let delete = store.delete_conversation(world.bot, conversation, world.now());
    assert!(delete.await.unwrap());
    for _ in 0..2 {
        for id in [alone, of_conversation] {
            assert_eq!(get(&world, id).await, None);
            assert!(matches!(set(id).await, Err(Error::NotFound { .. })));
            assert_eq!(store.get_state(key(id), world.now()).await.unwrap(), None);
        }
        assert_eq!(listed(&world, WorkflowFilter::default()).await, []);
        world.pass(Duration::from_hours(2));
        while store.sweep(world.now()).await.unwrap() > 0 {}
    }
    let events = store.list_events(world.bot, crate::EventFilter::default(), all());
    assert_eq!(events.await.unwrap().items, []);
    let left = world.claim(crate::Lane::Bots).await.deliveries;
    assert!(left.is_empty(), "nothing is told of what is gone");
}
