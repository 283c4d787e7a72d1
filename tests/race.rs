//! The promise: however many ask for one thread at once, there is one conversation and one user.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::support::{Api, Server};

const TASKS: usize = 64;
const THREADS: usize = 200;

/// Asks for each of the threads from all tasks at once. For each thread: the ids that were given,
/// and how many were told that they created it.
async fn race(
    api: &Api,
    path: &'static str,
    object: &'static str,
    body: fn(usize) -> Value,
) -> BTreeMap<usize, (BTreeSet<String>, usize)> {
    let mut outcome: BTreeMap<usize, (BTreeSet<String>, usize)> = BTreeMap::new();
    let together = Arc::new(Barrier::new(TASKS));
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let (api, together) = (api.clone(), Arc::clone(&together));
        tasks.spawn(async move {
            let mut seen = Vec::new();
            for thread in 0..THREADS {
                together.wait().await;
                let answer = api.post(path, &body(thread)).await;
                let id = answer.ok(object)["id"].as_str().expect("an id").to_owned();
                seen.push((id, answer.body["meta"]["created"] == true));
            }
            seen
        });
    }
    while let Some(seen) = tasks.join_next().await {
        for (thread, (id, created)) in seen.expect("no panic").into_iter().enumerate() {
            let entry = outcome.entry(thread).or_default();
            entry.0.insert(id);
            entry.1 += usize::from(created);
        }
    }
    outcome
}

fn check(outcome: &BTreeMap<usize, (BTreeSet<String>, usize)>) {
    assert_eq!(outcome.len(), THREADS);
    for (thread, (ids, created)) in outcome {
        assert_eq!(ids.len(), 1, "thread {thread}: {ids:?}");
        assert_eq!(*created, 1, "thread {thread}");
    }
    let all: BTreeSet<_> = outcome.values().flat_map(|(ids, _)| ids).collect();
    assert_eq!(all.len(), THREADS, "two threads share one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_tasks_ask_for_two_hundred_new_threads_at_once() {
    let server = Server::echo().await;
    let api = server.integration();
    let conversations = race(
        &api,
        "/v1/chat/conversations/get-or-create",
        "conversation",
        |thread| {
            json!({
                "channel": "channel", "tags": { "id": format!("-{thread}") },
                "discriminateByTags": ["id"],
            })
        },
    )
    .await;
    check(&conversations);
    let users = race(
        &api,
        "/v1/chat/users/get-or-create",
        "user",
        |thread| json!({ "tags": { "id": format!("{thread}") }, "discriminateByTags": ["id"] }),
    )
    .await;
    check(&users);

    let stored = api.list("/v1/chat/conversations", "conversations").await;
    assert_eq!(stored.len(), THREADS);
    let stored = api.list("/v1/chat/users", "users").await;
    let external = stored.iter().filter(|user| user["tags"]["id"].is_string());
    assert_eq!(external.count(), THREADS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racers_that_name_different_parts_of_the_same_tags_meet() {
    let server = Server::echo().await;
    let api = server.integration();
    let bodies = [
        json!({ "channel": "channel", "tags": { "id": "9", "lang": "en" }, "discriminateByTags": ["id"] }),
        json!({ "channel": "channel", "tags": { "id": "9", "title": "Team" }, "discriminateByTags": ["id"] }),
        json!({ "channel": "channel", "tags": { "id": "9" } }),
    ];
    let mut tasks = JoinSet::new();
    for n in 0..48 {
        let (api, body) = (api.clone(), bodies[n % 3].clone());
        tasks.spawn(async move {
            api.post("/v1/chat/conversations/get-or-create", &body)
                .await
        });
    }
    let answers = tasks.join_all().await;
    let ids: BTreeSet<_> = answers
        .iter()
        .map(|answer| answer.ok("conversation")["id"].to_string())
        .collect();
    assert_eq!(ids.len(), 1);
    let created = answers
        .iter()
        .filter(|answer| answer.body["meta"]["created"] == true);
    assert_eq!(created.count(), 1);
    assert_eq!(
        api.list("/v1/chat/conversations", "conversations")
            .await
            .len(),
        1
    );
}
