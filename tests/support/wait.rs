//! Waiting for conditions, never for times.

use std::time::{Duration, Instant};

/// How long a condition may take to come about before the test fails. Generous: machines that test
/// are busy; what must be fast is asserted by itself.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Asks again and again until there is an answer.
pub(crate) async fn until<T, F>(what: &str, ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    within(PATIENCE, what, ask).await
}

/// The same, with a limit of its own.
pub(crate) async fn within<T, F>(limit: Duration, what: &str, mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let start = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(
            start.elapsed() < limit,
            "waited {limit:?} in vain until {what}"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Shows that something stays as it is. A while proves little, so this is only for what would go
/// wrong at once.
pub(crate) async fn holds<F>(limit: Duration, what: &str, mut ask: impl FnMut() -> F)
where
    F: Future<Output = bool>,
{
    let start = Instant::now();
    while start.elapsed() < limit {
        assert!(ask().await, "it did not hold that {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
