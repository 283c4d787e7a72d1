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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn a_busy_store_is_asked_again_until_it_takes_the_result() {
        let asked = Cell::new(0);
        let written = write(Lease::new(Duration::from_mins(1)), async || {
            asked.set(asked.get() + 1);
            match asked.get() {
                1 => Err(Error::Busy),
                2 => Err(Error::Unavailable {
                    reason: "disk full".to_owned(),
                }),
                _ => Ok(true),
            }
        });
        assert_eq!(written.await, Ok(true));
    }

    #[tokio::test]
    async fn it_is_asked_no_more_when_the_lease_is_over_or_asking_is_in_vain() {
        let lease = Lease::new(Duration::from_millis(50));
        let busy = write(lease, async || Err::<(), _>(Error::Busy));
        assert_eq!(busy.await, Err(Error::Busy));
        let asked = Cell::new(0);
        let unknown = write(Lease::new(Duration::from_mins(1)), async || {
            asked.set(asked.get() + 1);
            Err::<(), _>(Error::OutcomeUnknown)
        });
        assert_eq!(unknown.await, Err(Error::OutcomeUnknown));
        assert_eq!(asked.get(), 1);
    }
}
