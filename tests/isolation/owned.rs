//! Something of each kind that belongs to a bot's Telegram integration, and all that its owner sees.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{Api, message, wait};

/// In everything of the owner's that could be told.
pub(super) const SECRET: &str = "for-the-owner-only";

pub(super) struct Owned {
    pub(super) external: String,
    pub(super) conversation: String,
    pub(super) user: String,
    pub(super) message: String,
    pub(super) event: String,
    /// Where schedules are served.
    pub(super) scheduled: Option<String>,
    pub(super) workflow: String,
    pub(super) bot: String,
    pub(super) integration: String,
}

/// The owner, as the bot and as its Telegram integration.
pub(super) struct Owner {
    pub(super) bot: Api,
    pub(super) telegram: Api,
}

/// What the owner sees: by who looks and what it is.
pub(super) type Dump = BTreeMap<String, Value>;

fn id(object: &Value) -> String {
    object["id"].as_str().expect("an id").to_owned()
}

impl Owner {
    /// One of each kind, under an external id.
    pub(super) async fn make(&self, external: &str, with_schedule: bool) -> Owned {
        let Self { bot, telegram } = self;
        let tags = json!({ "id": external, "note": SECRET });
        let body = json!({ "channel": "channel", "tags": tags });
        let made = telegram.post("/v1/chat/conversations", &body).await;
        let conversation = made.created("conversation");
        let body = json!({ "name": SECRET, "tags": tags });
        let user = telegram.post("/v1/chat/users", &body).await.created("user");
        let mut body = message(&conversation["id"], &user["id"], SECRET);
        body["tags"] = json!({ "id": external, "note": SECRET });
        let said = telegram.post("/v1/chat/messages", &body).await;
        let mut body = json!({
            "type": "x", "payload": { "x": SECRET }, "conversationId": conversation["id"],
        });
        let event = telegram
            .post("/v1/chat/events", &body)
            .await
            .created("event");
        let mut scheduled = None;
        if with_schedule {
            body["schedule"] = json!({ "delay": 86_400_000 });
            let made = bot.post("/v1/chat/events", &body).await;
            scheduled = Some(id(&made.created("event")));
        }
        let body = json!({
            "name": "x", "status": "listening", "input": { "x": SECRET }, "tags": { "id": external },
        });
        let workflow = bot.post("/v1/chat/workflows", &body).await;
        let (alias, _) = telegram.integration.as_ref().expect("an integration");
        let owned = Owned {
            external: external.to_owned(),
            conversation: id(&conversation),
            user: id(&user),
            message: id(&said.created("message")),
            event: id(&event),
            scheduled,
            workflow: id(&workflow.created("workflow")),
            bot: bot.bot_id.clone(),
            integration: alias.clone(),
        };
        let body = json!({ "payload": { "x": SECRET } });
        for (kind, of) in owned.states() {
            let path = format!("/v1/chat/states/{kind}/{of}/s");
            if kind != "workflow" {
                telegram.post(&path, &body).await.ok("state");
            }
            if kind != "integration" {
                bot.post(&path, &body).await.ok("state");
            }
        }
        owned
    }

    /// All that the owner sees, when the bot has been told of all events.
    pub(super) async fn dump(&self, owned: &Owned) -> Dump {
        wait::until("the bot has all events", async || {
            let path = "/v1/chat/events?status=pending";
            let pending = self.bot.list(path, "events").await;
            pending.is_empty().then_some(())
        })
        .await;
        let mut dump = Dump::new();
        for (who, api) in [("bot", &self.bot), ("telegram", &self.telegram)] {
            for name in ["conversations", "users", "messages", "events", "workflows"] {
                for object in api.list(&format!("/v1/chat/{name}"), name).await {
                    dump.insert(format!("{who} {name} {}", object["id"]), object);
                }
            }
            let path = format!("/v1/chat/conversations/{}/participants", owned.conversation);
            for object in api.list(&path, "participants").await {
                dump.insert(format!("{who} participants {}", object["id"]), object);
            }
            for (kind, of) in owned.states() {
                let path = format!("/v1/chat/states/{kind}/{of}/s");
                let answer = api.get(&path).await;
                dump.insert(format!("{who} {path}"), answer.body["state"].clone());
            }
        }
        dump
    }
}

impl Owned {
    /// What states belong to: type and id.
    pub(super) fn states(&self) -> [(&'static str, &str); 5] {
        [
            ("conversation", &self.conversation),
            ("user", &self.user),
            ("bot", &self.bot),
            ("integration", &self.integration),
            ("workflow", &self.workflow),
        ]
    }

    /// What only the owner may hear of or name.
    pub(super) fn ids(&self) -> Vec<&str> {
        let mut ids: Vec<&str> = vec![
            &self.conversation,
            &self.user,
            &self.message,
            &self.event,
            &self.workflow,
            &self.integration,
        ];
        ids.extend(self.scheduled.as_deref());
        ids
    }

    /// What a field or parameter of this name names.
    pub(super) fn named(&self, field: &str) -> Option<&str> {
        Some(match field {
            "conversationId" => &self.conversation,
            "userId" | "participantIds" => &self.user,
            "messageId" => &self.message,
            "workflowId" | "parentWorkflowId" | "currentTaskId" => &self.workflow,
            "eventId" => &self.event,
            _ => return None,
        })
    }
}
