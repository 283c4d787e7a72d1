//! The loop of a lane: claim, carry, finish.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use switchboard_bots::Bot;
use switchboard_engine::Engine;
use switchboard_integration::{Lease, Outbound, Room};
use switchboard_model::{Error, IntegrationId, Result, Timestamp};
use switchboard_store::{Change, Claim, ClaimedDelivery, Finish, Lane, Outcome, Subject};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use crate::Policy;
use crate::agenda::Agenda;
use crate::bots::ToBots;
use crate::carrier::{Admission, Carrier, Tried};
use crate::channel::ToChannel;
use crate::leased;
use crate::moment::from_now;
use crate::underway::{Places, Underway};

/// The most that one claim takes: it is one command of the store's only writer.
const CLAIM_LIMIT: usize = 64;
/// How long the results of what a stop breaks off may take to be written.
const WRITING_TIME: Duration = Duration::from_secs(3);

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
    break_off: CancellationToken,
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
            break_off: CancellationToken::new(),
        };
        Self { desk, lane }
    }

    /// Works until it is told to stop; then takes nothing more, and waits a while for what is under
    /// way. What is not done by then is broken off: it is tried again after the next start, or is
    /// uncertain, as the policy says.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut changes = self.desk.engine.store().changes();
        let policy = &self.desk.policy;
        let mut underway = Underway::default();
        let mut agenda = Agenda::new(policy.poll);
        while !shutdown.is_cancelled() {
            let alarm = match self.desk.carrier.admission() {
                Admission::NotBefore(reopening) => reopening,
                Admission::UpTo(admitted) => {
                    let room = self.desk.carrier.room();
                    let places = underway.places(policy, admitted).within(room);
                    if agenda.calls(places) {
                        let places = places.within(Room::For(CLAIM_LIMIT));
                        self.claim(places, &mut agenda, &mut underway).await;
                        continue;
                    }
                    let next = match room {
                        Room::NotBefore(time) => Some(time),
                        Room::Free | Room::For(_) => underway.next_slot(policy),
                    };
                    let wanted = next.filter(|_| agenda.wants_places());
                    wanted.map_or(agenda.alarm, |next| next.min(agenda.alarm))
                }
            };
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                Some(done) = underway.ended() => {
                    agenda.ended(done);
                    // Those that one commit has ended end together: one claim for all their places.
                    while let Some(done) = underway.try_ended() {
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
        self.drain(underway).await;
    }

    async fn claim(&self, places: Places, agenda: &mut Agenda, underway: &mut Underway) {
        let now = self.desk.engine.env().now();
        // From before the question: the store's lease cannot end before ours does.
        let lease = Lease::new(self.desk.policy.lease);
        let claim = Claim {
            lane: self.lane,
            limit: places.all,
            again: places.again,
            lease: self.desk.policy.lease,
            lost: self.desk.policy.uncertain.into(),
            now,
        };
        match self.desk.engine.store().claim(claim).await {
            Ok(claimed) => {
                let taken = Places {
                    all: claimed.deliveries.len(),
                    again: claimed.deliveries.iter().filter(|one| one.again).count(),
                };
                agenda.claimed(places, taken, claimed.next_due.map(|due| due.since(now)));
                for delivery in claimed.deliveries {
                    underway.begin(delivery.again, self.desk.clone().deliver(delivery, lease));
                }
            }
            Err(error) => {
                if agenda.failed() {
                    tracing::warn!(lane = ?self.lane, %error, "nothing can be claimed from the outbox now");
                }
            }
        }
    }

    async fn drain(&self, mut underway: Underway) {
        let grace = self.desk.policy.grace;
        if tokio::time::timeout(grace, underway.all_ended())
            .await
            .is_ok()
        {
            return;
        }
        tracing::info!(lane = ?self.lane, count = underway.len(), "deliveries under way are broken off");
        self.desk.break_off.cancel();
        if tokio::time::timeout(WRITING_TIME, underway.all_ended())
            .await
            .is_err()
        {
            tracing::warn!(lane = ?self.lane, count = underway.len(), "it cannot be written that deliveries were broken off; the next start deals with them");
            underway.abort().await;
        }
    }
}

impl Desk {
    /// Tries one delivery and writes the result. Tells when it is due again, if it is.
    async fn deliver(self, delivery: ClaimedDelivery, lease: Lease) -> Option<Instant> {
        let tried = match delivery.subject {
            Subject::Gone => Some(Tried::Permanent {
                error: "its message or conversation was deleted".to_owned(),
            }),
            Subject::Event(_) | Subject::Message(_) | Subject::Edit(_) | Subject::Delete(_) => {
                tokio::select! {
                    biased;
                    tried = self.attempt(&delivery, lease) => Some(tried),
                    () = self.break_off.cancelled() => None,
                }
            }
        };
        let outcome = match tried {
            Some(tried) => {
                let count_from = self.started.max(self.carrier.tries_count_from());
                let env = self.engine.env();
                self.policy.outcome(env, &delivery, count_from, tried)
            }
            None => self
                .policy
                .stopped(self.carrier.may_take_what_is_broken_off(&delivery)),
        };
        if matches!(delivery.subject, Subject::Gone) {
            tracing::debug!(delivery = %delivery.id, "not delivered: it was deleted");
        } else {
            report(&delivery, &outcome);
        }
        let due = match &outcome {
            Outcome::Retry { after, .. } => Some(*after),
            _ => None,
        };
        match self.finish(&delivery, outcome, lease).await {
            Ok(true) => due.map(from_now),
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
            Ok(Err(_)) => {
                let error = "the code that handles this panicked; see the log".to_owned();
                self.broken_off(delivery, error)
            }
            Err(_) => {
                let limit = limit.as_secs_f32();
                let error = format!("no end after {limit} s; the try was broken off");
                self.broken_off(delivery, error)
            }
        }
    }

    fn broken_off(&self, delivery: &ClaimedDelivery, error: String) -> Tried {
        if self.carrier.may_take_what_is_broken_off(delivery) {
            Tried::Uncertain { error }
        } else {
            Tried::Retry { error }
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
            ..
        } if *attempt == 1 => {
            tracing::warn!(delivery = %id, ?after, error, "not delivered yet; tried again");
        }
        Outcome::Retry { after, error, .. } => {
            tracing::debug!(delivery = %id, attempt, ?after, error, "not delivered yet; tried again");
        }
        Outcome::Dead { error } => {
            tracing::warn!(delivery = %id, attempt, error, "given up; it is kept and can be replayed");
        }
        Outcome::Dropped => {
            tracing::debug!(delivery = %id, "the channel cannot change what was sent; forgotten");
        }
        Outcome::Uncertain { error } => {
            tracing::warn!(delivery = %id, attempt, error, "perhaps delivered; it is kept and can be replayed");
        }
    }
}
