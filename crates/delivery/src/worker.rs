//! The loop of a lane: claim, carry, finish.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use futures::FutureExt;
use switchboard_bots::Bot;
use switchboard_engine::Engine;
use switchboard_integration::{Lease, Outbound};
use switchboard_model::{Error, IntegrationId, Result, Timestamp};
use switchboard_store::{Change, Claim, ClaimedDelivery, Finish, Lane, Outcome, Subject};
use tokio::sync::broadcast;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::Policy;
use crate::agenda::Agenda;
use crate::bots::ToBots;
use crate::carrier::{Admission, Carrier, Tried};
use crate::channel::ToChannel;
use crate::leased;

/// The most that one claim takes: it is one command of the store's only writer.
const CLAIM_LIMIT: usize = 64;

/// Works off one lane of the outbox. One worker a lane.
pub struct Worker {
    desk: Desk,
    lane: Lane,
}

/// What each delivery's task needs.
#[derive(Clone)]
struct Desk {
    engine: Engine,
    carrier: Arc<dyn Carrier>,
    policy: Arc<Policy>,
    started: Timestamp,
}

impl Worker {
    /// Delivers events to bots.
    pub fn to_bots(engine: Engine, bot: Arc<dyn Bot>, policy: Policy) -> Self {
        let carrier = ToBots {
            engine: engine.clone(),
            bot,
        };
        Self::new(engine, Lane::Bots, Arc::new(carrier), policy)
    }

    /// Delivers messages to a channel account. To give the account another token, stop this worker
    /// and run one with another `channel`: it goes on at once with what waits.
    pub fn to_channel(
        engine: Engine,
        integration: IntegrationId,
        channel: Arc<dyn Outbound>,
        policy: Policy,
    ) -> Self {
        let carrier = ToChannel::new(engine.clone(), integration, channel, &policy);
        let lane = Lane::Channel(integration);
        Self::new(engine, lane, Arc::new(carrier), policy)
    }

    fn new(engine: Engine, lane: Lane, carrier: Arc<dyn Carrier>, policy: Policy) -> Self {
        let desk = Desk {
            started: engine.env().now(),
            engine,
            carrier,
            policy: Arc::new(policy),
        };
        Self { desk, lane }
    }

    /// Works until it is told to stop; then takes nothing more, and waits a while for what is under
    /// way. What is not done by then is broken off, and tried again after the next start.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut changes = self.desk.engine.store().changes();
        let mut tasks = JoinSet::new();
        let mut agenda = Agenda::new(self.desk.policy.poll);
        while !shutdown.is_cancelled() {
            let room = self.room(tasks.len());
            if let Room::For(places) = room
                && agenda.something_waits
            {
                self.claim(places, &mut agenda, &mut tasks).await;
                continue;
            }
            let alarm = match room {
                Room::For(_) | Room::None => agenda.alarm,
                Room::NoneBefore(reopening) => reopening,
            };
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                Some(done) = tasks.join_next() => {
                    agenda.ended(done);
                    // Those that one commit has ended end together: one claim for all their places.
                    while let Some(done) = tasks.try_join_next() {
                        agenda.ended(done);
                    }
                }
                change = changes.recv() => match change {
                    Ok(change) => agenda.something_waits |= change == Change::Lane(self.lane),
                    Err(broadcast::error::RecvError::Lagged(_)) => agenda.something_waits = true,
                    // The store is gone, and with it all work; only the shutdown is left to wait for.
                    Err(broadcast::error::RecvError::Closed) => shutdown.cancelled().await,
                },
                () = tokio::time::sleep_until(alarm.into()) => agenda.rang(),
            }
        }
        self.drain(tasks).await;
    }

    fn room(&self, busy: usize) -> Room {
        let limit = match self.desk.carrier.admission() {
            Admission::UpTo(limit) => limit.min(self.desk.policy.slots),
            Admission::NotBefore(reopening) => return Room::NoneBefore(reopening),
        };
        match limit.saturating_sub(busy) {
            0 => Room::None,
            places => Room::For(places.min(CLAIM_LIMIT)),
        }
    }

    async fn claim(&self, limit: usize, agenda: &mut Agenda, tasks: &mut JoinSet<Option<Instant>>) {
        let now = self.desk.engine.env().now();
        // From before the question: the store's lease cannot end before ours does.
        let lease = Lease::new(self.desk.policy.lease);
        let claim = Claim {
            lane: self.lane,
            limit,
            lease: self.desk.policy.lease,
            now,
        };
        match self.desk.engine.store().claim(claim).await {
            Ok(claimed) => {
                let full = claimed.deliveries.len() >= limit;
                agenda.claimed(full, claimed.next_due.map(|due| due.since(now)));
                for delivery in claimed.deliveries {
                    tasks.spawn(self.desk.clone().deliver(delivery, lease));
                }
            }
            Err(error) => {
                if agenda.failed() {
                    tracing::warn!(lane = ?self.lane, %error, "nothing can be claimed from the outbox now");
                }
            }
        }
    }

    async fn drain(&self, mut tasks: JoinSet<Option<Instant>>) {
        let all = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(self.desk.policy.grace, all)
            .await
            .is_err()
        {
            tracing::info!(lane = ?self.lane, count = tasks.len(), "deliveries under way are broken off; they are tried again after the next start");
            tasks.shutdown().await;
        }
    }
}

/// How many more deliveries may be begun.
enum Room {
    For(usize),
    None,
    NoneBefore(Instant),
}

impl Desk {
    /// Tries one delivery and writes the result. Tells when it is due again, if it is.
    async fn deliver(self, delivery: ClaimedDelivery, lease: Lease) -> Option<Instant> {
        let tried = match delivery.subject {
            Subject::Gone => Tried::Permanent {
                error: "its message or conversation was deleted".to_owned(),
            },
            Subject::Event(_) | Subject::Message(_) => self.attempt(&delivery, lease).await,
        };
        let count_from = self.started.max(self.carrier.tries_count_from());
        let outcome = self
            .policy
            .outcome(self.engine.env(), &delivery, count_from, tried);
        report(&delivery, &outcome);
        let due = match &outcome {
            Outcome::Retry { after, .. } => Some(*after),
            _ => None,
        };
        match self.finish(&delivery, outcome, lease).await {
            Ok(true) => due.map(|after| Instant::now() + after),
            Ok(false) => {
                tracing::warn!(delivery = %delivery.id, attempt = delivery.attempt, "the lease was over; the result of this try is not written");
                None
            }
            Err(error) => {
                tracing::error!(delivery = %delivery.id, attempt = delivery.attempt, %error, "the result of a try cannot be written; it is tried again when its lease is over");
                None
            }
        }
    }

    async fn attempt(&self, delivery: &ClaimedDelivery, lease: Lease) -> Tried {
        let limit = self.policy.hard_limit();
        let carrying = AssertUnwindSafe(self.carrier.carry(delivery, lease)).catch_unwind();
        match tokio::time::timeout(limit, carrying).await {
            Ok(Ok(tried)) => tried,
            // The panic's text may hold anything; it is on standard error already.
            Ok(Err(_)) => self
                .carrier
                .broken_off("the code that handles this panicked; see the log".to_owned()),
            Err(_) => self.carrier.broken_off(format!(
                "no end after {} s; the try was broken off",
                limit.as_secs_f32()
            )),
        }
    }

    async fn finish(
        &self,
        delivery: &ClaimedDelivery,
        outcome: Outcome,
        lease: Lease,
    ) -> Result<bool> {
        let delivered = matches!(outcome, Outcome::Delivered { .. });
        match self.write(delivery, outcome, lease).await {
            // What the store refuses it refuses each time: better a dead letter than a line that
            // stands still.
            Err(error) if delivered && is_final(&error) => {
                let error = format!("its result cannot be stored: {error}");
                let outcome = Outcome::Dead { error };
                report(delivery, &outcome);
                self.write(delivery, outcome, lease).await
            }
            written => written,
        }
    }

    async fn write(
        &self,
        delivery: &ClaimedDelivery,
        outcome: Outcome,
        lease: Lease,
    ) -> Result<bool> {
        let write = || {
            self.engine.store().finish(Finish {
                id: delivery.id,
                epoch: delivery.epoch,
                outcome: outcome.clone(),
                now: self.engine.env().now(),
            })
        };
        leased::write(lease, write).await
    }
}

fn is_final(error: &Error) -> bool {
    !matches!(
        error,
        Error::Busy | Error::Unavailable { .. } | Error::OutcomeUnknown
    )
}

fn report(delivery: &ClaimedDelivery, outcome: &Outcome) {
    let ClaimedDelivery { id, attempt, .. } = delivery;
    match outcome {
        Outcome::Delivered { replies, .. } => {
            tracing::debug!(delivery = %id, attempt, replies = replies.len(), "delivered");
        }
        // The first failure is news to the operator, the following ones are not.
        Outcome::Retry {
            after,
            error,
            counts: true,
        } if *attempt == 1 => {
            tracing::warn!(delivery = %id, ?after, error, "not delivered yet; tried again");
        }
        Outcome::Retry { after, error, .. } => {
            tracing::debug!(delivery = %id, attempt, ?after, error, "not delivered yet; tried again");
        }
        Outcome::Dead { error } => {
            tracing::warn!(delivery = %id, attempt, error, "given up; it is kept and can be replayed");
        }
        Outcome::Uncertain { error } => {
            tracing::warn!(delivery = %id, attempt, error, "perhaps delivered; it is kept and can be replayed");
        }
    }
}
