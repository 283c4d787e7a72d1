//! Parameters and fields that an operation does not have.

use serde_json::{Map, Value, json};

use super::Trial;

impl Trial<'_> {
    /// What it would miss in silence.
    pub(super) async fn unknown(&mut self) {
        let path = self.path.clone();
        let body = self.body();
        let mut names = vec!["colour".to_owned(), "x".repeat(1000), "tag.a".to_owned()];
        names.extend(
            self.operation
                .parameters
                .iter()
                .map(|(name, _)| format!("{name}x")),
        );
        for name in names {
            let (status, kind, message) = self
                .send(
                    &format!("?{name:.40}"),
                    &format!("{path}?{name}=1"),
                    body.clone(),
                )
                .await;
            assert_eq!((status, kind.as_str()), (400, "InvalidQuery"), "{message}");
            let beginning = format!("query parameter {name:.200}: unknown parameter");
            assert!(message.starts_with(&beginning), "{message}");
            for (known, _) in &self.operation.parameters {
                assert!(message.contains(known.as_str()), "{known}: {message}");
            }
        }
        let Some(fields) = self.operation.fields.clone() else {
            return;
        };
        let base = self.operation.body(self.known);
        let names = fields.keys().map(|name| format!("{name}x"));
        for name in names.chain(["colour".to_owned(), String::new()]) {
            let mut body = base.clone();
            body.insert(name.clone(), Value::Null);
            let body = Value::Object(body).to_string();
            let (status, kind, message) = self.send(&body, &path, body.clone()).await;
            assert_eq!(
                (status, kind.as_str()),
                (400, "InvalidPayload"),
                "{message}"
            );
            let beginning = format!("{name}: unknown field");
            assert!(message.starts_with(&beginning), "{message}");
            for known in fields.keys() {
                assert!(message.contains(known.as_str()), "{known}: {message}");
            }
        }
        for (name, schema) in &fields {
            self.unknown_within(&base, name, schema).await;
        }
    }

    /// The same of an object, or of those in a list, whose fields are known.
    async fn unknown_within(&mut self, base: &Map<String, Value>, name: &str, schema: &Value) {
        let schema = self.operation.resolved(schema);
        let (schema, is_list) = match &schema["items"] {
            Value::Null => (schema, false),
            items => (self.operation.resolved(items), true),
        };
        let alternatives = schema["oneOf"].as_array().into_iter().flatten();
        let closed = alternatives
            .chain([schema])
            .map(|one| self.operation.resolved(one))
            .any(|one| one["properties"].is_object());
        if !closed {
            return;
        }
        let value = json!({ "colour": 1 });
        let mut body = base.clone();
        body.insert(
            name.to_owned(),
            if is_list { json!([value]) } else { value },
        );
        let body = Value::Object(body).to_string();
        let path = self.path.clone();
        let (_, kind, message) = self.send(&body, &path, body.clone()).await;
        let place = if is_list { "[0]" } else { "" };
        let beginning = format!("{name}{place}.colour: unknown field");
        assert!(message.starts_with(&beginning), "{message}");
        assert_eq!(kind, "InvalidPayload");
    }
}
