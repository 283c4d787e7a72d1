//! The acceptance cases of the runtime API, as far as they can be seen in process.

mod content;
mod identity;

use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::{Answer, Client, World};

/// A case with its generators written out.
fn case(id: &str) -> Value {
    include_str!("../../../../../tests/fixtures/cases/api.jsonl")
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .find(|case| case["id"] == id)
        .map(expand)
        .unwrap()
}

fn expand(value: Value) -> Value {
    match value {
        Value::Object(object) if object.contains_key("repeat") => {
            let (text, count) = (&object["repeat"][0], &object["repeat"][1]);
            let count = usize::try_from(count.as_u64().unwrap()).unwrap();
            json!(text.as_str().unwrap().repeat(count))
        }
        Value::Object(object) => object
            .into_iter()
            .map(|(key, value)| (key, expand(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(expand).collect(),
        other => other,
    }
}

/// A case's stand-ins replaced by what they stand for.
fn fill(value: &Value, names: &[(&str, &str)]) -> Value {
    match value {
        Value::String(text) => {
            let text = names.iter().fold(text.clone(), |text, (name, id)| {
                if text == *name
                    || text.contains(&format!("/{name}"))
                    || text.contains(&format!("={name}"))
                {
                    text.replace(name, id)
                } else {
                    text
                }
            });
            json!(text)
        }
        Value::Object(object) => object
            .iter()
            .map(|(key, value)| (key.clone(), fill(value, names)))
            .collect(),
        Value::Array(items) => items.iter().map(|item| fill(item, names)).collect(),
        other => other.clone(),
    }
}

fn client(world: &World, call: &Value) -> Client {
    match call["as"].as_str().unwrap() {
        "integration" => world.telegram(),
        "bot" => world.bot(),
        other => panic!("{other}"),
    }
}

async fn run(client: &Client, call: &Value) -> Answer {
    let body = match &call["body"] {
        Value::Null => String::new(),
        Value::Object(object) if object.contains_key("raw") => {
            object["raw"].as_str().unwrap().to_owned()
        }
        body => body.to_string(),
    };
    let (method, path) = (&call["method"], &call["path"]);
    client
        .send(method.as_str().unwrap(), path.as_str().unwrap(), body)
        .await
}

/// Runs calls at once, each as often as it says.
async fn run_all(world: &World, calls: &[Value]) -> Vec<Answer> {
    let tasks = calls.iter().flat_map(|call| {
        let times = call["times"].as_u64().unwrap_or(1);
        (0..times).map(|_| {
            let (client, call) = (client(world, call), call.clone());
            tokio::spawn(async move { run(&client, &call).await })
        })
    });
    join_all(tasks.collect::<Vec<_>>())
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect()
}
