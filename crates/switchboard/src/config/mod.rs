//! Settings: defaults, then `switchboard.toml`, then `SWITCHBOARD_*` variables, then flags; later
//! ones win. A setting has one name in all of them (`data_dir`, `SWITCHBOARD_DATA_DIR`,
//! `--data-dir`).

#[cfg(test)]
mod property;
mod settings;
mod unknown;
mod values;
pub(crate) mod variables;

pub(crate) use settings::Settings;
pub(crate) use unknown::unknown;
pub(crate) use values::{Config, Pace, UncertainSends, parse_key, shown_url, telegram_account};
