//! What is wrong in a body.

use serde_json::{Map, Value, json};

use super::Trial;

/// The types of JSON, each with a value of it that is right nowhere.
fn values() -> [(&'static str, Value); 6] {
    [
        ("null", Value::Null),
        ("boolean", json!(true)),
        ("number", json!(-1.5)),
        ("string", json!("\u{0}")),
        ("array", json!([[]])),
        ("object", json!({ "\u{0}": [] })),
    ]
}

/// Bodies with one fault each. `with` puts a field of this name and text where it may stand.
fn faults(with: impl Fn(&str, &str) -> String) -> Vec<(&'static str, Vec<u8>)> {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let mut invalid_utf8 = with("more", "\"?\"").into_bytes();
    let place = invalid_utf8.iter().position(|byte| *byte == b'?').unwrap();
    invalid_utf8[place] = 0xff;
    vec![
        ("half an object", b"{".to_vec()),
        ("an array", b"[]".to_vec()),
        ("white space", b" \r\n".to_vec()),
        ("a form feed", b"\x0c".to_vec()),
        (
            "a byte order mark",
            format!("\u{feff}{}", with("more", "1")).into_bytes(),
        ),
        (
            "NULs behind",
            [&with("more", "1"), "\0\0"].concat().into_bytes(),
        ),
        ("a text", b"\"x\"".to_vec()),
        ("null", b"null".to_vec()),
        ("a trailing comma", b"{,}".to_vec()),
        (
            "something behind",
            [&with("more", "1"), " x"].concat().into_bytes(),
        ),
        ("invalid UTF-8", invalid_utf8),
        (
            "half a surrogate pair",
            with("more", r#""\ud800""#).into_bytes(),
        ),
        ("10,000 levels", with("more", &deep).into_bytes()),
        (
            "a name twice",
            with("more", r#"{"a":1,"a":1}"#).into_bytes(),
        ),
        (
            "an escaped name twice",
            with("more", r#"[{"a":1,"\u0061":1}]"#).into_bytes(),
        ),
        ("no number", with("more", "1e999").into_bytes()),
        ("not a number", with("more", "NaN").into_bytes()),
        (
            "a control character",
            with("more", "\"\u{0}\"").into_bytes(),
        ),
        (
            "over 1 MiB",
            with("more", &format!("\"{}\"", "x".repeat(1 << 20))).into_bytes(),
        ),
    ]
}

impl Trial<'_> {
    pub(super) async fn bodies(&mut self) {
        let Some(fields) = self.operation.fields.clone() else {
            return;
        };
        let path = self.path.clone();
        let base = self.operation.body(self.known);
        let free = ["payload", "input", "output"]
            .into_iter()
            .find(|name| fields.contains_key(*name));
        let with = |name: &str, text: &str| {
            // Where anything may stand, only this is wrong in it.
            if let Some(free) = free {
                let mut base = base.clone();
                base.insert(free.to_owned(), json!("?"));
                let inner = format!("{{\"{name}\":{text}}}");
                return Value::Object(base).to_string().replace("\"?\"", &inner);
            }
            let mut inner = Value::Object(base.clone()).to_string();
            inner.pop();
            let comma = if base.is_empty() { "" } else { "," };
            format!("{inner}{comma}\"{name}\":{text}}}")
        };
        for (what, body) in faults(with) {
            let (status, kind, message) = self.send(what, &path, body).await;
            let expected = match what {
                "over 1 MiB" => (413, "PayloadTooLarge", "body"),
                _ => (400, "InvalidPayload", ""),
            };
            assert_eq!(
                (status, kind.as_str()),
                (expected.0, expected.1),
                "{what}: {message}"
            );
            assert!(message.contains(expected.2), "{what}: {message}");
        }
        for (header, value, body) in [
            (
                "content-type",
                "application/x-www-form-urlencoded",
                &b"a=b"[..],
            ),
            ("content-type", "text/xml", b"<a/>"),
            ("content-encoding", "gzip", b"{}"),
        ] {
            let client = self.client.clone().with(header, value);
            let method = self.operation.method.clone();
            let (status, _, message) = self.send_as(&client, &method, value, &path, body).await;
            assert_eq!(status, 415, "{message}");
            assert!(message.contains(header), "{message}");
        }
        for name in &self.operation.required {
            let mut body = base.clone();
            body.remove(name);
            let body = Value::Object(body).to_string();
            let (_, _, message) = self.send(&format!("no {name}"), &path, body).await;
            assert!(message.contains(name.as_str()), "no {name}: {message}");
        }
        for (name, schema) in &fields {
            self.field(&base, name, schema).await;
        }
    }

    async fn field(&mut self, base: &Map<String, Value>, name: &str, schema: &Value) {
        let path = self.path.clone();
        let mut wrong: Vec<Value> = values()
            .into_iter()
            .filter(|(kind, _)| !self.operation.admits(schema, kind))
            .map(|(_, value)| value)
            .collect();
        let resolved = self.operation.resolved(schema);
        if let Some(limit) = resolved["maxLength"].as_u64() {
            wrong.push(json!("x".repeat(usize::try_from(limit).unwrap() + 1)));
        }
        if resolved["minLength"] == 1 {
            wrong.extend([json!(""), json!("\u{0}")]);
        }
        // Tasks are not served, so that nothing is known of their ids.
        let is_id = name.ends_with("Id") && name != "currentTaskId";
        if resolved["pattern"].is_string() || is_id {
            wrong.extend([
                json!(""),
                json!("x"),
                json!("int_01ARZ3NDEKTSV4RRFFQ69G5FAV"),
            ]);
        }
        match name {
            "tags" => {
                let many: Map<_, _> = (0..101).map(|n| (n.to_string(), json!("x"))).collect();
                wrong.extend([
                    json!(many),
                    json!({ "x".repeat(201): "x" }),
                    json!({ "x": "x".repeat(501) }),
                    json!({ "": "x" }),
                    json!({ "x": "\u{0}" }),
                    json!({ "x": 1 }),
                ]);
            }
            // An action's is its own matter.
            "payload" | "input" | "output" if !path.ends_with("/actions") => {
                wrong.push(json!({ "x": "x".repeat(131_072) }));
            }
            _ => {}
        }
        for value in wrong {
            let mut body = base.clone();
            body.insert(name.to_owned(), value);
            let body = Value::Object(body).to_string();
            let what = format!("{body:.200}");
            let (_, kind, message) = self.send(&what, &path, body).await;
            // The field is right, and the caller is not.
            let is_absent = kind == "ResourceNotFound" && path.contains("/workflows/");
            if kind == "Forbidden" || is_absent {
                continue;
            }
            let is_payload = message.starts_with("payload is over the limit");
            assert!(message.contains(name) || is_payload, "{what}: {message}");
        }
        // Twice, though each by itself would be right.
        let mut once = base.clone();
        once.remove(name);
        let mut text = Value::Object(once).to_string();
        text.pop();
        let comma = if text.len() > 1 { "," } else { "" };
        let twice = format!("{text}{comma}\"{name}\":null,\"{name}\":null}}");
        let (_, _, message) = self.send(&format!("{name} twice"), &path, twice).await;
        assert!(message.contains(name), "{message}");
    }
}
