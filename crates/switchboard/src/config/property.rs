//! Properties of the settings: whatever a file, a variable or a flag holds, it is settings or an
//! error that names the one at fault, and no secret shows.

use std::path::Path;

use clap::Parser;
use proptest::prelude::*;

use super::{Config, Settings};
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

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => prop::sample::select(&NAMES[..]).prop_map(str::to_owned),
        1 => "[a-z_]{1,12}",
    ]
}

/// Values as people and accidents write them.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,20}".prop_map(|text| format!("{text:?}")),
        "\\PC{0,10}",
        any::<i64>().prop_map(|number| number.to_string()),
        prop_oneof![
            "127.0.0.1:[0-9]{1,6}",
            "https?://[a-z.]{0,9}(/[a-z?#@:]{0,5})?",
            "sqlite:[a-z/]{0,5}"
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
        "[ -~]{0,9}".prop_map(|text| format!("{:?}", format!("{text}{MARK}"))),
        "[A-Za-z:]{0,4}".prop_map(|text| format!("{MARK}{text}")),
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
    fn property_any_text_as_a_file_is_settings_or_an_error_with_a_line(text in "(\\PC|\n|=|\"){0,80}") {
        if let Err(error) = read(&text) {
            prop_assert!(error.contains("line ") || NAMES.iter().any(|name| error.contains(name)));
        }
    }

    #[test]
    fn property_flags_are_settings_or_an_error_that_names_one(
        given in prop::collection::vec((name(), "\\PC{0,20}"), 0..5),
    ) {
        let flag = |(name, value): &(String, String)| {
            let mark = if SECRETS.contains(&name.as_str()) { MARK } else { "" };
            format!("--{}={value}{mark}", name.replace('_', "-"))
        };
        let flags: Vec<_> = given.iter().map(flag).collect();
        let words = ["switchboard", "config"].map(str::to_owned).into_iter().chain(flags);
        let error = match Cli::try_parse_from(words) {
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
