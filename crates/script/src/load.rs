//! From a script's text to the object it defines.
//!
//! Promises: the text runs as it is, as a script or, where it exports, as a module; whatever is not
//! the documented object is an error that says what was found.

use rquickjs::context::EvalOptions;
use rquickjs::{CatchResultExt, CaughtError, Ctx, Function, Module, Object, Value};

use crate::CONVERSATION;

/// What the script is called in stack traces.
pub(crate) const FILE: &str = "integration.js";

const GROUPS: [&str; 2] = ["conversations", "users"];
const DOCUMENTED: [&str; 4] = [
    "getOrCreateConversation",
    "createConversation",
    "getOrCreateUser",
    "createUser",
];

/// Runs the script's outermost level and gives the object.
pub(crate) fn load<'js>(ctx: &Ctx<'js>, source: &str) -> Result<Object<'js>, String> {
    let found = match as_script(ctx, source) {
        Ok(found) => found,
        // `export` and `import` are errors of syntax in a script.
        Err(refused) if refused.is_syntax => match as_module(ctx, source) {
            Ok(found) => found,
            Err(module) if is_module(source) => return Err(module.text),
            Err(_) => return Err(refused.text),
        },
        Err(refused) => return Err(refused.text),
    };
    check(&found)
}

/// Its functions: those documented that there are, and what else the groups hold.
pub(crate) fn functions(integration: &Object<'_>) -> Vec<String> {
    let mut names = Vec::new();
    for group in GROUPS {
        let Ok(object) = integration.get::<_, Object<'_>>(group) else {
            continue;
        };
        let own = object.keys::<String>().filter_map(Result::ok);
        let documented = DOCUMENTED.iter().map(|name| (*name).to_owned());
        for name in documented.chain(own) {
            let full = format!("{group}.{name}");
            if !names.contains(&full) && object.get::<_, Function<'_>>(&name).is_ok() {
                names.push(full);
            }
        }
    }
    names
}

struct Refused {
    text: String,
    is_syntax: bool,
}

impl Refused {
    fn new(caught: &CaughtError<'_>) -> Self {
        let is_syntax = match caught {
            CaughtError::Exception(exception) => {
                let name = exception.as_object().get::<_, String>("name");
                name.is_ok_and(|name| name == "SyntaxError")
            }
            _ => false,
        };
        let mut text = describe(caught);
        if is_syntax {
            text.push_str(
                "; it must be plain JavaScript: type annotations as in TypeScript are not supported",
            );
        } else if text.contains("module is not defined") || text.contains("exports is not defined")
        {
            text.push_str(
                "; there is no module.exports here: name the object `const integration`, or write \
                 `export default`",
            );
        } else if text.contains("require is not defined") || text.contains("could not load module")
        {
            text.push_str("; a script can load nothing: write all it needs into it");
        }
        Self { text, is_syntax }
    }
}

fn as_script<'js>(ctx: &Ctx<'js>, source: &str) -> Result<Value<'js>, Refused> {
    let mut options = EvalOptions::default();
    options.filename = Some(FILE.to_owned());
    ctx.eval_with_options::<Value<'_>, _>(source, options)
        .catch(ctx)
        .map_err(|caught| Refused::new(&caught))?;
    ctx.eval("typeof integration === 'undefined' ? undefined : integration")
        .catch(ctx)
        .map_err(|caught| Refused::new(&caught))
}

fn as_module<'js>(ctx: &Ctx<'js>, source: &str) -> Result<Value<'js>, Refused> {
    let refuse = |caught: CaughtError<'_>| Refused::new(&caught);
    let module = Module::declare(ctx.clone(), FILE, source)
        .catch(ctx)
        .map_err(refuse)?;
    let (module, done) = module.eval().catch(ctx).map_err(refuse)?;
    done.finish::<Value<'_>>().catch(ctx).map_err(refuse)?;
    let namespace = module.namespace().catch(ctx).map_err(refuse)?;
    for name in ["default", "integration"] {
        if namespace.contains_key(name).unwrap_or(false) {
            return namespace.get(name).catch(ctx).map_err(refuse);
        }
    }
    let exports: Vec<_> = namespace.keys::<String>().filter_map(Result::ok).collect();
    let found = if exports.is_empty() {
        "nothing".to_owned()
    } else {
        exports.join(", ")
    };
    Err(Refused {
        text: format!(
            "it exports {found}; export the integration as the default: `export default integration`"
        ),
        is_syntax: false,
    })
}

fn is_module(source: &str) -> bool {
    let starts = |line: &str| {
        let line = line.trim_start();
        line.starts_with("export ") || line.starts_with("export{") || line.starts_with("import ")
    };
    source.lines().any(starts)
}

fn check<'js>(found: &Value<'js>) -> Result<Object<'js>, String> {
    let wanted = "expected `const integration = { conversations: { getOrCreateConversation, \
                  createConversation } }`, or that object as `export default`";
    if found.is_undefined() {
        return Err(format!(
            "found no constant `integration` and no default export; {wanted}"
        ));
    }
    let integration = match found.as_object() {
        Some(object) if is_plain(found) => object.clone(),
        _ => return Err(format!("the integration is {}; {wanted}", name(found))),
    };
    let conversations: Value<'_> = get(&integration, "conversations")?;
    let Some(group) = conversations
        .as_object()
        .filter(|_| is_plain(&conversations))
    else {
        return Err(format!(
            "integration.conversations is {}; {wanted}",
            name(&conversations)
        ));
    };
    let function: Value<'_> = get(group, "getOrCreateConversation")?;
    if !function.is_function() {
        return Err(format!(
            "integration.{CONVERSATION} is {}; {wanted}",
            name(&function)
        ));
    }
    Ok(integration)
}

fn get<'js>(object: &Object<'js>, key: &str) -> Result<Value<'js>, String> {
    object
        .get(key)
        .catch(object.ctx())
        .map_err(|caught| format!("reading {key}: {}", describe(&caught)))
}

fn is_plain(value: &Value<'_>) -> bool {
    value.is_object() && !value.is_function() && !value.is_array() && !value.is_promise()
}

/// A value's kind, for people.
fn name(value: &Value<'_>) -> String {
    let kind = if value.is_undefined() {
        "undefined"
    } else if value.is_null() {
        "null"
    } else if value.is_array() {
        "an array"
    } else if value.is_promise() {
        "a promise"
    } else if value.is_function() {
        "a function"
    } else if value.is_string() {
        "a string"
    } else if value.is_number() {
        "a number"
    } else if value.is_bool() {
        "a boolean"
    } else {
        return format!("a value of the type {}", value.type_name());
    };
    kind.to_owned()
}

/// What was thrown, with its place in the script.
pub(crate) fn describe(caught: &CaughtError<'_>) -> String {
    let text = match caught {
        CaughtError::Exception(exception) => {
            let name = exception.as_object().get::<_, String>("name");
            let text = format!(
                "{}: {}",
                name.unwrap_or_else(|_| "Error".to_owned()),
                exception.message().unwrap_or_default()
            );
            match place(&exception.stack().unwrap_or_default()) {
                Some((line, column)) => format!("{text} (line {line}, column {column})"),
                None => text,
            }
        }
        CaughtError::Value(value) => match value.as_string().map(rquickjs::String::to_string) {
            Some(Ok(text)) => format!("it threw {text:?}"),
            _ => format!("it threw {}, not an Error", name(value)),
        },
        CaughtError::Error(error) => error.to_string(),
    };
    text.chars().take(1_000).collect()
}

/// The innermost place in the script that a stack trace names.
fn place(stack: &str) -> Option<(u32, u32)> {
    let after = &stack[stack.find(FILE)? + FILE.len()..];
    let mut numbers = after
        .strip_prefix(':')?
        .split(|c: char| !c.is_ascii_digit())
        .map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}
