//! How each operation is called with what belongs to another. A new operation needs its recipe
//! here.

use serde_json::{Value, json};

use super::owned::{Owned, SECRET};

/// What a caller has of its own, to name beside what it must not.
pub(super) struct Mine {
    /// Its integration, or the one that it makes conversations in.
    pub(super) alias: String,
    pub(super) channel: &'static str,
    pub(super) conversation: String,
    pub(super) user: String,
    /// If it may have any.
    pub(super) workflow: Option<String>,
}

/// A request, but for method and path.
#[derive(Default)]
pub(super) struct Part {
    /// The variable parts of the path.
    pub(super) fill: Vec<(&'static str, String)>,
    pub(super) query: &'static str,
    pub(super) body: Value,
}

fn at(id: &str) -> Part {
    Part {
        fill: vec![("id", id.to_owned())],
        ..Part::default()
    }
}

fn body(body: Value) -> Part {
    Part {
        body,
        ..Part::default()
    }
}

impl Part {
    fn and(mut self, name: &'static str, value: &str) -> Self {
        self.fill.push((name, value.to_owned()));
        self
    }

    fn with(mut self, body: Value) -> Self {
        self.body = body;
        self
    }
}

/// The requests; `None` for an operation that is not known here.
#[expect(
    clippy::too_many_lines,
    reason = "a list, one operation after the other"
)]
pub(super) fn recipe(operation: &str, theirs: &Owned, mine: &Mine) -> Option<Vec<Part>> {
    let tags = json!({ "id": theirs.external });
    let identify = json!({
        "channel": mine.channel, "tags": tags, "integrationName": mine.alias,
        "discriminateByTags": ["id"],
    });
    Some(match operation {
        "listConversations" | "listUsers" | "listMessages" | "listEvents" | "listWorkflows" => {
            vec![Part::default()]
        }
        "listTagValues" => ["conversation", "user", "message"]
            .iter()
            .flat_map(|kind| ["note", "telegram:note", "id"].map(|key| (kind, key)))
            .map(|(&kind, key)| Part {
                query: match kind {
                    "conversation" => "type=conversation",
                    "user" => "type=user",
                    _ => "type=message",
                },
                ..Part::default().and("key", key)
            })
            .collect(),

        "createConversation" | "getOrCreateConversation" => vec![body(identify)],
        "createUser" | "getOrCreateUser" => {
            vec![body(json!({ "tags": tags, "discriminateByTags": ["id"] }))]
        }
        "getConversation" | "deleteConversation" | "listParticipants" => {
            vec![at(&theirs.conversation)]
        }
        "updateConversation" => {
            vec![at(&theirs.conversation).with(json!({ "tags": { "x": "1" } }))]
        }
        "addParticipant" => pairs(theirs, mine)
            .map(|(conversation, user)| at(conversation).with(json!({ "userId": user })))
            .into(),
        "getParticipant" | "removeParticipant" => {
            vec![at(&theirs.conversation).and("userId", &theirs.user)]
        }

        // The bot's id names the user that stands for it.
        "getUser" => vec![at(&theirs.user), at(&theirs.bot)],
        "updateUser" => {
            vec![at(&theirs.user).with(json!({ "name": "taken", "tags": { "x": "1" } }))]
        }
        "deleteUser" => vec![at(&theirs.user)],

        "createMessage" | "getOrCreateMessage" => pairs(theirs, mine)
            .map(|(conversation, user)| {
                body(json!({
                    "conversationId": conversation, "userId": user, "type": "text",
                    "payload": { "text": "forged" }, "tags": tags,
                }))
            })
            .into(),
        "getMessage" | "deleteMessage" => vec![at(&theirs.message)],
        "updateMessage" => vec![at(&theirs.message).with(json!({ "tags": { "x": "1" } }))],
        "importMessages" => pairs(theirs, mine)
            .map(|(conversation, user)| {
                let mut past = said(&tags);
                past["conversationId"] = json!(conversation);
                past["userId"] = json!(user);
                past["createdAt"] = json!("2026-01-01T00:00:00.000Z");
                body(json!({ "messages": [past] }))
            })
            .into(),
        "initializeIncomingMessage" => {
            let user = json!({ "tags": tags, "discriminateByTags": ["id"] });
            let mut all: Vec<_> = pairs(theirs, mine)
                .map(|(conversation, user)| {
                    body(json!({
                        "conversationId": conversation, "userId": user, "message": said(&tags),
                    }))
                })
                .into();
            all.push(body(json!({
                "conversation": identify, "user": user, "message": said(&tags),
            })));
            all
        }

        "createEvent" => vec![body(json!({ "type": "y", "payload": {} }))],
        "getEvent" => vec![at(&theirs.event)],
        "cancelScheduledEvent" => vec![at(theirs.scheduled.as_deref()?)],

        "getState" => states(theirs, &[Value::Null]),
        "setState" => states(
            theirs,
            &[
                json!({ "payload": { "taken": 1 } }),
                json!({ "payload": null }),
            ],
        ),
        "patchState" | "getOrSetState" => states(theirs, &[json!({ "payload": { "taken": 1 } })]),
        "setStateExpiry" => states(theirs, &[json!({ "expiry": 60_000 })]),

        // The bot answers with its id.
        "callAction" => vec![body(json!({ "type": "tell", "input": {} }))],

        "createWorkflow" | "getOrCreateWorkflow" => vec![
            body(json!({ "name": "x", "status": "listening", "tags": tags })),
            body(json!({
                "name": "x", "status": "in_progress", "eventId": theirs.event, "tags": { "id": "new" },
            })),
        ],
        "getWorkflow" | "deleteWorkflow" => vec![at(&theirs.workflow)],
        "updateWorkflow" => {
            let event = json!({ "status": "in_progress", "eventId": theirs.event });
            let mut all = vec![
                at(&theirs.workflow).with(json!({ "status": "cancelled" })),
                at(&theirs.workflow).with(event.clone()),
            ];
            if let Some(own) = &mine.workflow {
                all.push(at(own).with(event));
                all.push(at(own).with(json!({ "userId": theirs.user })));
            }
            all
        }
        _ => return None,
    })
}

/// Conversation and user, of which one at least is another's.
fn pairs<'a>(theirs: &'a Owned, mine: &'a Mine) -> [(&'a str, &'a str); 3] {
    [
        (&theirs.conversation, &theirs.user),
        (&theirs.conversation, &mine.user),
        (&mine.conversation, &theirs.user),
    ]
}

fn said(tags: &Value) -> Value {
    json!({
        "type": "text", "payload": { "text": "forged" }, "tags": tags, "discriminateByTags": ["id"],
    })
}

fn states(theirs: &Owned, bodies: &[Value]) -> Vec<Part> {
    theirs
        .states()
        .iter()
        .flat_map(|&(kind, id)| {
            let part =
                move |body: &Value| at(id).and("type", kind).and("name", "s").with(body.clone());
            bodies.iter().map(part)
        })
        .collect()
}

/// Whether an answer has told something of another's.
pub(super) fn tells(text: &str, theirs: &Owned) -> bool {
    text.contains(SECRET) || theirs.ids().iter().any(|id| text.contains(id))
}
