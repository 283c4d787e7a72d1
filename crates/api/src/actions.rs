//! The actions that can be called now, by whose they are. What an action does, and how long it may
//! take, is not the engine's to know: it waits for a bot or a channel.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use switchboard_engine::ActionTarget;
use switchboard_integration::{ActionCall, ActionFailure, Actions};
use switchboard_model::{BotId, Error, IntegrationId, Json, Result};

/// The longest an action may take: less than a request, so that its caller gets to read why.
const TIME_LIMIT: Duration = Duration::from_secs(50);

/// The bot's own actions, and those of the integrations that run in this process. Cheap to clone;
/// clones are one registry.
#[derive(Clone, Default)]
pub struct ActionRegistry(Arc<RwLock<Registered>>);

#[derive(Default)]
struct Registered {
    bots: Option<Arc<dyn Actions>>,
    integrations: HashMap<IntegrationId, Arc<dyn Actions>>,
}

impl ActionRegistry {
    /// Serves the bots' own actions.
    pub fn set_bots(&self, actions: Arc<dyn Actions>) {
        let mut registered = self.0.write().unwrap_or_else(PoisonError::into_inner);
        registered.bots = Some(actions);
    }

    /// Serves an integration's actions, in place of those that were there.
    pub fn insert(&self, integration: IntegrationId, actions: Arc<dyn Actions>) {
        let mut registered = self.0.write().unwrap_or_else(PoisonError::into_inner);
        registered.integrations.insert(integration, actions);
    }

    /// Serves them no more. Calls that are being answered go on.
    pub fn remove(&self, integration: IntegrationId) {
        let mut registered = self.0.write().unwrap_or_else(PoisonError::into_inner);
        registered.integrations.remove(&integration);
    }

    /// Calls an action and waits for what it has to show.
    pub(crate) async fn call(&self, bot: BotId, target: ActionTarget, input: Json) -> Result<Json> {
        self.call_within(TIME_LIMIT, bot, target, input).await
    }

    async fn call_within(
        &self,
        limit: Duration,
        bot: BotId,
        target: ActionTarget,
        input: Json,
    ) -> Result<Json> {
        let (actions, name, shown) = self.find(target)?;
        let call = ActionCall { bot, name, input };
        match tokio::time::timeout(limit, actions.call(call)).await {
            Ok(Ok(output)) => Ok(output),
            Ok(Err(ActionFailure::Unknown)) => Err(Error::invalid(
                "type",
                format!("there is no action {shown}; check its name"),
            )),
            Ok(Err(ActionFailure::Failed { message })) => Err(Error::ActionFailed { message }),
            Ok(Err(ActionFailure::TimedOut)) | Err(_) => {
                Err(Error::ActionTimedOut { action: shown })
            }
        }
    }

    /// The actions, the name of the one that is meant, and as people know it.
    fn find(&self, target: ActionTarget) -> Result<(Arc<dyn Actions>, String, String)> {
        let registered = self.0.read().unwrap_or_else(PoisonError::into_inner);
        match target {
            ActionTarget::Bot { name } => {
                let actions = registered.bots.clone().ok_or_else(|| {
                    Error::invalid(
                        "type",
                        format!(
                            "the built-in echo has no action {name}; start the server with \
                             --bot-url, or name an integration's action as alias:name"
                        ),
                    )
                })?;
                Ok((actions, name.clone(), name))
            }
            ActionTarget::Integration {
                integration,
                alias,
                name,
            } => {
                let shown = format!("{alias}:{name}");
                let actions = registered.integrations.get(&integration).cloned();
                let actions = actions.ok_or_else(|| {
                    Error::invalid(
                        "type",
                        format!("there is no action {shown}: the integration {alias} has none now"),
                    )
                })?;
                Ok((actions, name, shown))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use switchboard_model::ids::Ulid;

    use super::*;

    struct Never;

    #[async_trait]
    impl Actions for Never {
        async fn call(&self, _: ActionCall) -> Result<Json, ActionFailure> {
            std::future::pending().await
        }
    }

    #[tokio::test]
    async fn an_action_that_never_answers_is_given_up() {
        let registry = ActionRegistry::default();
        registry.set_bots(Arc::new(Never));
        let target = ActionTarget::Bot {
            name: "sleep".to_owned(),
        };
        let bot = BotId::new(Ulid(1));
        let limit = Duration::from_millis(10);
        let called = registry.call_within(limit, bot, target, Json::empty());
        let error = called.await.unwrap_err();
        assert_eq!(
            error,
            Error::ActionTimedOut {
                action: "sleep".to_owned()
            }
        );
    }
}
