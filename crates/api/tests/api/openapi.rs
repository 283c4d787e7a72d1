//! The document, and the page that shows it.

use std::collections::BTreeSet;

use serde_json::Value;
use switchboard_api::document;

use crate::support::{Client, World};

/// All values of a key, at any depth.
fn every<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                if name == key {
                    found.push(field);
                }
                every(field, key, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| every(item, key, found)),
        _ => {}
    }
}

fn anyone(world: &World) -> Client {
    Client {
        router: world.router.clone(),
        headers: Vec::new(),
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_operation_has_a_name_of_its_own() {
    let document = serde_json::to_value(document()).unwrap();
    let mut references = Vec::new();
    every(&document, "$ref", &mut references);
    assert!(references.len() > 50);
    for reference in references {
        let pointer = reference.as_str().unwrap().trim_start_matches('#');
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    let mut names = Vec::new();
    every(&document["paths"], "operationId", &mut names);
    let distinct: BTreeSet<_> = names.iter().map(|name| name.as_str().unwrap()).collect();
    assert_eq!(distinct.len(), names.len());
    let operations: usize = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .map(|item| item.as_object().unwrap().len())
        .sum();
    assert_eq!(names.len(), operations, "an operation without a name");
}

/// The page shows what the document says of itself.
#[test]
fn the_document_says_how_to_call_and_how_things_are_found() {
    let document = serde_json::to_value(document()).unwrap();
    let about = document["info"]["description"].as_str().unwrap();
    for words in [
        "`Authorization: Bearer <token>`",
        "`x-bot-id`",
        "`switchboard tokens create`",
        "`discriminateByTags` names the tags that identify",
    ] {
        assert!(about.contains(words), "{words}: {about}");
    }
    assert_eq!(about.matches('`').count() % 2, 0, "{about}");
    let scheme = &document["components"]["securitySchemes"]["token"];
    assert_eq!(scheme["scheme"], "bearer", "{scheme}");
}

/// The objects of a schema that have fields of their own.
fn closed(schema: &Value, found: &mut usize) {
    if schema["properties"].is_object() {
        assert_eq!(schema["additionalProperties"], false, "{schema}");
        *found += 1;
    }
    match schema {
        Value::Object(fields) => fields.values().for_each(|inner| closed(inner, found)),
        Value::Array(items) => items.iter().for_each(|inner| closed(inner, found)),
        _ => {}
    }
}

#[test]
fn bodies_and_queries_are_closed_and_have_what_the_official_ones_have() {
    let document = serde_json::to_value(document()).unwrap();
    let text = include_str!("../../../../tests/fixtures/operations.json");
    let official: Value = serde_json::from_str(text).unwrap();
    let (mut found, mut compared) = (0, 0);
    for item in document["paths"].as_object().unwrap().values() {
        for operation in item.as_object().unwrap().values() {
            let name = operation["operationId"].as_str().unwrap();
            let body = &operation["requestBody"]["content"]["application/json"]["schema"];
            closed(body, &mut found);
            let parameters = operation["parameters"].as_array().unwrap();
            let official = &official["operations"][name];
            for field in official["body"].as_array().unwrap() {
                let field = field.as_str().unwrap();
                assert!(body["properties"][field].is_object(), "{name}: {field}");
                compared += 1;
            }
            for parameter in official["query"].as_array().unwrap() {
                let is_it = |one: &Value| one["in"] == "query" && one["name"] == *parameter;
                assert!(parameters.iter().any(is_it), "{name}: {parameter}");
                compared += 1;
            }
        }
    }
    assert!(found > 20 && compared > 80, "{found} {compared}");
}

#[tokio::test]
async fn each_operation_is_served_and_asks_for_a_token() {
    let world = World::new().await;
    let document = serde_json::to_value(document()).unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let path = path.replace(['{', '}'], "");
            let answer = anyone(&world)
                .send(&method.to_uppercase(), &path, "{}")
                .await;
            answer.error(401, "Unauthorized");
        }
    }
}

#[tokio::test]
async fn a_filter_that_is_documented_is_read() {
    let world = World::new().await;
    let document = serde_json::to_value(document()).unwrap();
    let mut checked = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let Some(parameters) = item["get"]["parameters"].as_array() else {
            continue;
        };
        let path = path.trim_start_matches("/v1/chat");
        for parameter in parameters.iter().filter(|one| one["in"] == "query") {
            let schema = &parameter["schema"];
            let free = schema["type"] == "string"
                || schema["type"] == serde_json::json!(["string", "null"]);
            let name = parameter["name"].as_str().unwrap();
            if (free
                && schema["enum"].is_null()
                && schema["format"].is_null()
                && name != "nextToken")
                || schema["type"] == "object"
                || path.contains('{')
            {
                continue;
            }
            let answer = world.bot().get(&format!("{path}?{name}=%21")).await;
            let message = answer.error(400, "InvalidQuery");
            assert!(message.contains(&format!("parameter {name}:")), "{message}");
            checked += 1;
        }
    }
    assert!(checked > 20, "{checked}");
}

#[tokio::test]
async fn the_document_and_its_page_are_served_to_anyone_and_name_no_other_host() {
    let world = World::new().await;
    let anyone = anyone(&world);
    let served = anyone.send("GET", "/openapi.json", "").await.ok();
    assert_eq!(served.headers["content-type"], "application/json");
    assert_eq!(served.body, serde_json::to_value(document()).unwrap());
    for (path, kind) in [
        ("/docs", "text/html; charset=utf-8"),
        ("/docs/style.css", "text/css; charset=utf-8"),
        ("/docs/script.js", "text/javascript; charset=utf-8"),
    ] {
        let page = anyone.send("GET", path, "").await.ok();
        assert_eq!(page.headers["content-type"], kind);
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert!(
            !page.text.contains("//cdn") && !page.text.contains("https://"),
            "{path}"
        );
    }
}
