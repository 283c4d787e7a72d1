//! `switchboard completions` and `switchboard man`: made from the definition of the command line.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::commands::{Cli, Failure};
use crate::printer::Printer;

#[derive(Debug, Args)]
pub(super) struct CompletionsOptions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Debug, Args)]
pub(super) struct ManOptions {
    /// Where to write them, a page for each command; made if it is missing
    #[arg(value_name = "FOLDER")]
    to: PathBuf,
}

pub(super) fn completions(options: &CompletionsOptions) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(
        options.shell,
        &mut Cli::command(),
        "switchboard",
        &mut script,
    );
    let mut out = std::io::stdout().lock();
    out.write_all(&script).and_then(|()| out.flush())?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn man(options: &ManOptions, printer: Printer) -> Result<ExitCode, Failure> {
    let fault = |error: std::io::Error| {
        Failure::Refused(format!(
            "{} cannot be written: {error}",
            options.to.display()
        ))
    };
    std::fs::create_dir_all(&options.to).map_err(fault)?;
    let mut command = Cli::command();
    command.build();
    let mut names = Vec::new();
    pages(&command, &options.to, &mut names).map_err(fault)?;
    if printer.is_json() {
        printer.json(&serde_json::json!({ "folder": options.to, "pages": names }))?;
    } else {
        printer.line(&format!(
            "{} pages are in {}; man -l {}/switchboard.1 shows the first",
            names.len(),
            options.to.display(),
            options.to.display()
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The page of a command and those of its own commands.
fn pages(command: &clap::Command, to: &Path, names: &mut Vec<String>) -> std::io::Result<()> {
    let title = command.get_display_name().unwrap_or(command.get_name());
    let name = format!("{title}.1");
    let mut text = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut text)?;
    std::fs::write(to.join(&name), text)?;
    names.push(name);
    for below in command.get_subcommands() {
        if below.get_name() != "help" {
            pages(below, to, names)?;
        }
    }
    Ok(())
}
