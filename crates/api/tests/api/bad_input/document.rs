//! The operations of the document, each with a request that could be right.

use serde_json::{Map, Value, json};
use switchboard_api::document;

use crate::support::World;

/// What exists, for requests to name.
pub(super) struct Known {
    pub(super) conversation: String,
    pub(super) user: String,
    pub(super) message: String,
    pub(super) event: String,
    pub(super) workflow: String,
}

impl Known {
    pub(super) async fn new(world: &World) -> Self {
        let (bot, telegram) = (world.bot(), world.telegram());
        let conversation = telegram.conversation(json!({ "id": "1" })).await;
        let user = telegram.user(json!({ "id": "2" })).await;
        let message = telegram.say(&conversation, &user, "hello").await;
        let body = json!({ "type": "x", "payload": {} });
        let event = bot.post("/events", body).await.created().id("event");
        let body = json!({ "name": "x", "status": "listening" });
        let workflow = bot.post("/workflows", body).await.created().id("workflow");
        Self {
            conversation,
            user,
            message,
            event,
            workflow,
        }
    }

    /// One of the kind that a path speaks of.
    fn addressed(&self, path: &str) -> String {
        let kind = path.trim_start_matches("/v1/chat/").split('/').next();
        let id = match kind.unwrap_or_default() {
            "conversations" | "states" => &self.conversation,
            "users" => &self.user,
            "messages" => &self.message,
            "events" => &self.event,
            "workflows" => &self.workflow,
            other => panic!("{path}: what is addressed below {other}?"),
        };
        id.clone()
    }
}

pub(super) struct Operation {
    pub(super) method: String,
    /// With its variable parts in braces.
    pub(super) template: String,
    /// Names of its variable parts.
    pub(super) parts: Vec<String>,
    /// Names of its parameters, and whether each is an array or an object.
    pub(super) parameters: Vec<(String, bool)>,
    /// The fields of its body, if it has one, with their schemas.
    pub(super) fields: Option<Map<String, Value>>,
    pub(super) required: Vec<String>,
    document: Value,
}

pub(super) fn operations() -> Vec<Operation> {
    let document = serde_json::to_value(document()).unwrap();
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let parameters = operation["parameters"].as_array().unwrap();
            let named = |place: &str| {
                let here = parameters.iter().filter(|one| one["in"] == place);
                let name = |one: &Value| {
                    let kind = &one["schema"]["type"];
                    let is_plain = !kind.to_string().contains("array") && kind != "object";
                    (one["name"].as_str().unwrap().to_owned(), !is_plain)
                };
                here.map(name).collect::<Vec<_>>()
            };
            let body = operation.pointer("/requestBody/content/application~1json/schema");
            let required = body.and_then(|body| body["required"].as_array());
            all.push(Operation {
                method: method.to_uppercase(),
                template: path.clone(),
                parts: named("path").into_iter().map(|(name, _)| name).collect(),
                parameters: named("query"),
                fields: body.map(|body| body["properties"].as_object().unwrap().clone()),
                required: required
                    .into_iter()
                    .flatten()
                    .map(|name| name.as_str().unwrap().to_owned())
                    .collect(),
                document: document.clone(),
            });
        }
    }
    assert!(all.len() > 30, "{}", all.len());
    all
}

impl Operation {
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.method, self.template)
    }

    /// Its path, of what exists.
    pub(super) fn path(&self, known: &Known) -> String {
        let mut path = self.template.clone();
        for part in &self.parts {
            path = path.replace(&format!("{{{part}}}"), &self.part(part, known));
        }
        path
    }

    /// Its path, with another text for one of its parts.
    pub(super) fn path_with(&self, known: &Known, part: &str, text: &str) -> String {
        let template = self.template.replace(&format!("{{{part}}}"), text);
        let parts = self.parts.iter().filter(|other| *other != part);
        parts.fold(template, |path, other| {
            path.replace(&format!("{{{other}}}"), &self.part(other, known))
        })
    }

    fn part(&self, part: &str, known: &Known) -> String {
        match part {
            "userId" => known.user.clone(),
            "type" => "conversation".to_owned(),
            "name" | "key" => "x".to_owned(),
            "id" => known.addressed(&self.template),
            other => panic!("{}: what is {other}?", self.template),
        }
    }

    /// A body with what must be in it.
    pub(super) fn body(&self, known: &Known) -> Map<String, Value> {
        let fields = self.fields.as_ref().unwrap();
        let value = |name: &String| self.example(name, &fields[name], known);
        let required = self.required.iter();
        let mut body: Map<_, _> = required.map(|name| (name.clone(), value(name))).collect();
        if self.template.ends_with("/get-or-create") {
            // Something to find it by.
            body.insert("tags".to_owned(), json!({ "id": "9" }));
        }
        body
    }

    pub(super) fn resolved<'a>(&'a self, schema: &'a Value) -> &'a Value {
        match schema["$ref"].as_str() {
            Some(reference) => {
                let pointer = reference.trim_start_matches('#');
                self.document.pointer(pointer).unwrap()
            }
            None => schema,
        }
    }

    /// Whether a schema says that a value of this type may be.
    pub(super) fn admits(&self, schema: &Value, kind: &str) -> bool {
        let schema = self.resolved(schema);
        if let Some(some) = schema["oneOf"].as_array() {
            return some.iter().any(|one| self.admits(one, kind));
        }
        match &schema["type"] {
            Value::String(one) => one == kind || (one == "integer" && kind == "number"),
            Value::Array(some) => some.iter().any(|one| one == kind),
            other => panic!("{}: the type {other} of {schema}", self.template),
        }
    }

    fn example(&self, name: &str, schema: &Value, known: &Known) -> Value {
        match name {
            "conversationId" => return json!(known.conversation),
            "userId" => return json!(known.user),
            "status" => return json!("listening"),
            "channel" => return json!("channel"),
            _ => {}
        }
        let schema = self.resolved(schema);
        if let Some(some) = schema["oneOf"].as_array() {
            return self.example(name, &some[0], known);
        }
        let kinds = schema["type"].to_string();
        if kinds.contains("object") {
            json!({})
        } else if kinds.contains("array") {
            json!([])
        } else if kinds.contains("number") {
            json!(1000)
        } else {
            json!("x")
        }
    }
}
