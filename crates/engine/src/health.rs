//! How the channels are, for `/healthz` and for people. Kept in memory: it is found out anew after
//! a restart.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use switchboard_model::IntegrationId;

/// How one channel account is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// It works.
    Well,
    /// It does not, and a person should look: what is wrong and what to do.
    Troubled(String),
}

/// How the channel accounts are. Cheap to clone; clones share one record.
#[derive(Clone, Default)]
pub struct Health(Arc<Mutex<BTreeMap<IntegrationId, Condition>>>);

impl Health {
    /// Notes how an account is. Tells whether that is news, so that it is logged once; that an
    /// account works from the start is none.
    pub fn set(&self, integration: IntegrationId, condition: Condition) -> bool {
        self.set_where(integration, condition, |_| true)
    }

    /// As `set`, if what is known of the account fits: who sees a part only does not overrule what
    /// somebody else has found out.
    pub fn set_where(
        &self,
        integration: IntegrationId,
        condition: Condition,
        fits: impl FnOnce(Option<&Condition>) -> bool,
    ) -> bool {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !fits(map.get(&integration)) {
            return false;
        }
        let news = match map.get(&integration) {
            Some(known) => *known != condition,
            None => condition != Condition::Well,
        };
        map.insert(integration, condition);
        news
    }

    /// Forgets an account.
    pub fn clear(&self, integration: IntegrationId) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&integration);
    }

    /// All accounts that were heard of.
    pub fn all(&self) -> Vec<(IntegrationId, Condition)> {
        let map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        map.iter()
            .map(|(id, condition)| (*id, condition.clone()))
            .collect()
    }
}
