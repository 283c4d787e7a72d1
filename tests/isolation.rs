//! The promise: a bot is a tenant. What belongs to another bot does not exist, and an integration
//! sees what is its own only.
//!
//! Every operation that the server says it serves is called by everyone who must not reach what it
//! names; one without a recipe fails by name.

mod operations;
mod owned;
mod recipes;

use operations::{Call, Operation, served};
use owned::{Dump, Owned, Owner};
use recipes::{Mine, tells};
use serde_json::{Value, json};

use crate::support::api::Answer;
use crate::support::{Api, Bot, Reply, Server};

/// What an integration may do with the bot that it belongs to. All else of the bot's, and of its
/// other integrations, is absent.
const SHARED: [(&str, &str); 6] = [
    (
        "getUser",
        "the user that stands for the bot: it writes to all",
    ),
    ("getState", "a name space of its own beside the bot's"),
    ("setState", "a name space of its own beside the bot's"),
    ("patchState", "a name space of its own beside the bot's"),
    ("getOrSetState", "a name space of its own beside the bot's"),
    ("setStateExpiry", "a name space of its own beside the bot's"),
];

/// Workflows are a bot's, and what comes in is an integration's.
const NOT_FOR_ALL: [&str; 4] = [
    "createWorkflow",
    "getOrCreateWorkflow",
    "initializeIncomingMessage",
    "importMessages",
];

struct World {
    server: Server,
    // Ends when it is dropped.
    _bot: Bot,
    owner: Owner,
    operations: Vec<Operation>,
}

impl World {
    async fn new() -> Self {
        let bot = Bot::start(|received| match received.headers.get("x-bot-id") {
            // An action of the bot's tells whose it is.
            Some(id) if received.headers["x-bp-operation"] == "action_triggered" => Reply {
                body: json!({ "output": { "of": id.to_str().expect("an id") } }),
                ..Reply::nothing()
            },
            _ => Reply::nothing(),
        })
        .await;
        let server = Server::builder().bot(&bot.url).start().await;
        let owner = Owner {
            bot: server.bot(),
            telegram: server.integration(),
        };
        let operations = served(&owner.bot).await;
        Self {
            server,
            _bot: bot,
            owner,
            operations,
        }
    }

    async fn make(&self, external: &str) -> Owned {
        let schedules = self
            .operations
            .iter()
            .any(|one| one.id == "cancelScheduledEvent");
        self.owner.make(external, schedules).await
    }

    /// All requests, in the order of the document.
    fn calls(&self, theirs: &Owned, mine: &Mine) -> Vec<Call> {
        let calls = self.operations.iter();
        calls.flat_map(|one| one.calls(theirs, mine)).collect()
    }

    /// A second bot, and its integrations.
    async fn second_bot(&self) -> Vec<Api> {
        let arguments = ["bots", "create", "second", "--json"];
        let made = self.server.command(&arguments).await.json();
        let token = made["token"].as_str().expect("a token");
        let bot = Api::new(&self.server.ready.url, token, &id(&made["bot"]));
        let integrations = made["integrations"].as_array().expect("integrations");
        let mut all = vec![bot.clone()];
        for one in integrations {
            let alias = one["alias"].as_str().expect("an alias");
            all.push(bot.clone().acting_as(&id(one), alias));
        }
        all
    }

    /// The terminal of the owner's bot, with a token of its own.
    async fn terminal(&self) -> Api {
        let arguments = ["integrations", "list", "--json"];
        let listed = self.server.command(&arguments).await.json();
        let all = listed["integrations"].as_array().expect("a list");
        let terminal = all.iter().find(|one| one["alias"] == "terminal");
        let made = self.token(&["--integration", "terminal"]).await;
        let bot = self.server.bot().with_token(&made.1);
        bot.acting_as(&id(terminal.expect("each bot has one")), "terminal")
    }

    /// A token's id and text.
    async fn token(&self, more: &[&str]) -> (String, String) {
        let mut arguments = vec!["tokens", "create", "another", "--json"];
        arguments.extend(more);
        let made = self.server.command(&arguments).await.json();
        let secret = made["secret"].as_str().expect("a token");
        (id(&made["token"]), secret.to_owned())
    }
}

fn id(object: &Value) -> String {
    object["id"].as_str().expect("an id").to_owned()
}

/// What a caller has of its own.
async fn mine(api: &Api) -> Mine {
    let alias = api.integration.as_ref().map(|(_, alias)| alias.clone());
    let is_bot = alias.is_none();
    let alias = alias.unwrap_or_else(|| "telegram".to_owned());
    let channel = if alias == "terminal" {
        "terminal"
    } else {
        "channel"
    };
    let body = json!({ "channel": channel, "integrationName": alias, "tags": {} });
    let made = api.post("/v1/chat/conversations", &body).await;
    let conversation = id(&made.created("conversation"));
    let body = json!({ "tags": {}, "name": "mine" });
    let user = id(&api.post("/v1/chat/users", &body).await.created("user"));
    let workflow = if is_bot {
        let body = json!({ "name": "mine", "status": "listening" });
        let made = api.post("/v1/chat/workflows", &body).await;
        Some(id(&made.created("workflow")))
    } else {
        None
    };
    Mine {
        alias,
        channel,
        conversation,
        user,
        workflow,
    }
}

async fn send(api: &Api, call: &Call) -> Answer {
    api.call(call.method.clone(), &call.path, call.body.as_ref())
        .await
}

fn describe(call: &Call, answer: &Answer) -> String {
    let Call {
        operation,
        method,
        path,
        body,
    } = call;
    format!("{operation}: {method} {path} {body:?}: {answer:?}")
}

/// Refused as if it were not there, or because it is not for callers of this kind at all.
fn is_refused(call: &Call, answer: &Answer) -> bool {
    let kind = answer.body["type"].as_str().unwrap_or_default();
    match (answer.status, kind) {
        (404, "ResourceNotFound") | (400, "ReferenceNotFound") => {
            let message = answer.body["message"].as_str();
            message.is_some_and(|text| text.contains("not found"))
        }
        (403, "Forbidden") => NOT_FOR_ALL.contains(&call.operation.as_str()),
        _ => false,
    }
}

/// Calls everything as a stranger. `ids` are what it may not even name.
async fn reaches_nothing(world: &World, stranger: &Api, theirs: &Owned, ids: &[&str]) {
    let mine = mine(stranger).await;
    for call in world.calls(theirs, &mine) {
        let answer = send(stranger, &call).await;
        let what = || format!("{:?}: {}", stranger.integration, describe(&call, &answer));
        let done = (200..300).contains(&answer.status);
        assert!(
            done || is_refused(&call, &answer) || is_no_action(stranger, &call, &answer),
            "{}",
            what()
        );
        if done {
            assert!(!call.names(ids), "{}", what());
            assert!(!tells(&answer.body.to_string(), theirs), "{}", what());
            let shared = SHARED
                .iter()
                .any(|(operation, _)| *operation == call.operation);
            assert!(shared || !call.names(&[&theirs.bot]), "{}", what());
        } else {
            assert!(
                !answer.body.to_string().contains(owned::SECRET),
                "{}",
                what()
            );
        }
    }
}

/// Integrations have actions of their own only, so that the bot's is a wrong name.
fn is_no_action(stranger: &Api, call: &Call, answer: &Answer) -> bool {
    call.operation == "callAction" && stranger.integration.is_some() && answer.status == 400
}

/// All of before is as it was.
fn unchanged(before: &Dump, after: &Dump) {
    for (what, object) in before {
        assert_eq!(after.get(what), Some(object), "{what}");
    }
}

#[tokio::test]
async fn every_operation_has_a_recipe_that_works_for_the_owner() {
    let world = World::new().await;
    let (bot, telegram) = (&world.owner.bot, &world.owner.telegram);
    let (of_bot, of_telegram) = (mine(bot).await, mine(telegram).await);
    let first = world.make("0").await;
    let count = world.calls(&first, &of_bot).len();
    for number in 0..count {
        // What a request names may be gone after it.
        let owned = world.make(&(number + 1).to_string()).await;
        let calls = world.calls(&owned, &of_telegram);
        let mut answer = None;
        if let Some(call) = calls.get(number) {
            answer = Some(send(telegram, call).await);
        }
        if answer.as_ref().is_none_or(|answer| answer.status >= 300) {
            let call = &world.calls(&owned, &of_bot)[number];
            let as_bot = send(bot, call).await;
            let what = describe(call, &as_bot);
            assert!(
                as_bot.status < 300,
                "{what}, and as the integration: {answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn another_bot_and_its_integrations_reach_nothing() {
    let world = World::new().await;
    let owned = world.make("501").await;
    let before = world.owner.dump(&owned).await;
    let mut ids = owned.ids();
    ids.push(&owned.bot);
    for stranger in world.second_bot().await {
        reaches_nothing(&world, &stranger, &owned, &ids).await;
        let after = world.owner.dump(&owned).await;
        unchanged(&before, &after);
        assert_eq!(before.len(), after.len(), "something came in");
    }
}

#[tokio::test]
async fn another_integration_of_the_bot_reaches_nothing() {
    let world = World::new().await;
    let owned = world.make("501").await;
    let before = world.owner.dump(&owned).await;
    let terminal = world.terminal().await;
    reaches_nothing(&world, &terminal, &owned, &owned.ids()).await;
    // What the terminal has made is the bot's too; Telegram sees none of it.
    let after = world.owner.dump(&owned).await;
    unchanged(&before, &after);
    for what in after.keys().filter(|what| !before.contains_key(*what)) {
        assert!(what.starts_with("bot "), "{what}");
    }
}

#[tokio::test]
async fn a_token_reaches_only_what_it_was_made_for() {
    let world = World::new().await;
    let owned = world.make("501").await;
    let mine = mine(&world.owner.bot).await;
    let before = world.owner.dump(&owned).await;
    let (bot, telegram) = (&world.owner.bot, &world.owner.telegram);
    let second = world.second_bot().await.swap_remove(0);
    let terminal = world.terminal().await;
    let (revoked_id, revoked) = world.token(&[]).await;
    let path = "/v1/chat/users";
    let working = bot.clone().with_token(&revoked);
    assert_eq!(working.get(path).await.status, 200);
    let revoke = ["tokens", "revoke", &revoked_id];
    world.server.command(&revoke).await.ok();
    let elsewhere = |api: &Api| {
        let mut api = api.clone();
        api.bot_id.clone_from(&second.bot_id);
        api
    };
    for (who, stranger, status) in [
        (
            "another bot's token",
            bot.clone().with_token(&second.token),
            403,
        ),
        (
            "another bot's token",
            telegram.clone().with_token(&second.token),
            403,
        ),
        (
            "another bot's integration",
            second.clone().acting_as(&owned.integration, "telegram"),
            403,
        ),
        ("the owner's token for another bot", elsewhere(bot), 403),
        (
            "the owner's token for another bot",
            elsewhere(telegram),
            403,
        ),
        (
            "the terminal's token",
            bot.clone().with_token(&terminal.token),
            403,
        ),
        (
            "the terminal's token",
            telegram.clone().with_token(&terminal.token),
            403,
        ),
        ("a revoked token", bot.clone().with_token(&revoked), 401),
        (
            "a revoked token",
            telegram.clone().with_token(&revoked),
            401,
        ),
        ("no token", bot.clone().with_token(""), 401),
        ("nonsense", telegram.clone().with_token("nonsense"), 401),
    ] {
        for call in world.calls(&owned, &mine) {
            let answer = send(&stranger, &call).await;
            assert_eq!(answer.status, status, "{who}: {}", describe(&call, &answer));
        }
    }
    assert_eq!(world.owner.dump(&owned).await, before);
}

#[tokio::test]
async fn an_integration_sees_neither_the_bot_s_tags_nor_another_s() {
    let world = World::new().await;
    let telegram = &world.owner.telegram;
    let conversation = telegram.conversation("501").await;
    let path = format!("/v1/chat/conversations/{}", id(&conversation));
    let tags = json!({ "tags": { "mood": "good", "terminal:note": "x" } });
    world.owner.bot.put(&path, &tags).await.ok("conversation");
    let seen = telegram.get(&path).await.ok("conversation");
    assert_eq!(seen["tags"], json!({ "id": "501" }));
    // The same external id is another conversation for another integration.
    let body =
        json!({ "channel": "terminal", "tags": { "id": "501" }, "discriminateByTags": ["id"] });
    let other = world.terminal().await;
    let other = other
        .post("/v1/chat/conversations/get-or-create", &body)
        .await
        .ok("conversation");
    assert_ne!(other["id"], conversation["id"]);
}
