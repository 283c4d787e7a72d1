//! Scripts as authors write them, over a real store: what runs, what is refused, what is limited.

#![allow(clippy::unwrap_used, reason = "a test that fails must panic")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use switchboard_engine::access::Install;
use switchboard_engine::{Engine, Vault};
use switchboard_integration::Context;
use switchboard_model::testing::environment;
use switchboard_script::{CONVERSATION, Limits, Mode, Origin, Script};
use switchboard_store_sqlite::SqliteStore;

const DOCUMENTED: &str = include_str!("../../../tests/fixtures/javascript/documented.js");

struct Bench {
    ctx: Context,
    other: Context,
    _folder: tempfile::TempDir,
}

impl Bench {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("db")).unwrap();
        let (env, _clock) = environment(1);
        let engine = Engine::new(Arc::new(store), env, Vault::new(&[0; 32]).unwrap());
        let install = |alias| Install {
            alias,
            platform: "telegram",
            active: true,
        };
        let both = [install("telegram"), install("other")];
        let bot = engine.create_bot("example", &both, None).await.unwrap();
        let context =
            |n: usize| Context::new(engine.clone(), bot.integrations[n].clone(), "channel");
        Self {
            ctx: context(0),
            other: context(1),
            _folder: folder,
        }
    }

    async fn call(&self, source: &str, function: &str, id: &str) -> Result<Value, String> {
        let script = load(source).await?;
        let called = script
            .call(&self.ctx, &Origin::default(), function, id)
            .await;
        called.map_err(|error| error.to_string())
    }

    /// What a body of `getOrCreateConversation` ends with.
    async fn fails(&self, body: &str) -> String {
        self.call(&with_body(body), CONVERSATION, "1")
            .await
            .unwrap_err()
    }
}

fn with_body(body: &str) -> String {
    format!(
        "const integration = {{ conversations: {{ async getOrCreateConversation(ctx, id) {{ {body} }} }} }}"
    )
}

async fn load(source: &str) -> Result<Script, String> {
    let limits = Limits {
        time: Duration::from_millis(700),
        ..Limits::default()
    };
    Script::load(source, limits)
        .await
        .map_err(|error| error.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documented_object_makes_one_conversation_of_a_thread_also_in_a_race() {
    let bench = Bench::new().await;
    let script = load(DOCUMENTED).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..16 {
        let (script, ctx) = (script.clone(), bench.ctx.clone());
        let function = if n % 2 == 0 {
            CONVERSATION
        } else {
            "users.getOrCreateUser"
        };
        tasks.spawn(async move {
            let called = script
                .call(&ctx, &Origin::default(), function, "-1001")
                .await;
            called.unwrap()["id"].as_str().unwrap().to_owned()
        });
    }
    let ids: std::collections::BTreeSet<_> = tasks.join_all().await.into_iter().collect();
    assert_eq!(ids.len(), 2, "one conversation and one user: {ids:?}");
}

#[tokio::test]
async fn a_bare_create_of_what_exists_names_it() {
    let bench = Bench::new().await;
    let made = bench.call(DOCUMENTED, CONVERSATION, "7").await.unwrap();
    assert_eq!(made["tags"]["id"], "7");
    let create = "conversations.createConversation";
    let again = bench.call(DOCUMENTED, create, "7").await.unwrap_err();
    assert!(again.contains(made["id"].as_str().unwrap()), "{again}");
}

#[tokio::test]
async fn all_plausible_spellings_run() {
    let bench = Bench::new().await;
    let get = "const found = await ctx.bp.conversations.getById(id); if (found) return found;";
    let create = "return ctx.bp.conversations.create({ id, platform: 'telegram' })";
    for (n, source) in [
        format!("export default {{ conversations: {{ async getOrCreateConversation(ctx, id) {{ {get} return this.createConversation(ctx, id) }}, createConversation(ctx, id) {{ {create} }} }} }}"),
        format!("const integration = {{ conversations: {{ getOrCreateConversation: async function (ctx, id) {{ {get} {create} }} }} }};\nexport default integration"),
        "export const integration = { conversations: { getOrCreateConversation: (ctx, id) => ctx.bp.conversations.getOrCreate({ id, platform: 'telegram' }) } }".to_owned(),
        format!("class Conversations {{ async getOrCreateConversation(ctx, id) {{ {get} {create} }} }}\nconst integration = {{ conversations: new Conversations() }}"),
    ].iter().enumerate() {
        let made = bench.call(source, CONVERSATION, &n.to_string()).await.unwrap();
        assert_eq!(made["tags"]["id"], n.to_string());
    }
}

#[tokio::test]
async fn anything_else_is_refused_with_what_was_found() {
    let _bench = Bench::new().await;
    for (source, words) in [
        ("", "found no constant `integration`"),
        ("const integration = [1]", "an array"),
        ("const integration = () => 1", "a function"),
        (
            "const integration = {}",
            "integration.conversations is undefined",
        ),
        (
            "const integration = { conversations: { getOrCreateConversation: 1 } }",
            "is a number",
        ),
        ("export const a = 1, b = 2", "exports a, b"),
        ("module.exports = {}", "no module.exports here"),
        ("const fs = require('fs')", "can load nothing"),
        ("import fs from 'fs'\nexport default {}", "can load nothing"),
        ("throw new Error('at once')", "at once"),
        ("throw 5", "it threw a number"),
    ] {
        let error = load(source).await.err().unwrap();
        assert!(error.contains(words), "{source}: {error}");
    }
    let error = load("const x = 1\nconst f = (a: string) => a")
        .await
        .err()
        .unwrap();
    assert!(
        error.contains("line 2, column") && error.contains("TypeScript"),
        "{error}"
    );
    let long = " ".repeat(switchboard_script::SOURCE_LIMIT + 1);
    assert!(load(&long).await.err().unwrap().contains("longer"));
}

#[tokio::test]
async fn a_run_that_goes_too_far_is_ended_and_says_why() {
    let bench = Bench::new().await;
    for (body, words) in [
        ("for (;;) {}", "took longer"),
        (
            "try { for (;;) {} } catch { for (;;) {} } finally { for (;;) {} }",
            "took longer",
        ),
        ("for (;;) await 1", "took longer"),
        ("/(a+)+b/.test('a'.repeat(40))", "took longer"),
        (
            "const all = []; for (;;) all.push(new Array(100000).fill(1))",
            "MB of memory",
        ),
        ("let s = 'x'; for (;;) s += s", ""),
        ("const f = () => f() + 1; return f()", "stack"),
        ("await new Promise(() => {})", "nothing settles"),
        ("return { then() {} }", "nothing settles"),
        ("throw new TypeError('mine')", "TypeError: mine (line 1"),
        ("return Promise.reject(null)", "it threw null"),
    ] {
        let started = Instant::now();
        let error = bench.fails(body).await;
        assert!(error.contains(words), "{body}: {error}");
        assert!(started.elapsed() < Duration::from_secs(10), "{body}");
    }
}

#[tokio::test]
async fn a_run_that_cannot_be_interrupted_is_left_behind() {
    let bench = Bench::new().await;
    let started = Instant::now();
    let body = "[].indexOf.call({ length: 2 ** 53 - 1 }, 1)";
    let error = bench.fails(body).await;
    assert!(error.contains("took longer"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn nothing_of_the_machine_is_there() {
    let bench = Bench::new().await;
    for name in [
        "fetch",
        "require",
        "process",
        "Deno",
        "std",
        "os",
        "setTimeout",
        "XMLHttpRequest",
        "WebAssembly",
        "Worker",
    ] {
        let error = bench
            .fails(&format!("throw new Error(typeof {name})"))
            .await;
        assert!(error.contains("undefined"), "{name}: {error}");
    }
    for module in ["fs", "std", "./x.js", "file:///etc/passwd"] {
        let error = bench.fails(&format!("await import('{module}')")).await;
        assert!(
            error.contains("ReferenceError") || error.contains("load"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn prototypes_that_a_script_bends_change_nothing_of_what_is_asked() {
    let bench = Bench::new().await;
    let body = "
        JSON.parse = () => [true, 'forged']; JSON.stringify = () => 'null';
        Array.prototype[0] = false; Object.prototype.id = 'forged';
        Object.defineProperty(Object.prototype, '1', { get() { throw 1 }, set() {} });
        ctx.bp.conversations.create = 1; ctx.bp = 1;";
    // Frozen objects refuse in strict code.
    let error = bench.fails(body).await;
    assert!(error.contains("TypeError"), "{error}");
    let body = "
        JSON.parse = () => [true, 'forged']; Array.prototype[0] = false;
        return ctx.bp.conversations.getOrCreate({ id, platform: 'telegram' })";
    let made = bench
        .call(&with_body(body), CONVERSATION, "9")
        .await
        .unwrap();
    assert_eq!(made["tags"]["id"], "9");
    // A run finds nothing of another.
    let body = "globalThis.seen = (globalThis.seen ?? 0) + 1; throw new Error('seen ' + seen)";
    for _ in 0..2 {
        assert!(bench.fails(body).await.contains("seen 1"));
    }
}

#[tokio::test]
async fn what_is_no_conversation_of_the_integration_does_not_count() {
    let bench = Bench::new().await;
    let script = load(DOCUMENTED).await.unwrap();
    let none = Origin::default();
    let foreign = script
        .call(&bench.other, &none, CONVERSATION, "1")
        .await
        .unwrap();
    let forged = format!("return {{ id: {} }}", foreign["id"]);
    for (body, words) in [
        ("return undefined", "returned null"),
        ("return 'conv_1'", "returned a text;"),
        (
            "return { id: 'secret', text: 'secret' }",
            "returned an object with the keys id, text;",
        ),
        (forged.as_str(), "of this integration"),
        ("const a = {}; a.a = a; return a", "circular"),
        ("return { id: 'x'.repeat(300000) }", "more than"),
    ] {
        let error = bench.fails(body).await;
        assert!(error.contains(words), "{body}: {error}");
        // What is returned may be what a person said.
        assert!(!error.contains("secret"), "{body}: {error}");
    }
}

#[tokio::test]
async fn what_is_asked_wrongly_is_an_error_that_names_the_field() {
    let bench = Bench::new().await;
    for (body, words) in [
        ("return ctx.bp.conversations.getById(5)", "id: expected"),
        ("return ctx.bp.conversations.getById('')", "id: expected"),
        (
            "return ctx.bp.conversations.create({ id, platform: 'slack' })",
            "platform: expected",
        ),
        (
            "return ctx.bp.conversations.create({ id, platform: 'telegram', x: 1 })",
            "x: unknown",
        ),
        ("return ctx.bp.conversations.create()", "expected an object"),
        ("return ctx.bp.users.create({ id, x: 1 })", "x: unknown"),
    ] {
        let error = bench.fails(body).await;
        assert!(error.contains(words), "{body}: {error}");
    }
    let error = bench
        .call(DOCUMENTED, "conversations.nonsense", "1")
        .await
        .unwrap_err();
    assert!(error.contains("users.createUser"), "{error}");
}

#[tokio::test]
async fn looking_opens_nothing_and_finds_what_is_there() {
    let bench = Bench::new().await;
    let script = load(DOCUMENTED).await.unwrap();
    let none = Origin::default();
    let look = async || {
        script
            .conversation(&bench.ctx, &none, "5", Mode::Look)
            .await
    };
    assert_eq!(look().await.unwrap(), None);
    let open = script
        .conversation(&bench.ctx, &none, "5", Mode::Open)
        .await;
    let made = open.unwrap().unwrap();
    assert_eq!(look().await.unwrap().unwrap().id, made.id);
}
