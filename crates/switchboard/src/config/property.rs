//! Properties of the settings: whatever a file, a variable or a flag holds, it is settings or an
//! error that names the one at fault, and no secret shows.

use std::cell::RefCell;
use std::ffi::OsString;
use std::path::Path;

use clap::{CommandFactory, FromArgMatches};
use proptest::prelude::*;
use proptest::string::{RegexGeneratorStrategy, string_regex};

use super::{Config, Settings, variables};
use crate::commands::Cli;

const NAMES: [&str; 18] = [
    "listen",
    "data_dir",
    "database_url",
    "bot_url",
    "faq",
    "bot_timeout",
    "retry_for",
    "uncertain_sends",
    "telegram_token",
    "telegram_api_url",
    "telegram_pace",
    "public_url",
    "token",
    "encryption_key",
    "max_connections",
    "read_timeout",
    "idle_timeout",
    "log",
];
const SECRETS: [&str; 3] = ["telegram_token", "token", "encryption_key"];
/// In every secret of these tests; as digits, for those without quotes.
const MARK: &str = "7351735173517351";

/// Texts that a pattern matches. A pattern in the place of a strategy is compiled for each case.
fn matching(pattern: &str) -> RegexGeneratorStrategy<String> {
    string_regex(pattern).unwrap()
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => prop::sample::select(&NAMES[..]).prop_map(str::to_owned),
        1 => matching("[a-z_]{1,12}"),
    ]
}

/// Values as people and accidents write them.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        matching("[ -~]{0,20}").prop_map(|text| format!("{text:?}")),
        matching("\\PC{0,10}"),
        any::<i64>().prop_map(|number| number.to_string()),
        prop_oneof![
            matching("127.0.0.1:[0-9]{1,6}"),
            matching("https?://[a-z.]{0,9}(/[a-z?#@:]{0,5})?"),
            matching("sqlite:[a-z/]{0,5}")
        ]
        .prop_map(|text| format!("{text:?}")),
        Just("[1, 2]".to_owned()),
        Just("{ a = 1 }".to_owned()),
        Just("true".to_owned()),
        Just("1979-05-27".to_owned()),
        Just("1e999".to_owned()),
    ]
}

/// A secret in some form, right or wrong.
fn secret() -> impl Strategy<Value = String> {
    prop_oneof![
        matching("[ -~]{0,9}").prop_map(|text| format!("{:?}", format!("{text}{MARK}"))),
        matching("[A-Za-z:]{0,4}").prop_map(|text| format!("{MARK}{text}")),
        Just(format!("[{MARK}]")),
        Just(format!("\"{MARK}")),
        Just(format!("{MARK}{MARK}{MARK}{MARK}")),
        Just(format!("'''{MARK}\n{MARK}''' x")),
    ]
}

fn line() -> impl Strategy<Value = (String, String)> {
    (name(), value(), secret()).prop_map(|(name, value, secret)| {
        let is_secret = SECRETS.contains(&name.as_str());
        (name, if is_secret { secret } else { value })
    })
}

/// Settings, or what is said instead.
fn read(text: &str) -> Result<Config, String> {
    Settings::parse(Path::new("switchboard.toml"), text)
        .and_then(Config::load)
        .map_err(|error| error.to_string())
}

proptest! {
    #[test]
    fn property_a_file_is_settings_or_an_error_that_names_one(
        lines in prop::collection::vec(line(), 0..5),
    ) {
        let text: Vec<_> = lines.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        match read(&text.join("\n")) {
            Ok(config) => {
                let shown = format!("{:?}", config.shown());
                prop_assert!(!shown.contains(MARK), "{}", shown);
            }
            Err(error) => {
                prop_assert!(!error.contains(MARK), "{}", error);
                let named = lines.iter().any(|(name, _)| error.contains(name.as_str()));
                prop_assert!(named || error.contains("line "), "{}", error);
            }
        }
    }

    #[test]
    fn property_any_text_as_a_file_is_settings_or_an_error_with_a_line(
        text in matching("(\\PC|\n|=|\"){0,80}"),
    ) {
        if let Err(error) = read(&text) {
            prop_assert!(error.contains("line ") || NAMES.iter().any(|name| error.contains(name)));
        }
    }

    #[test]
    fn property_variables_are_settings_or_an_error_that_names_one(
        given in prop::collection::vec((name(), variable()), 0..5),
    ) {
        let lookup = |variable: &str| {
            let name = variable.strip_prefix("SWITCHBOARD_")?.to_ascii_lowercase();
            let (_, value) = given.iter().find(|(given, _)| *given == name)?;
            Some(os_text(value, SECRETS.contains(&name.as_str())))
        };
        match variables::read(&[], lookup).and_then(Config::load) {
            Ok(config) => {
                let shown = format!("{:?}", config.shown());
                prop_assert!(!shown.contains(MARK), "{}", shown);
            }
            Err(error) => {
                let error = error.to_string();
                prop_assert!(!error.contains(MARK), "{}", error);
                let named = given.iter().any(|(name, _)| {
                    error.contains(name.as_str())
                        || error.contains(&format!("SWITCHBOARD_{}", name.to_ascii_uppercase()))
                });
                prop_assert!(named, "{}", error);
            }
        }
    }
}

/// Bytes in a variable: mostly text.
fn variable() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => value().prop_map(String::into_bytes),
        4 => value().prop_map(|text| text.trim_matches('"').as_bytes().to_vec()),
        1 => matching("(on|off|retry|at-most-once|[0-9]{1,20}|-1|1.5)").prop_map(String::into_bytes),
        1 => prop::collection::vec(1_u8.., 0..12),
    ]
}

fn os_text(value: &[u8], is_secret: bool) -> OsString {
    let mark = if is_secret { MARK.as_bytes() } else { b"" };
    let bytes = [value, mark].concat();
    #[cfg(unix)]
    return std::os::unix::ffi::OsStringExt::from_vec(bytes);
    #[cfg(not(unix))]
    String::from_utf8_lossy(&bytes).into_owned().into()
}

proptest! {
    #[test]
    fn property_flags_are_settings_or_an_error_that_names_one(
        given in prop::collection::vec((name(), matching("\\PC{0,20}")), 0..5),
    ) {
        // Building it takes many times as long as asking it.
        thread_local! {
            static COMMAND: RefCell<clap::Command> = RefCell::new(Cli::command());
        }
        let flag = |(name, value): &(String, String)| {
            let mark = if SECRETS.contains(&name.as_str()) { MARK } else { "" };
            format!("--{}={value}{mark}", name.replace('_', "-"))
        };
        let flags: Vec<_> = given.iter().map(flag).collect();
        let words = ["switchboard"].map(str::to_owned).into_iter().chain(flags);
        let found = COMMAND.with_borrow_mut(|command| command.try_get_matches_from_mut(words));
        let error = match found.and_then(|found| Cli::from_arg_matches(&found)) {
            Ok(cli) => match Config::load(cli.into_settings()) {
                Ok(_) => return Ok(()),
                Err(error) => error.to_string(),
            },
            Err(error) => error.to_string(),
        };
        prop_assert!(!error.contains(MARK), "{}", error);
        let named = given.iter().any(|(name, _)| {
            error.contains(name.as_str()) || error.contains(&name.replace('_', "-"))
        });
        prop_assert!(named, "{}", error);
    }
}
