//! Bots, integrations and tokens.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use switchboard_model::{Bot, BotId, Error, Token, TokenId, UserId};

use super::Factory;
use super::world::{World, new_integration};
use crate::{CreateBot, IntegrationChange, NewToken, RotateToken, SealedSecret, TokenHash};

fn new_token(world: &World, bot: BotId, hash: u8) -> NewToken {
    NewToken {
        token: Token {
            id: TokenId::new(world.env.ulid()),
            bot,
            integration: None,
            label: "for a test".to_owned(),
            hint: "abcd".to_owned(),
            created_at: world.now(),
            revoked_at: None,
        },
        hash: TokenHash([hash; 32]),
    }
}

/// Everything of a `create_bot` can be found in each way there is.
pub async fn a_bot_comes_with_its_user_integrations_and_tokens(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let store = &world.store;
    let id = BotId::new(world.env.ulid());
    let bot = Bot {
        id,
        name: "Second".to_owned(),
        created_at: world.now(),
    };
    let mut first = new_integration(&world.env, id, "telegram", false);
    first.secret = Some(SealedSecret(vec![1, 2, 3]));
    let second = new_integration(&world.env, id, "terminal", true);
    let token = new_token(&world, id, 1);
    let command = CreateBot {
        bot: bot.clone(),
        integrations: vec![first.clone(), second.clone()],
        tokens: vec![token.clone()],
    };
    store.create_bot(command).await.unwrap();

    assert_eq!(store.get_bot(id).await.unwrap(), Some(bot.clone()));
    assert_eq!(store.list_bots().await.unwrap().last(), Some(&bot));
    let own = store.get_user(id, UserId::from(id)).await.unwrap().unwrap();
    assert_eq!(own.integration, None);
    let both = vec![first.integration.clone(), second.integration.clone()];
    assert_eq!(store.list_integrations(id).await.unwrap(), both);
    let hook = store.find_webhook(&first.integration.webhook_id).await;
    assert_eq!(hook.unwrap(), Some(first.integration.clone()));
    assert_eq!(store.find_webhook("nonsense").await.unwrap(), None);
    let secret = store.integration_secret(first.integration.id).await;
    assert_eq!(secret.unwrap(), first.secret);
    let secret = store.integration_secret(second.integration.id).await;
    assert_eq!(secret.unwrap(), None);
    let found = store.find_token(token.hash).await.unwrap();
    assert_eq!(found, Some(token.token.clone()));
    assert_eq!(store.list_tokens(id).await.unwrap(), vec![token.token]);
    assert_eq!(store.find_token(TokenHash([9; 32])).await.unwrap(), None);
}

/// A collision anywhere in a `create_bot` undoes all of it.
pub async fn what_must_be_unique_is_refused_and_nothing_of_it_is_kept(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let store = &world.store;
    let again = new_integration(&world.env, world.bot, "telegram", true);
    let refused = store.create_integration(again).await.unwrap_err();
    assert!(matches!(refused, Error::AlreadyExists { ref field, .. } if field == "alias"));

    let token = new_token(&world, world.bot, 1);
    store.create_token(token.clone()).await.unwrap();
    let other = new_token(&world, world.bot, 1);
    let refused = store.create_token(other.clone()).await.unwrap_err();
    assert!(matches!(refused, Error::AlreadyExists { .. }));

    let id = BotId::new(world.env.ulid());
    let command = CreateBot {
        bot: Bot {
            id,
            name: "Third".to_owned(),
            created_at: world.now(),
        },
        integrations: vec![new_integration(&world.env, id, "telegram", true)],
        tokens: vec![new_token(&world, id, 1)],
    };
    let refused = store.create_bot(command).await.unwrap_err();
    assert!(matches!(refused, Error::AlreadyExists { .. }));
    assert_eq!(store.get_bot(id).await.unwrap(), None);
    assert!(store.list_integrations(id).await.unwrap().is_empty());
    assert_eq!(store.list_bots().await.unwrap().len(), 1);
}

/// What a change does not name stays.
pub async fn an_integration_changes(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let store = &world.store;
    let before = store.get_integration(world.bot, world.integration).await;
    let before = before.unwrap().unwrap();
    world.pass(Duration::from_secs(1));
    let change = IntegrationChange {
        active: Some(false),
        secret: Some(SealedSecret(vec![7])),
        script: None,
    };
    let after = store
        .update_integration(world.bot, world.integration, change, world.now())
        .await
        .unwrap()
        .unwrap();
    assert!(before.active && !after.active);
    assert_eq!(after.updated_at, world.now());
    assert_eq!(after.created_at, before.created_at);
    let nothing = IntegrationChange::default();
    let same = store
        .update_integration(world.bot, world.integration, nothing, world.now())
        .await
        .unwrap();
    assert_eq!(same, Some(after));
    let secret = store.integration_secret(world.integration).await.unwrap();
    assert_eq!(secret, Some(SealedSecret(vec![7])));
}

/// The first revocation's time stays.
pub async fn a_token_is_revoked_once(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let store = &world.store;
    let token = new_token(&world, world.bot, 1);
    store.create_token(token.clone()).await.unwrap();
    let first = world.now();
    let id = token.token.id;
    let revoked = store.revoke_token(world.bot, id, first).await.unwrap();
    assert_eq!(revoked.unwrap().revoked_at, Some(first));
    world.pass(Duration::from_secs(1));
    let again = store
        .revoke_token(world.bot, id, world.now())
        .await
        .unwrap();
    assert_eq!(again.unwrap().revoked_at, Some(first));
    let found = store.find_token(token.hash).await.unwrap().unwrap();
    assert_eq!(found.revoked_at, Some(first));
    let unknown = TokenId::new(world.env.ulid());
    let none = store.revoke_token(world.bot, unknown, first).await;
    assert_eq!(none.unwrap(), None);
}

/// Many look a token up while it is revoked or replaced: from the moment that one of them is told
/// of its end, or that the revocation is answered, all are told of it.
pub async fn a_token_that_ended_never_comes_back(factory: &dyn Factory) {
    const READERS: usize = 4;
    let world = World::new(factory).await;
    for round in 0..60 {
        let token = new_token(&world, world.bot, round);
        world.store.create_token(token.clone()).await.unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let readers: Vec<_> = (0..READERS)
            .map(|_| {
                let (store, over) = (Arc::clone(&world.store), Arc::clone(&over));
                tokio::spawn(async move {
                    loop {
                        let was_over = over.load(Ordering::SeqCst);
                        let found = store.find_token(token.hash).await.unwrap().unwrap();
                        let is_over = found.revoked_at.is_some();
                        assert!(is_over || !was_over, "round {round}: it came back");
                        over.fetch_or(is_over, Ordering::SeqCst);
                        if was_over {
                            break;
                        }
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        let (bot, id, now) = (world.bot, token.token.id, world.now());
        if round % 2 == 0 {
            world.store.revoke_token(bot, id, now).await.unwrap();
        } else {
            let command = RotateToken {
                bot,
                id,
                new: new_token(&world, bot, 100 + round),
                ends: now.plus(Duration::from_mins(1)),
                now,
            };
            world.store.rotate_token(command).await.unwrap();
        }
        over.store(true, Ordering::SeqCst);
        for reader in readers {
            reader.await.unwrap();
        }
    }
}

/// The old one ends when it is told to, and never later than it would have.
pub async fn a_token_gives_way_to_a_new_one(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let store = &world.store;
    let old = new_token(&world, world.bot, 1);
    store.create_token(old.clone()).await.unwrap();
    let rotate = |hash, after: u64| {
        store.rotate_token(RotateToken {
            bot: world.bot,
            id: old.token.id,
            new: new_token(&world, world.bot, hash),
            ends: world.now().plus(Duration::from_secs(after)),
            now: world.now(),
        })
    };
    let end = world.now().plus(Duration::from_mins(1));
    let ending = rotate(2, 60).await.unwrap().unwrap();
    assert_eq!(ending.revoked_at, Some(end));
    assert!(!ending.has_ended(world.now()) && ending.has_ended(end));
    assert!(
        store
            .find_token(TokenHash([2; 32]))
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(store.list_tokens(world.bot).await.unwrap().len(), 2);

    let later = rotate(3, 3600).await.unwrap().unwrap();
    assert_eq!(later.revoked_at, Some(end), "an end is never put off");
    let taken = rotate(3, 1).await.unwrap_err();
    assert!(matches!(taken, Error::AlreadyExists { .. }));
    let found = store.find_token(old.hash).await.unwrap().unwrap();
    assert_eq!(found.revoked_at, Some(end), "neither of the two was done");

    let revoked = store.revoke_token(world.bot, old.token.id, world.now());
    let revoked = revoked.await.unwrap().unwrap();
    assert_eq!(revoked.revoked_at, Some(world.now()), "revoked at once");
    let ended = rotate(4, 60).await.unwrap_err();
    assert!(matches!(ended, Error::InvalidPayload { ref field, .. } if field == "id"));
    let found = store.find_token(TokenHash([4; 32])).await.unwrap();
    assert_eq!(found, None);

    let other = world.another_bot().await;
    let command = RotateToken {
        bot: other.bot,
        id: old.token.id,
        new: new_token(&other, other.bot, 5),
        ends: world.now(),
        now: world.now(),
    };
    assert_eq!(store.rotate_token(command).await.unwrap(), None);
    let found = store.find_token(TokenHash([5; 32])).await.unwrap();
    assert_eq!(found, None);
}

/// With the user that stands for it.
pub async fn a_bot_is_renamed(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let store = &world.store;
    let renamed = store.rename_bot(world.bot, "Another", world.now()).await;
    assert_eq!(renamed.unwrap().unwrap().name, "Another");
    let bot = store.get_bot(world.bot).await.unwrap().unwrap();
    assert_eq!(bot.name, "Another");
    let own = store.get_user(world.bot, UserId::from(world.bot)).await;
    assert_eq!(own.unwrap().unwrap().name.as_deref(), Some("Another"));
    let unknown = BotId::new(world.env.ulid());
    let none = store.rename_bot(unknown, "x", world.now()).await;
    assert_eq!(none.unwrap(), None);
}
