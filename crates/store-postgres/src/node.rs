//! This node, as others see it: a number, and a lock that the database holds for it as long as it
//! lives. So each node can tell whose deliveries in flight were lost, and leaves those of the living
//! alone.

use std::time::Duration;

use tokio::sync::watch;
use tokio_postgres::{Config, NoTls};

use crate::failure::Done;

/// The first of the two keys of a node's lock; the second is its number.
pub(crate) const LOCKS: i32 = 0x5377_6264;

const NUMBER: &str = "SELECT nextval('switchboard.node_number')::integer";
const LOCK: &str = "SELECT pg_advisory_lock($1, $2)";

/// Gives this node a number and holds its lock until `closed` is set or gone.
pub(crate) async fn join(config: Config, closed: watch::Receiver<bool>) -> Done<i32> {
    let (client, connection) = config.connect(NoTls).await?;
    let driver = tokio::spawn(connection);
    let number: i32 = client.query_one(NUMBER, &[]).await?.try_get(0)?;
    client.execute(LOCK, &[&LOCKS, &number]).await?;
    tokio::spawn(keep(config, number, client, driver, closed));
    Ok(number)
}

type Driver = tokio::task::JoinHandle<Result<(), tokio_postgres::Error>>;

async fn keep(
    config: Config,
    number: i32,
    mut client: tokio_postgres::Client,
    mut driver: Driver,
    mut closed: watch::Receiver<bool>,
) {
    loop {
        tokio::select! {
            // An error: the store was dropped.
            _ended = closed.wait_for(|closed| *closed) => break,
            _lost = &mut driver => {
                tracing::warn!(node = number, "the connection that tells others that this node \
                    lives is lost; what it has in flight may be taken over");
            }
        }
        (client, driver) = loop {
            tokio::select! {
                _ended = closed.wait_for(|closed| *closed) => return,
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
            if let Ok((client, connection)) = config.connect(NoTls).await {
                let driver = tokio::spawn(connection);
                if client.execute(LOCK, &[&LOCKS, &number]).await.is_ok() {
                    break (client, driver);
                }
            }
        };
    }
    drop(client);
    // Its end is the end of the session, and of the lock.
    drop(driver.await);
}
