//! Nobody reaches what is not theirs: every operation, asked by everyone who must not.

use serde_json::{Value, json};

use crate::support::{Answer, Client, World, text_message};

/// Method, path and body.
type Operation = (&'static str, String, Value);

/// Something of each kind that belongs to the first bot's Telegram integration.
struct Owned {
    conversation: String,
    user: String,
    message: String,
    event: String,
    workflow: String,
    bot: String,
    integration: String,
}

impl Owned {
    async fn new(world: &World) -> Self {
        let telegram = world.telegram();
        let conversation = telegram.conversation(json!({ "id": "1" })).await;
        let user = telegram.user(json!({ "id": "7" })).await;
        let message = telegram.say(&conversation, &user, "secret").await;
        let body = json!({ "type": "x", "payload": {}, "conversationId": conversation });
        let event = telegram.post("/events", body).await.created().id("event");
        let body = json!({ "name": "x", "status": "pending", "tags": { "id": "1" } });
        let workflow = world.bot().post("/workflows", body).await;
        let owned = Self {
            workflow: workflow.created().id("workflow"),
            bot: world.bot_id(),
            integration: world.bot.integrations[0].id.to_string(),
            conversation,
            user,
            message,
            event,
        };
        for path in owned.states() {
            let body = json!({ "payload": { "secret": 1 } });
            if !path.contains("/workflow/") {
                telegram.post(&path, body.clone()).await.ok();
            }
            if !path.contains("/integration/") {
                world.bot().post(&path, body).await.ok();
            }
        }
        owned
    }

    fn states(&self) -> [String; 5] {
        [
            format!("/states/conversation/{}/s", self.conversation),
            format!("/states/user/{}/s", self.user),
            format!("/states/bot/{}/s", self.bot),
            format!("/states/integration/{}/s", self.integration),
            format!("/states/workflow/{}/s", self.workflow),
        ]
    }

    /// Every operation that names something.
    fn operations(&self) -> Vec<Operation> {
        let conversation = format!("/conversations/{}", self.conversation);
        let participants = format!("{conversation}/participants");
        let user = format!("/users/{}", self.user);
        let message = format!("/messages/{}", self.message);
        let workflow = format!("/workflows/{}", self.workflow);
        let tags = json!({ "tags": { "taken": "1" } });
        let mut post = text_message(&self.conversation, &self.user, "forged");
        post["tags"] = json!({ "id": "1" });
        let event = |field: &str, id: &str| json!({ "type": "x", "payload": {}, field: id });
        let mut all = vec![
            ("GET", conversation.clone(), json!({})),
            ("PUT", conversation.clone(), tags.clone()),
            ("GET", participants.clone(), json!({})),
            ("POST", participants.clone(), json!({ "userId": self.user })),
            ("GET", format!("{participants}/{}", self.user), json!({})),
            ("DELETE", format!("{participants}/{}", self.user), json!({})),
            ("GET", user.clone(), json!({})),
            ("PUT", user.clone(), tags.clone()),
            ("GET", message.clone(), json!({})),
            ("PUT", message.clone(), tags),
            ("POST", "/messages".to_owned(), post.clone()),
            ("POST", "/messages/get-or-create".to_owned(), post),
            ("GET", format!("/events/{}", self.event), json!({})),
            (
                "POST",
                "/events".to_owned(),
                event("conversationId", &self.conversation),
            ),
            ("POST", "/events".to_owned(), event("userId", &self.user)),
            (
                "POST",
                "/events".to_owned(),
                event("messageId", &self.message),
            ),
            (
                "POST",
                "/events".to_owned(),
                event("workflowId", &self.workflow),
            ),
            ("GET", workflow.clone(), json!({})),
            ("PUT", workflow.clone(), json!({ "status": "cancelled" })),
            ("DELETE", workflow, json!({})),
            ("DELETE", message, json!({})),
            ("DELETE", user, json!({})),
            ("DELETE", conversation, json!({})),
        ];
        for path in self.states() {
            let patch = json!({ "payload": { "taken": 1 } });
            all.push(("GET", path.clone(), json!({})));
            all.push(("PATCH", path.clone(), patch.clone()));
            all.push(("POST", format!("{path}/expiry"), json!({ "expiry": 1 })));
            all.push(("POST", path.clone(), patch.clone()));
            all.push(("POST", path.clone(), json!({ "payload": null })));
            all.push(("POST", format!("{path}/get-or-set"), patch));
        }
        all
    }

    fn lists(&self) -> Vec<(String, &'static str)> {
        vec![
            ("/conversations?tags.id=1".to_owned(), "conversations"),
            (
                format!("/conversations?participantIds={}", self.user),
                "conversations",
            ),
            ("/users?tags.id=7".to_owned(), "users"),
            (
                format!("/users?conversationId={}", self.conversation),
                "users",
            ),
            ("/messages".to_owned(), "messages"),
            (
                format!("/messages?conversationId={}", self.conversation),
                "messages",
            ),
            ("/events".to_owned(), "events"),
            (
                format!("/events?conversationId={}", self.conversation),
                "events",
            ),
            (format!("/events?messageId={}", self.message), "events"),
            (format!("/events?workflowId={}", self.workflow), "events"),
            ("/workflows".to_owned(), "workflows"),
            ("/workflows?tags.id=1".to_owned(), "workflows"),
        ]
    }

    /// All that the owner sees.
    async fn snapshot(&self, world: &World) -> Vec<String> {
        let mut all = Vec::new();
        for caller in [world.telegram(), world.bot()] {
            for (method, path, _) in self.operations() {
                if method == "GET" {
                    all.push(caller.get(&path).await.text);
                }
            }
            for (path, key) in self.lists() {
                all.push(format!("{:?}", caller.list_all(&path, key).await));
            }
        }
        // An error's id differs each time.
        all.retain(|text| !text.contains("\"err_"));
        all
    }
}

fn is_absent(answer: &Answer, what: &str) {
    let kind = answer.body["type"].as_str().unwrap_or_default().to_owned();
    assert!(
        matches!(
            (answer.status.as_u16(), kind.as_str()),
            (404, "ResourceNotFound") | (400, "ReferenceNotFound")
        ),
        "{what}: {} {}",
        answer.status,
        answer.text
    );
    assert!(answer.text.contains("not found"), "{}", answer.text);
}

async fn sees_nothing(owned: &Owned, stranger: &Client, operations: Vec<Operation>) {
    for (method, path, body) in operations {
        let answer = stranger.call(method, &path, &body).await;
        is_absent(&answer, &format!("{method} {path} {body}"));
    }
    for (path, key) in owned.lists() {
        let found = stranger.list_all(&path, key).await;
        assert!(found.is_empty(), "{path}: {found:?}");
    }
}

#[tokio::test]
async fn another_bot_and_its_integrations_reach_nothing() {
    let world = World::new().await;
    let owned = Owned::new(&world).await;
    let before = owned.snapshot(&world).await;
    let other = world.another_bot().await;
    for integration in [None, Some(0), Some(1)] {
        let stranger = world.client(&other, integration);
        sees_nothing(&owned, &stranger, owned.operations()).await;
    }
    assert_eq!(owned.snapshot(&world).await, before);
}

#[tokio::test]
async fn another_integration_of_the_same_bot_reaches_nothing() {
    let world = World::new().await;
    let owned = Owned::new(&world).await;
    let before = owned.snapshot(&world).await;
    let mut operations = owned.operations();
    // The bot is the same, and each keeps states of its own beside it.
    operations.retain(|(method, path, _)| *method != "POST" || !path.contains("/states/bot/"));
    sees_nothing(&owned, &world.terminal(), operations).await;
    // The same identity is another one elsewhere.
    for path in ["/conversations/get-or-create", "/users/get-or-create"] {
        let body = json!({ "channel": "channel", "tags": { "id": "1" } });
        let made = world.terminal().post(path, body).await.ok();
        assert_eq!(made.body["meta"]["created"], true);
    }
    assert_eq!(owned.snapshot(&world).await, before);
}

#[tokio::test]
async fn a_token_reaches_only_what_it_was_made_for() {
    let world = World::new().await;
    let owned = Owned::new(&world).await;
    let before = owned.snapshot(&world).await;
    let other = world.another_bot().await;
    let bot = world.bot.bot.id;
    let terminal = world.bot.integrations[1].id;
    let (_, of_terminal) = world
        .engine
        .create_token(bot, Some(terminal), "terminal only")
        .await
        .unwrap();
    let (record, revoked) = world
        .engine
        .create_token(bot, None, "revoked")
        .await
        .unwrap();
    let now = world.engine.env().now();
    world
        .engine
        .store()
        .revoke_token(bot, record.id, now)
        .await
        .unwrap()
        .unwrap();
    let bearer = |token: &str| format!("Bearer {token}");
    let telegram = world.telegram();
    for (stranger, status) in [
        (world.bot().with("authorization", bearer(&other.token)), 403),
        (
            telegram.clone().with("authorization", bearer(&other.token)),
            403,
        ),
        (
            world
                .client(&other, None)
                .with("x-integration-id", owned.integration.clone()),
            403,
        ),
        (world.bot().with("authorization", bearer(&of_terminal)), 403),
        (
            telegram.clone().with("authorization", bearer(&of_terminal)),
            403,
        ),
        (world.bot().with("authorization", bearer(&revoked)), 401),
        (
            telegram.clone().with("authorization", bearer(&revoked)),
            401,
        ),
        (telegram.without("authorization"), 401),
    ] {
        for (method, path, body) in owned.operations() {
            stranger.call(method, &path, &body).await.is(status);
        }
        for (path, _) in owned.lists() {
            stranger.get(&path).await.is(status);
        }
        for path in ["/conversations", "/users"] {
            let body = json!({ "channel": "channel", "tags": { "id": "9" } });
            stranger.post(path, body.clone()).await.is(status);
            let path = format!("{path}/get-or-create");
            stranger.post(&path, body).await.is(status);
        }
    }
    let admitted = world.terminal().with("authorization", bearer(&of_terminal));
    admitted.get("/conversations").await.ok();
    assert_eq!(owned.snapshot(&world).await, before);
}
