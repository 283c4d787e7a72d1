//! Messages on their way to a channel account.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use switchboard_engine::{Condition, Engine, View};
use switchboard_integration::{Lease, Outbound, Outgoing, Parts, SendOutcome};
use switchboard_model::{DeliveryId, Error, IntegrationId, Result, TagPatch, Tags, Timestamp};
use switchboard_store::{ClaimedDelivery, OutgoingMessage, SentPart, Store, Subject};

use crate::Policy;
use crate::carrier::{Admission, Carrier, Tried};
use crate::gate::Gate;
use crate::leased;

/// An account that is refused is refused at once; what takes longer is something else.
const REFUSAL_TIME: Duration = Duration::from_secs(2);

pub(crate) struct ToChannel {
    engine: Engine,
    integration: IntegrationId,
    channel: Arc<dyn Outbound>,
    gate: Gate,
    paused_until: Mutex<Timestamp>,
}

#[async_trait]
impl Carrier for ToChannel {
    async fn carry(&self, delivery: &ClaimedDelivery, lease: Lease) -> Tried {
        let Subject::Message(outgoing) = &delivery.subject else {
            return Tried::Permanent {
                error: "an event is in a channel's line; report this as a bug".to_owned(),
            };
        };
        if self.gate.is_closed() {
            return Tried::Released {
                error: "the channel account does not work".to_owned(),
            };
        }
        let view = View::integration(&outgoing.conversation.alias);
        let parts = KeptParts {
            store: &**self.engine.store(),
            id: delivery.id,
            epoch: delivery.epoch,
            sent: &delivery.progress,
            lease,
        };
        let outgoing = shown(&view, (**outgoing).clone(), delivery.attempt);
        let mut sending = self.channel.send(&outgoing, &parts, lease);
        let early = tokio::time::timeout(REFUSAL_TIME, &mut sending).await;
        let outcome = if let Ok(outcome) = early {
            outcome
        } else {
            self.gate.seems_to_work();
            sending.await
        };
        self.learn(&outcome);
        tried(&view, outcome)
    }

    fn broken_off(&self, error: String) -> Tried {
        Tried::Uncertain { error }
    }

    fn admission(&self) -> Admission {
        self.gate.admission()
    }

    fn tries_count_from(&self) -> Timestamp {
        *self
            .paused_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl ToChannel {
    pub(crate) fn new(
        engine: Engine,
        integration: IntegrationId,
        channel: Arc<dyn Outbound>,
        policy: &Policy,
    ) -> Self {
        Self {
            engine,
            integration,
            channel,
            gate: Gate::new(policy),
            paused_until: Mutex::default(),
        }
    }

    /// Takes from an outcome what it tells of the account.
    fn learn(&self, outcome: &SendOutcome) {
        match outcome {
            SendOutcome::AccountBroken { error } => {
                let Some(pause) = self.gate.breaks() else {
                    return;
                };
                *self
                    .paused_until
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner) = self.engine.env().now().plus(pause);
                let trouble = Condition::Troubled(error.clone());
                if self.engine.health().set(self.integration, trouble) {
                    tracing::warn!(integration = %self.integration, error, "the channel account does not work; its messages wait");
                }
            }
            SendOutcome::Done(_) | SendOutcome::Wait { .. } | SendOutcome::Permanent { .. } => {
                // Only then: what else is wrong with the account is not this room's to overrule.
                if self.gate.works() {
                    self.engine.health().set(self.integration, Condition::Well);
                    tracing::info!(integration = %self.integration, "the channel account works again");
                }
            }
            SendOutcome::Retry { .. } | SendOutcome::Uncertain { .. } => {}
        }
    }
}

fn shown(view: &View, outgoing: OutgoingMessage, attempt: u32) -> Outgoing {
    Outgoing {
        message: view.message(outgoing.message),
        user: view.user(outgoing.user),
        conversation: view.conversation(outgoing.conversation),
        attempt,
    }
}

fn tried(view: &View, outcome: SendOutcome) -> Tried {
    match outcome {
        SendOutcome::Done(tags) => Tried::Done {
            replies: Vec::new(),
            tags: stored(view, tags),
        },
        SendOutcome::Wait { after, error } => Tried::Wait { after, error },
        SendOutcome::Retry { error } => Tried::Retry { error },
        SendOutcome::Permanent { error } => Tried::Permanent { error },
        SendOutcome::Uncertain { error } => Tried::Uncertain { error },
        SendOutcome::AccountBroken { error } => Tried::Released { error },
    }
}

/// The tags to keep. Ones that cannot be kept are left out: the message has gone out all the same.
fn stored(view: &View, tags: Tags) -> TagPatch {
    let tags = view.stored_tags(tags);
    match tags.check() {
        Ok(()) => tags,
        Err(error) => {
            tracing::error!(%error, "the channel's tags for a sent message cannot be kept");
            TagPatch::new()
        }
    }
}

struct KeptParts<'a> {
    store: &'a dyn Store,
    id: DeliveryId,
    epoch: i64,
    sent: &'a [SentPart],
    lease: Lease,
}

#[async_trait]
impl Parts for KeptParts<'_> {
    fn sent(&self) -> &[SentPart] {
        self.sent
    }

    async fn record(&self, part: SentPart) -> Result<()> {
        let record = || self.store.record_part(self.id, self.epoch, part.clone());
        if leased::write(self.lease, record).await? {
            return Ok(());
        }
        Err(Error::Unavailable {
            reason: format!(
                "the lease of {} has passed to another try; stop this one",
                self.id
            ),
        })
    }
}
