//! Writing what must not be lost cheaply.

use std::time::Duration;

use switchboard_integration::Lease;
use switchboard_model::{Error, Result};

/// Writes, again and again while the store is too busy or cannot write, until the lease is over:
/// the result of a try is worth more than a short wait.
pub(crate) async fn write<T, W>(lease: Lease, mut write: impl FnMut() -> W) -> Result<T>
where
    W: Future<Output = Result<T>>,
{
    let mut pause = Duration::from_millis(20);
    loop {
        let result = write().await;
        if !matches!(result, Err(Error::Busy | Error::Unavailable { .. })) {
            return result;
        }
        let Some(left) = lease.left() else {
            return result;
        };
        tokio::time::sleep(pause.min(left)).await;
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}
