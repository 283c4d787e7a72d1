//! The acceptance cases of tests/fixtures/cases/. Those of the API run here; those of Telegram run
//! here where they concern the whole server, and beside the channel's code where they concern how
//! one update is read or one message written.

mod api;
mod api_limits;
mod api_lists;
mod api_states;
mod coverage;

use serde_json::Value;

/// A case, by id, with its generators carried out.
fn case(id: &str) -> Value {
    let texts = [
        include_str!("fixtures/cases/api.jsonl"),
        include_str!("fixtures/cases/telegram.jsonl"),
    ];
    let mut case = texts
        .iter()
        .flat_map(|text| text.lines())
        .map(|line| serde_json::from_str::<Value>(line).expect("a case"))
        .find(|case| case["id"] == id)
        .unwrap_or_else(|| panic!("there is no case {id}"));
    generate(&mut case);
    case
}

/// `{"repeat":[s,n]}` and `{"concat":[…]}` stand for long texts.
fn generate(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(generate),
        Value::Object(fields) => {
            fields.values_mut().for_each(generate);
            let text = match (fields.len(), fields.get("repeat"), fields.get("concat")) {
                (1, Some(repeat), _) => {
                    let count = repeat[1].as_u64().expect("a number");
                    let text = repeat[0].as_str().expect("a text");
                    text.repeat(usize::try_from(count).expect("a small number"))
                }
                (1, _, Some(parts)) => {
                    let parts = parts.as_array().expect("parts");
                    parts.iter().filter_map(Value::as_str).collect()
                }
                _ => return,
            };
            *value = Value::String(text);
        }
        _ => {}
    }
}
