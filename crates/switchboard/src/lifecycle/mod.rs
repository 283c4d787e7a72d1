//! Starting, running and stopping.
//!
//! Start: take the data folder, open the store, free what was in flight, start bots' and channels'
//! workers, listen, and only then say so. Stop: take no more work, finish what is in flight, close
//! the store. A second signal does not wait.

mod core;
mod explain;
mod faq;
mod local;
mod server;
mod supervisor;
mod watch;

pub(crate) use faq::{parse as parse_faq, read as read_faq};
pub(crate) use local::{Local, Work};
pub(crate) use server::{Server, Started};

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGINT and SIGTERM, listened for from the moment this is made: whoever was told that the server
/// is ready may end it at once, and in order.
pub(crate) struct Interrupts {
    signals: [Option<Signal>; 2],
}

impl Interrupts {
    pub(crate) fn listen() -> Self {
        // Without a handler the signal ends the process by itself.
        let listen = |kind| signal(kind).ok();
        Self {
            signals: [
                listen(SignalKind::interrupt()),
                listen(SignalKind::terminate()),
            ],
        }
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) {
        async fn wait(signal: &mut Option<Signal>) {
            match signal {
                Some(signal) => {
                    signal.recv().await;
                }
                None => std::future::pending().await,
            }
        }
        let [interrupt, terminate] = &mut self.signals;
        tokio::select! {
            () = wait(interrupt) => {}
            () = wait(terminate) => {}
        }
    }
}

/// Waits for SIGINT or SIGTERM.
pub(crate) async fn interrupted() {
    Interrupts::listen().next().await;
}
