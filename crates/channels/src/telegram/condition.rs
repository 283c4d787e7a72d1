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

    /// The script does not say where updates belong.
    pub(super) fn cannot_map(&self, text: String) {
        self.change(|troubles| troubles.mapping = Some(text));
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
