//! `switchboard config`: the settings in effect, secrets masked.

use std::process::ExitCode;

use serde_json::Value;

use crate::commands::Failure;
use crate::config::Config;
use crate::folder::DataFolder;
use crate::printer::{Printer, complain};

pub(super) fn run(config: &Config, printer: Printer) -> Result<ExitCode, Failure> {
    if let Some(run) = DataFolder::read_run_file(&config.data_dir) {
        complain(&format!(
            "note: these are the settings of a server started here and now; the one at {} has those it was started with",
            run.url
        ));
    }
    let shown = config.shown();
    if printer.is_json() {
        let object: serde_json::Map<_, _> = shown
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.map_or(Value::Null, Value::String)))
            .collect();
        printer.json(&object)?;
    } else {
        printer.table(
            &["SETTING", "VALUE"],
            shown.into_iter().map(|(name, value)| {
                vec![
                    name.to_owned(),
                    value.unwrap_or_else(|| "(not set)".to_owned()),
                ]
            }),
        )?;
    }
    Ok(ExitCode::SUCCESS)
}
