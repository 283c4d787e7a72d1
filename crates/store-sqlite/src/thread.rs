//! The store's threads, and what happens when one ends that should not: the store takes nothing
//! more and says so, for a process whose writer is gone must end and not refuse work for ever.

use std::sync::Arc;
use std::thread::JoinHandle;

use crate::Shared;

/// Poisons the store when it is dropped before the thread's work was done.
struct Guard<'a> {
    shared: &'a Shared,
    name: &'static str,
    done: bool,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.shared
                .poison(&format!("the thread {} panicked", self.name));
        }
    }
}

/// Starts a thread of the store.
pub(crate) fn spawn(
    shared: &Arc<Shared>,
    name: &'static str,
    work: impl FnOnce(&Arc<Shared>) + Send + 'static,
) -> std::io::Result<JoinHandle<()>> {
    let shared = Arc::clone(shared);
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            let mut guard = Guard {
                shared: &shared,
                name,
                done: false,
            };
            work(&shared);
            guard.done = true;
        })
}
