//! docs/compatibility.md: the official operations beside those that are served, and what is tested
//! of them. `cargo xtask compatibility` writes it anew; here it is compared with what is true.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

/// Where a field is, as the table of what is beyond says it.
type Place = (String, String);

/// What an operation looks like, officially or here.
struct Shape {
    method: String,
    path: String,
    status: u64,
    fields: BTreeSet<Place>,
}

/// What people say about the differences.
#[derive(Deserialize)]
struct Remarks {
    notes: BTreeMap<String, String>,
    beyond: Vec<Beyond>,
}

#[derive(Deserialize)]
struct Beyond {
    #[serde(rename = "in")]
    place: String,
    field: String,
    note: String,
}

fn file(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

fn text(path: &str) -> String {
    std::fs::read_to_string(file(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The paths of all fields of a schema: `messages[].delivery`.
fn fields(document: &Value, schema: &Value, at: &str, found: &mut BTreeSet<Place>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#')).unwrap();
        return fields(document, target, at, found);
    }
    for one in schema["oneOf"].as_array().into_iter().flatten() {
        fields(document, one, at, found);
    }
    if !schema["items"].is_null() {
        fields(document, &schema["items"], &format!("{at}[]"), found);
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = if at.is_empty() {
            name.clone()
        } else {
            format!("{at}.{name}")
        };
        fields(document, field, &path, found);
        found.insert(("answer".to_owned(), path));
    }
}

/// The official operations, in the official order.
fn official(document: &Value) -> Vec<(String, Shape)> {
    let operations = document["operations"].as_object().unwrap();
    // The order of the file: a map would sort them.
    let source = text("tests/fixtures/operations.json");
    let place = |name: &str| source.find(&format!("    \"{name}\": {{")).unwrap();
    let mut shapes: Vec<_> = operations
        .iter()
        .map(|(name, operation)| {
            let mut found = BTreeSet::new();
            fields(document, &operation["response"], "", &mut found);
            for kind in ["query", "body"] {
                let names = operation[kind].as_array().unwrap();
                found.extend(
                    names
                        .iter()
                        .map(|name| (kind.to_owned(), name.as_str().unwrap().to_owned())),
                );
            }
            let shape = Shape {
                method: operation["method"].as_str().unwrap().to_uppercase(),
                path: operation["path"].as_str().unwrap().to_owned(),
                status: operation["status"].as_u64().unwrap(),
                fields: found,
            };
            (name.clone(), shape)
        })
        .collect();
    shapes.sort_by_key(|(name, _)| place(name));
    shapes
}

/// The operations of our document.
fn ours() -> BTreeMap<String, Shape> {
    let document = serde_json::to_value(switchboard_api::document()).unwrap();
    let mut shapes = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let (status, answer) = operation["responses"]
                .as_object()
                .unwrap()
                .iter()
                .find(|(status, _)| status.starts_with('2'))
                .unwrap();
            let mut found = BTreeSet::new();
            let schema = &answer["content"]["application/json"]["schema"];
            fields(&document, schema, "", &mut found);
            let body = &operation["requestBody"]["content"]["application/json"]["schema"];
            for name in body["properties"].as_object().into_iter().flatten() {
                found.insert(("body".to_owned(), name.0.clone()));
            }
            for parameter in operation["parameters"].as_array().unwrap() {
                // Those of every operation are references, and official.
                if let (Some(place @ ("query" | "header")), Some(name)) =
                    (parameter["in"].as_str(), parameter["name"].as_str())
                {
                    found.insert((place.to_owned(), name.to_owned()));
                }
            }
            let shape = Shape {
                method: method.to_uppercase(),
                path: path.clone(),
                status: status.parse().unwrap(),
                fields: found,
            };
            let name = operation["operationId"].as_str().unwrap().to_owned();
            shapes.insert(name, shape);
        }
    }
    shapes
}

/// The operations that have an example: the keys of the table that the official client goes through.
fn examples() -> BTreeSet<String> {
    text("tests/js/client/examples.mjs")
        .lines()
        .skip_while(|line| !line.starts_with("export const examples = {"))
        .skip(1)
        .take_while(|line| *line != "}")
        .filter_map(|line| line.strip_prefix("  ")?.split_once(": "))
        .map(|(name, _)| name)
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_alphabetic()))
        .map(str::to_owned)
        .collect()
}

/// Fields of `of` that `other` lacks, with the operations that have them, where both are there.
fn lacking<'a>(
    pairs: &[(&'a str, &'a Shape, &'a Shape)],
) -> BTreeMap<&'a Place, BTreeSet<&'a str>> {
    let mut found = BTreeMap::<&Place, BTreeSet<&str>>::new();
    for (name, of, other) in pairs {
        for field in of.fields.difference(&other.fields) {
            found.entry(field).or_default().insert(name);
        }
    }
    found
}

/// What our operations take and answer beyond the official ones must be in the table, and what is
/// in the table must be there.
fn check_beyond(beyond: &[Beyond], found: &BTreeMap<&Place, BTreeSet<&str>>) {
    let within = |inner: &str, outer: &str| {
        inner == outer
            || inner
                .strip_prefix(outer)
                .is_some_and(|rest| rest.starts_with('.'))
    };
    for (place, field) in found.keys() {
        let told = beyond.iter().any(|told| {
            told.place == *place && (within(field, &told.field) || within(&told.field, field))
        });
        assert!(
            told,
            "{field} ({place}) is not official: say so in compatibility.json"
        );
    }
    for told in beyond {
        let key = (told.place.clone(), told.field.clone());
        assert!(
            found.contains_key(&key),
            "{} is no difference any more",
            told.field
        );
    }
}

fn row(page: &mut String, cells: &[&str]) {
    writeln!(page, "| {} |", cells.join(" | ")).unwrap();
}

fn listed<'a>(names: impl IntoIterator<Item = &'a &'a str>) -> String {
    let names: Vec<_> = names.into_iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

fn page() -> String {
    let fixture: Value = serde_json::from_str(&text("tests/fixtures/operations.json")).unwrap();
    let remarks: Remarks =
        serde_json::from_str(&text("tests/fixtures/compatibility.json")).unwrap();
    let (official, ours, examples) = (official(&fixture), ours(), examples());
    let names: BTreeSet<_> = official.iter().map(|(name, _)| name.as_str()).collect();
    for name in remarks.notes.keys() {
        assert!(names.contains(name.as_str()), "a note on {name}");
    }

    let mut table = String::new();
    let (mut served, mut tested) = (0, 0);
    let (mut here, mut there) = (Vec::new(), Vec::new());
    for (name, shape) in &official {
        let own = ours.get(name);
        if let Some(own) = own {
            assert_eq!(
                (&own.method, &own.path, own.status),
                (&shape.method, &shape.path, shape.status),
                "{name}"
            );
            here.push((name.as_str(), own, shape));
            there.push((name.as_str(), shape, own));
        }
        let has_example = own.is_some() && examples.contains(name);
        served += usize::from(own.is_some());
        tested += usize::from(has_example);
        let yes = |is: bool| if is { "yes" } else { "no" };
        row(
            &mut table,
            &[
                &format!("`{name}`"),
                &format!("`{} {}`", shape.method, shape.path),
                yes(own.is_some()),
                yes(has_example),
                remarks.notes.get(name).map_or("", String::as_str),
            ],
        );
    }

    let beyond = lacking(&here);
    check_beyond(&remarks.beyond, &beyond);
    let mut more = String::new();
    for (name, shape) in &ours {
        if !names.contains(name.as_str()) {
            let route = format!("`{} {}`", shape.method, shape.path);
            row(&mut more, &["operation", &route, &format!("`{name}`"), ""]);
        }
    }
    for told in &remarks.beyond {
        let operations = &beyond[&(told.place.clone(), told.field.clone())];
        let field = format!("`{}`", told.field);
        row(
            &mut more,
            &[&told.place, &field, &listed(operations), &told.note],
        );
    }
    let mut less = String::new();
    for ((place, field), operations) in lacking(&there) {
        row(
            &mut less,
            &[place, &format!("`{field}`"), &listed(&operations)],
        );
    }
    if less.is_empty() {
        row(&mut less, &["", "none", ""]);
    }

    format!(
        "\
# Compatibility

The runtime API of `{package}` {version}, operation by operation. Of its {all} operations {served} are served; {tested} of them are called by the unmodified npm client in the tests, and each answer is checked against the official schema.

This page is written by `cargo xtask compatibility`; a test fails when it is no longer true. How to call the API is in [api.md](api.md).

| Operation | Route | Served | Tested | Note |
|---|---|---|---|---|
{table}
## What Switchboard adds
Official clients never send these, and pass over them in an answer.

| In | What | Operations | Note |
|---|---|---|---|
{more}
## What is missing in the operations that are served
Official fields that are not read, or never answered. An answer may leave out each of them.

| In | What | Operations |
|---|---|---|
{less}",
        package = fixture["package"].as_str().unwrap(),
        version = fixture["version"].as_str().unwrap(),
        all = official.len(),
    )
}

#[test]
fn the_list_of_operations_says_what_is_so() {
    let page = page();
    let path = "docs/compatibility.md";
    if std::env::var_os("SWITCHBOARD_WRITE").is_some() {
        std::fs::write(file(path), page).unwrap();
        return;
    }
    let written = std::fs::read_to_string(file(path)).unwrap_or_default();
    assert!(
        written == page,
        "{path} is out of date: run `cargo xtask compatibility`"
    );
}
