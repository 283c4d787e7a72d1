//! `switchboard`: the binary. Commands, configuration and wiring; the only crate that knows all
//! others.
//!
//! What never happens here: deciding what a command means. That is `engine/` and `store/`.

mod backup;
mod client;
mod commands;
mod config;
mod doctor;
mod folder;
mod lifecycle;
mod printer;
mod system;

use std::process::ExitCode;

/// Threads for what blocks: lists of the store, of which eight run at once, looking up names, a copy of
/// the database. Each that has read once keeps some memory, and the runtime would start five hundred.
const BLOCKING: usize = 16;

fn main() -> ExitCode {
    let cli = commands::Cli::from_arguments();
    // HTTP clients take the process's provider of cryptography and panic without one. Only a second
    // call could fail.
    drop(rustls::crypto::ring::default_provider().install_default());
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING)
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            printer::complain(&format!("error: the async runtime does not start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let code = match runtime.block_on(commands::run(cli)) {
        Ok(code) => code,
        Err(failure) => {
            if !failure.is_closed_output() {
                printer::complain(&format!("error: {failure}"));
            }
            failure.exit_code()
        }
    };
    // What still runs was told to stop and did not in time; do not wait for it.
    runtime.shutdown_background();
    code
}
