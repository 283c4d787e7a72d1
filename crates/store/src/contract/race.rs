//! Many at once.

use std::collections::HashMap;
use std::sync::Arc;

use super::Factory;
use super::world::{World, all};
use crate::{Ingested, MessageFilter};

const TASKS: usize = 64;
const THREADS: usize = 200;

/// 64 callers name 200 new threads and people: each is made once, and exactly one caller is told.
pub async fn racing_get_or_creates_make_each_once(factory: &dyn Factory) {
    let world = Arc::new(World::new(factory).await);
    let mut tasks = Vec::new();
    for task in 0..TASKS {
        let world = Arc::clone(&world);
        tasks.push(tokio::spawn(async move {
            let mut outcomes = Vec::new();
            for number in 0..THREADS {
                // Each begins elsewhere, so that they meet in many ways.
                let id = ((number + task * 3) % THREADS).to_string();
                let identity = super::world::tags([("telegram:id", &id)]);
                let mut all = identity.clone();
                all.insert("by", (task % 2).to_string());
                let command = world.get_or_create(identity, all);
                let found = world.store.get_or_create_conversation(command).await;
                let found = found.unwrap();
                let user = world.store.get_or_create_user(world.new_user(&id)).await;
                let user = user.unwrap();
                outcomes.push((
                    id,
                    found.value.id,
                    found.created,
                    user.value.id,
                    user.created,
                ));
            }
            outcomes
        }));
    }
    let mut threads = HashMap::new();
    let mut people = HashMap::new();
    let (mut threads_made, mut people_made) = (0, 0);
    for task in tasks {
        for (id, thread, thread_created, person, person_created) in task.await.unwrap() {
            assert_eq!(*threads.entry(id.clone()).or_insert(thread), thread);
            assert_eq!(*people.entry(id).or_insert(person), person);
            threads_made += usize::from(thread_created);
            people_made += usize::from(person_created);
        }
    }
    assert_eq!((threads_made, people_made), (THREADS, THREADS));
    counted(&world).await;
}

async fn counted(world: &World) {
    assert_eq!(world.conversations().await.len(), THREADS);
    let users = world
        .store
        .list_users(world.bot, crate::UserFilter::default(), all());
    // And the bot's own.
    assert_eq!(users.await.unwrap().items.len(), THREADS + 1);
}

/// The same through the front door.
pub async fn racing_ingests_make_each_once(factory: &dyn Factory) {
    let world = Arc::new(World::new(factory).await);
    let mut tasks = Vec::new();
    for task in 0..TASKS {
        let world = Arc::clone(&world);
        tasks.push(tokio::spawn(async move {
            let mut made = (0, 0);
            for number in 0..THREADS {
                let id = ((number + task * 3) % THREADS).to_string();
                let done = world.ingest(vec![world.update(&id, &id, "hi", None)]).await;
                let Ingested::Message {
                    conversation_created,
                    user_created,
                    ..
                } = done[0]
                else {
                    panic!("a message");
                };
                made.0 += usize::from(conversation_created);
                made.1 += usize::from(user_created);
            }
            made
        }));
    }
    let mut made = (0, 0);
    for task in tasks {
        let (threads, people) = task.await.unwrap();
        made = (made.0 + threads, made.1 + people);
    }
    assert_eq!(made, (THREADS, THREADS));
    counted(&world).await;
}

/// Eight deliveries of each of 100 updates: each is stored once.
pub async fn racing_redeliveries_are_stored_once(factory: &dyn Factory) {
    let world = Arc::new(World::new(factory).await);
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let world = Arc::clone(&world);
        tasks.push(tokio::spawn(async move {
            let mut stored = 0;
            for number in 0..100 {
                let thread = (number % 7).to_string();
                let update = world.update(&thread, "7", "hi", Some(number));
                let done = world.ingest(vec![update]).await;
                stored += usize::from(done[0] != Ingested::Duplicate);
            }
            stored
        }));
    }
    let mut stored = 0;
    for task in tasks {
        stored += task.await.unwrap();
    }
    assert_eq!(stored, 100);
    let list = world
        .store
        .list_messages(world.bot, MessageFilter::default(), all());
    assert_eq!(list.await.unwrap().items.len(), 100);
}
