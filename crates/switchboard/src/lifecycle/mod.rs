//! Starting, running and stopping.
//!
//! Start: take the data folder, open the store, free what was in flight, start bots' and channels'
//! workers, listen, and only then say so. Stop: take no more work, finish what is in flight, close
//! the store. A second signal does not wait.

mod core;
mod local;
mod server;
mod supervisor;

pub(crate) use local::{Local, Work};
pub(crate) use server::{Server, Started};

use tokio::signal::unix::{SignalKind, signal};

/// Waits for SIGINT or SIGTERM.
pub(crate) async fn interrupted() {
    let wait = |kind| async move {
        match signal(kind) {
            Ok(mut signals) => {
                signals.recv().await;
            }
            // Without the handler the signal ends the process by itself.
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = wait(SignalKind::interrupt()) => {}
        () = wait(SignalKind::terminate()) => {}
    }
}
