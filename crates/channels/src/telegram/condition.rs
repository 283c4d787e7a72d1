//! How the account is, told to `/healthz` and, once for each change, to the log.

use std::sync::{Mutex, PoisonError};

use switchboard_engine::{Condition, Health};
use switchboard_model::{Integration, IntegrationId};

/// Puts together what receiving and sending find out.
pub(super) struct Reporter {
    health: Health,
    integration: IntegrationId,
    troubles: Mutex<Troubles>,
}

#[derive(Default)]
struct Troubles {
    receiving: Option<String>,
    sending: Option<String>,
    mapping: Option<String>,
}

impl Reporter {
    pub(super) fn new(health: Health, integration: &Integration) -> Self {
        Self {
            health,
            integration: integration.id,
            troubles: Mutex::default(),
        }
    }

    /// Updates do not come in, and a person should look.
    pub(super) fn cannot_receive(&self, text: String) {
        self.change(|troubles| troubles.receiving = Some(text));
    }

    /// Messages do not go out, and a person should look.
    pub(super) fn cannot_send(&self, text: String) {
        self.change(|troubles| troubles.sending = Some(text));
    }

    /// Telegram takes the token, and updates come in.
    pub(super) fn receives(&self) {
        self.change(|troubles| {
            troubles.receiving = None;
            troubles.sending = None;
        });
    }

    /// The script does not say where updates belong. Its reason may repeat what people said, and
    /// anyone may read this: the reason is in the kept event alone.
    pub(super) fn cannot_map(&self, alias: &str) {
        self.change(|troubles| {
            troubles.mapping = Some(format!(
                "its script fails; `switchboard integrations unmapped {alias}` says why"
            ));
        });
    }

    /// The script has said where an update belongs.
    pub(super) fn maps(&self) {
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        if troubles.mapping.take().is_some() {
            self.tell(&troubles);
        }
    }

    /// A message was taken.
    pub(super) fn sends(&self) {
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        // Nothing is told before it is known how receiving is.
        if troubles.sending.take().is_some() {
            self.tell(&troubles);
        }
    }

    fn change(&self, change: impl FnOnce(&mut Troubles)) {
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut troubles);
        self.tell(&troubles);
    }

    fn tell(&self, troubles: &Troubles) {
        let trouble = troubles
            .receiving
            .as_ref()
            .or(troubles.sending.as_ref())
            .or(troubles.mapping.as_ref());
        let condition = trouble.map_or(Condition::Well, |text| Condition::Troubled(text.clone()));
        if self.health.set(self.integration, condition) {
            let integration = self.integration;
            if let Some(text) = trouble {
                tracing::warn!(%integration, "telegram: {text}");
            } else {
                tracing::info!(%integration, "telegram: connected");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use switchboard_script::{Limits, Script};

    use super::super::fixture::{Api, Bench};
    use super::super::inbound;
    use super::*;

    #[tokio::test]
    async fn what_people_say_to_a_script_that_fails_is_in_the_kept_event_alone() {
        let (bench, api) = (Bench::new().await, Api::start().await);
        let source = "const integration = { conversations: { getOrCreateConversation(ctx) { \
                      throw new Error('cannot place ' + ctx.update.message.text) } } }";
        let script = Script::load(source, Limits::default()).await.unwrap();
        let account = bench.scripted(&api.url, Some(script));
        let raw = json!({ "update_id": 1, "message": {
            "message_id": 1, "date": 1, "text": "my secret",
            "chat": { "id": 7, "type": "private", "first_name": "A" },
            "from": { "id": 7, "is_bot": false, "first_name": "A" },
        }})
        .to_string();
        let update = inbound::read("telegram", &account.links, &raw);
        let kept = account.mapped(&raw, &update).await.unwrap();
        assert!(format!("{kept:?}").contains("cannot place my secret"));
        let Some(Condition::Troubled(text)) = bench.condition() else {
            panic!("no trouble")
        };
        assert_eq!(
            text,
            "its script fails; `switchboard integrations unmapped telegram` says why"
        );
    }
}
