//! Tasks that run until they are told to stop. One that ends by itself leaves a server that looks
//! well and does half its work; so it ends the server, and whoever watches over that starts it anew.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Starts tasks that are watched over. Cheap to clone.
#[derive(Clone)]
pub(super) struct Watch(mpsc::UnboundedSender<String>);

/// Hears of tasks that have ended by themselves.
pub(super) struct Ended(mpsc::UnboundedReceiver<String>);

pub(super) fn watch() -> (Watch, Ended) {
    let (tell, hear) = mpsc::unbounded_channel();
    (Watch(tell), Ended(hear))
}

impl Watch {
    /// Starts a task that is to run until `stop` is cancelled.
    pub(super) fn spawn(
        &self,
        name: impl Into<String>,
        stop: &CancellationToken,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> JoinHandle<()> {
        let (tell, stop, name) = (self.0.clone(), stop.clone(), name.into());
        tokio::spawn(async move {
            let panicked = AssertUnwindSafe(task).catch_unwind().await.is_err();
            if !stop.is_cancelled() {
                let how = if panicked {
                    "panicked"
                } else {
                    "ended unasked"
                };
                // Where nobody listens any more, the process ends anyway.
                let _ = tell.send(format!("{name} {how}"));
            }
        })
    }
}

impl Ended {
    /// Which task has ended; for ever, if all goes well.
    pub(super) async fn next(&mut self) -> String {
        match self.0.recv().await {
            Some(name) => name,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_or_ends_is_heard_of_and_one_that_was_told_to_stop_is_not() {
        let (watch, mut ended) = watch();
        let stop = CancellationToken::new();
        watch.spawn("one", &stop, async { panic!("on purpose") });
        assert_eq!(ended.next().await, "one panicked");
        watch.spawn("two", &stop, async {});
        assert_eq!(ended.next().await, "two ended unasked");

        let told = stop.clone();
        let third = watch.spawn("three", &stop, async move { told.cancelled().await });
        stop.cancel();
        third.await.unwrap();
        assert!(ended.0.try_recv().is_err());
    }
}
