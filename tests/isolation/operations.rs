//! The operations of the running server's document, as requests that name another's objects.

use reqwest::Method;
use serde_json::{Map, Value, json};

use super::owned::Owned;
use super::recipes::{Mine, Part, recipe};
use crate::support::{Api, http};

const METHODS: [(&str, Method); 5] = [
    ("get", Method::GET),
    ("post", Method::POST),
    ("put", Method::PUT),
    ("patch", Method::PATCH),
    ("delete", Method::DELETE),
];

pub(super) struct Operation {
    pub(super) id: String,
    method: Method,
    path: String,
    parameters: Vec<Value>,
    body: Option<Value>,
}

/// A request that names something of another's, or could find it.
pub(super) struct Call {
    pub(super) operation: String,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: Option<Value>,
}

/// What the server says that it serves.
pub(super) async fn served(api: &Api) -> Vec<Operation> {
    let document: Value = serde_json::from_str(&api.get_text("/openapi.json").await).expect("JSON");
    let resolve = |value: &Value| match value["$ref"].as_str() {
        Some(reference) => {
            let pointer = reference.trim_start_matches('#');
            document.pointer(pointer).expect(reference).clone()
        }
        None => value.clone(),
    };
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        let item = item.as_object().expect("a path");
        for (word, operation) in item {
            let method = METHODS.iter().find(|(known, _)| known == word);
            let (_, method) = method.unwrap_or_else(|| panic!("{path}: the method {word}"));
            let parameters = operation["parameters"].as_array();
            all.push(Operation {
                id: operation["operationId"].as_str().expect("an id").to_owned(),
                method: method.clone(),
                path: path.clone(),
                parameters: parameters.into_iter().flatten().map(resolve).collect(),
                body: operation
                    .pointer("/requestBody/content/application~1json/schema")
                    .map(resolve),
            });
        }
    }
    assert!(all.len() > 30, "{} operations", all.len());
    all
}

impl Operation {
    /// Its requests: those of the recipe, and one with each filter and each field that names an
    /// object.
    pub(super) fn calls(&self, theirs: &Owned, mine: &Mine) -> Vec<Call> {
        let id = &self.id;
        let parts = recipe(id, theirs, mine);
        let parts = parts.unwrap_or_else(|| panic!("{id} has no recipe in isolation/recipes.rs"));
        let mut calls: Vec<Call> = parts.iter().map(|part| self.call(part)).collect();
        let first = &parts[0];
        for parameter in &self.parameters {
            let name = parameter["name"].as_str().expect("a name");
            if parameter["in"] != "query" || !names_an_object(name) {
                continue;
            }
            let object = theirs.named(name);
            let object = object.unwrap_or_else(|| panic!("{id}: what is the parameter {name}?"));
            let mut call = self.call(first);
            let separator = if call.path.contains('?') { '&' } else { '?' };
            call.path = format!("{}{separator}{name}={object}", call.path);
            calls.push(call);
        }
        let bodies: String = calls
            .iter()
            .filter_map(|call| call.body.as_ref())
            .map(Value::to_string)
            .collect();
        for field in self.body.iter().flat_map(fields) {
            if bodies.contains(&format!("\"{field}\":")) {
                continue;
            }
            let object = theirs.named(&field);
            let object = object.unwrap_or_else(|| panic!("{id}: what is the field {field}?"));
            let top = self
                .body
                .as_ref()
                .and_then(|body| body["properties"].get(&field));
            assert!(
                top.is_some(),
                "{id}: the recipe leaves out the inner field {field}"
            );
            let mut call = self.call(first);
            let body = call.body.as_mut().expect("a body");
            // What is found by its tags is the caller's own, and the field is not looked at.
            if body["tags"]["id"].is_string() {
                body["tags"]["id"] = json!(format!("new for {field}"));
            }
            body[&field] = json!(object);
            calls.push(call);
        }
        calls
    }

    fn call(&self, part: &Part) -> Call {
        let mut path = self.path.clone();
        for (name, value) in &part.fill {
            path = path.replace(&format!("{{{name}}}"), &http::percent_encode(value));
        }
        assert!(
            !path.contains('{'),
            "{}: the recipe leaves out a part of {path}",
            self.id
        );
        if !part.query.is_empty() {
            path = format!("{path}?{}", part.query);
        }
        let given = !part.body.is_null();
        assert_eq!(
            given,
            self.body.is_some(),
            "{}: does it have a body?",
            self.id
        );
        Call {
            operation: self.id.clone(),
            method: self.method.clone(),
            path,
            body: given.then(|| part.body.clone()),
        }
    }
}

impl Call {
    /// Whether path or body names one of these.
    pub(super) fn names(&self, ids: &[&str]) -> bool {
        let path = self.path.split('?').next().unwrap_or_default();
        let body = self.body.as_ref().map(Value::to_string).unwrap_or_default();
        ids.iter().any(|id| path.contains(id) || body.contains(id))
    }
}

fn names_an_object(name: &str) -> bool {
    name.ends_with("Id") || name.ends_with("Ids")
}

/// The fields that name objects, inner ones too.
fn fields(schema: &Value) -> Vec<String> {
    fn walk(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(object) => {
                let properties = object.get("properties").and_then(Value::as_object);
                for name in properties.into_iter().flat_map(Map::keys) {
                    if names_an_object(name) && !found.contains(name) {
                        found.push(name.clone());
                    }
                }
                object.values().for_each(|inner| walk(inner, found));
            }
            Value::Array(array) => array.iter().for_each(|inner| walk(inner, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(schema, &mut found);
    found
}
