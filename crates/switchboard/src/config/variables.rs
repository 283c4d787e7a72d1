//! Settings from `SWITCHBOARD_*` variables.
//!
//! Promises: what cannot be read is an error that names its variable and does not repeat it; an empty
//! variable counts as none, and so does one that a flag overrides, whatever is in it.

use std::ffi::OsString;

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, Command, FromArgMatches};

use crate::commands::Failure;
use crate::config::Settings;

/// A setting and what it is called.
struct Name {
    id: String,
    flag: String,
    variable: String,
}

/// What the variables say that are not `overridden` (by the names of their settings). `value` looks
/// one up.
pub(crate) fn read(
    overridden: &[String],
    value: impl Fn(&str) -> Option<OsString>,
) -> Result<Settings, Failure> {
    let command = Settings::augment_args(Command::new("variables").no_binary_name(true));
    let names: Vec<_> = command.get_arguments().filter_map(name).collect();
    // Each is read as its flag would be.
    let mut command = command.mut_args(|argument| argument.env(Resettable::Reset));
    let mut settings = Settings::default();
    for name in names {
        if overridden.contains(&name.id) {
            continue;
        }
        let Some(text) = value(&name.variable).filter(|text| !text.is_empty()) else {
            continue;
        };
        let mut word = OsString::from(format!("--{}=", name.flag));
        word.push(text);
        let one = command
            .try_get_matches_from_mut([word])
            .and_then(|matches| Settings::from_arg_matches(&matches))
            .map_err(|error| fault(&name.variable, &error))?;
        settings = settings.or(one);
    }
    Ok(settings)
}

fn name(argument: &clap::Arg) -> Option<Name> {
    Some(Name {
        id: argument.get_id().to_string(),
        flag: argument.get_long()?.to_owned(),
        variable: argument.get_env()?.to_str()?.to_owned(),
    })
}

/// The parser's own words would name the flag, if anything, and quote what may be a secret.
fn fault(variable: &str, error: &clap::Error) -> Failure {
    let expected = match (error.kind(), error.get(ContextKind::ValidValue)) {
        (ErrorKind::InvalidUtf8, _) => "text in UTF-8".to_owned(),
        (_, Some(ContextValue::Strings(values))) => values.join(" or "),
        (ErrorKind::ValueValidation, _) => "a whole number".to_owned(),
        _ => "what `switchboard --help` says".to_owned(),
    };
    Failure::Config(format!("{variable}: expected {expected}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Result<Settings, String> {
        overridden(&[], variables)
    }

    fn overridden(by: &[&str], variables: &[(&str, &str)]) -> Result<Settings, String> {
        let by: Vec<_> = by.iter().map(|id| (*id).to_owned()).collect();
        let value = |name: &str| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| OsString::from(value))
        };
        read(&by, value).map_err(|error| error.to_string())
    }

    #[test]
    fn all_that_is_set_is_read_and_an_empty_one_counts_as_none() {
        let settings = of(&[
            ("SWITCHBOARD_LISTEN", "a=b --log=x"),
            ("SWITCHBOARD_BOT_TIMEOUT", "7"),
            ("SWITCHBOARD_RETRY_FOR", ""),
            ("SWITCHBOARD_CONFIG", "other.toml"),
            ("SWITCHBOARD_NONE", "x"),
        ])
        .unwrap();
        assert_eq!(settings.listen.as_deref(), Some("a=b --log=x"));
        assert_eq!((settings.bot_timeout, settings.retry_for), (Some(7), None));
        assert_eq!(settings.file, Some("other.toml".into()));
    }

    #[test]
    fn what_cannot_be_read_is_named_and_not_repeated() {
        for (variable, value, expected) in [
            ("SWITCHBOARD_BOT_TIMEOUT", "soon", "a whole number"),
            ("SWITCHBOARD_MAX_CONNECTIONS", "-1", "a whole number"),
            ("SWITCHBOARD_UNCERTAIN_SENDS", "x", "retry or at-most-once"),
            ("SWITCHBOARD_TELEGRAM_PACE", "On", "on or off"),
        ] {
            let error = of(&[(variable, value)]).unwrap_err();
            assert_eq!(error, format!("{variable}: expected {expected}"));
            let id = variable["SWITCHBOARD_".len()..].to_ascii_lowercase();
            assert!(overridden(&[&id], &[(variable, value)]).is_ok());
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_text_is_named() {
        use std::os::unix::ffi::OsStringExt as _;

        let value = |name: &str| {
            (name == "SWITCHBOARD_TOKEN").then(|| OsString::from_vec(b"SECRET\xff".to_vec()))
        };
        let error = read(&[], value).unwrap_err().to_string();
        assert_eq!(error, "SWITCHBOARD_TOKEN: expected text in UTF-8");
    }
}
