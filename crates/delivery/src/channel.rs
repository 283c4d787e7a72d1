//! Messages on their way to a channel account.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use switchboard_engine::{Condition, Engine, View};
use switchboard_integration::{Deletion, Lease, Outbound, Outgoing, Parts, Room, SendOutcome};
use switchboard_model::{
    Conversation, DeliveryId, Error, IntegrationId, Result, TagPatch, Tags, Timestamp,
};
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
    pause: Mutex<Pause>,
}

/// The last time the account was found not to work.
#[derive(Default)]
struct Pause {
    until: Timestamp,
    told: Option<Condition>,
}

#[async_trait]
impl Carrier for ToChannel {
    async fn carry(&self, delivery: &ClaimedDelivery, lease: Lease) -> Tried {
        let Some((view, task)) = Task::of(delivery) else {
            return Tried::Permanent {
                error: "an event is in a channel's line; report this as a bug".to_owned(),
            };
        };
        if self.gate.is_closed() {
            return Tried::Released {
                error: "the channel account does not work".to_owned(),
            };
        }
        let parts = KeptParts {
            store: &**self.engine.store(),
            id: delivery.id,
            epoch: delivery.epoch,
            sent: &delivery.progress,
            lease,
        };
        let mut sending = task.begin(&*self.channel, &parts, lease);
        let early = tokio::time::timeout(REFUSAL_TIME, &mut sending).await;
        let outcome = if let Ok(outcome) = early {
            outcome
        } else {
            self.gate.seems_to_work();
            sending.await
        };
        self.learn(&outcome);
        if matches!(task, Task::Send(_)) && outcome == SendOutcome::Unable {
            return Tried::Permanent {
                error: "the channel cannot send".to_owned(),
            };
        }
        tried(&view, outcome)
    }

    fn may_take_what_is_broken_off(&self, delivery: &ClaimedDelivery) -> bool {
        // To delete a message once more does no harm.
        !matches!(delivery.subject, Subject::Delete(_))
    }

    fn admission(&self) -> Admission {
        self.gate.admission()
    }

    fn room(&self) -> Room {
        self.channel.room()
    }

    fn tries_count_from(&self) -> Timestamp {
        self.pause().until
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
            pause: Mutex::default(),
        }
    }

    /// Takes from an outcome what it tells of the account.
    fn learn(&self, outcome: &SendOutcome) {
        match outcome {
            SendOutcome::AccountBroken { error } => {
                let Some(pause) = self.gate.breaks() else {
                    return;
                };
                if self.tell_trouble(error, pause) {
                    tracing::warn!(integration = %self.integration, error, "the channel account does not work; its messages wait");
                }
            }
            SendOutcome::Done(_) | SendOutcome::Wait { .. } | SendOutcome::Permanent { .. } => {
                if self.gate.works() {
                    self.take_back_trouble();
                    tracing::info!(integration = %self.integration, "the channel account works again");
                }
            }
            SendOutcome::Held { .. }
            | SendOutcome::Retry { .. }
            | SendOutcome::Uncertain { .. }
            | SendOutcome::Unknown { .. }
            | SendOutcome::Unable => {}
        }
    }

    /// Tells that the account does not work, if nobody tells what is wrong with it already.
    fn tell_trouble(&self, error: &str, pause: Duration) -> bool {
        let trouble = Condition::Troubled(error.to_owned());
        let mut last = self.pause();
        last.until = self.engine.env().now().plus(pause);
        let before = last.told.replace(trouble.clone());
        let health = self.engine.health();
        health.set_where(self.integration, trouble, |known| {
            matches!(known, None | Some(Condition::Well)) || known == before.as_ref()
        })
    }

    /// Only what was told here: whatever else is wrong with the account is the channel's to tell.
    fn take_back_trouble(&self) {
        let told = self.pause().told.take();
        let health = self.engine.health();
        health.set_where(self.integration, Condition::Well, |known| {
            known.is_some() && known == told.as_ref()
        });
    }

    fn pause(&self) -> MutexGuard<'_, Pause> {
        self.pause.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is to be done, as the integration sees it.
enum Task {
    Send(Outgoing),
    Edit(Outgoing),
    Delete(Deletion),
}

impl Task {
    /// What a delivery asks for; none where that is nothing for a channel.
    fn of(delivery: &ClaimedDelivery) -> Option<(View, Self)> {
        let view = |conversation: &Conversation| View::integration(&conversation.alias);
        let outgoing = |outgoing: &OutgoingMessage| {
            let view = view(&outgoing.conversation);
            let outgoing = outgoing.clone();
            let shown = Outgoing {
                message: view.message(outgoing.message),
                user: view.user(outgoing.user),
                conversation: view.conversation(outgoing.conversation),
                attempt: delivery.attempt,
                again: delivery.again,
            };
            (view, shown)
        };
        Some(match &delivery.subject {
            Subject::Message(message) => {
                let (view, message) = outgoing(message);
                (view, Self::Send(message))
            }
            Subject::Edit(message) => {
                let (view, message) = outgoing(message);
                (view, Self::Edit(message))
            }
            Subject::Delete(deletion) => {
                let view = view(&deletion.conversation);
                let deletion = Deletion {
                    message: deletion.message,
                    conversation: view.conversation(deletion.conversation.clone()),
                    attempt: delivery.attempt,
                };
                (view, Self::Delete(deletion))
            }
            Subject::Event(_) | Subject::Gone => return None,
        })
    }

    /// A try of it.
    fn begin<'a>(
        &'a self,
        channel: &'a dyn Outbound,
        parts: &'a dyn Parts,
        lease: Lease,
    ) -> BoxFuture<'a, SendOutcome> {
        match self {
            Self::Send(message) => channel.send(message, parts, lease),
            Self::Edit(message) => channel.edit(message, parts, lease),
            Self::Delete(deletion) => channel.delete(deletion, parts, lease),
        }
    }
}

fn tried(view: &View, outcome: SendOutcome) -> Tried {
    match outcome {
        SendOutcome::Done(tags) => Tried::Done {
            replies: Vec::new(),
            tags: stored(view, tags),
            change: None,
        },
        SendOutcome::Wait { after, error } | SendOutcome::Held { after, error } => {
            Tried::Wait { after, error }
        }
        SendOutcome::Retry { error } => Tried::Retry { error },
        SendOutcome::Permanent { error } => Tried::Permanent { error },
        SendOutcome::Uncertain { error } => Tried::Uncertain { error },
        SendOutcome::Unknown { error } => Tried::Unknown { error },
        SendOutcome::Unable => Tried::Unable,
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
