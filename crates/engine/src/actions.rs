//! Which action a caller means. Calling it is not this room's: that waits for bots and channels.

use switchboard_model::{Error, IntegrationId, Result};

use crate::{Caller, Engine, check};

/// Whose action it is, and its name there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActionTarget {
    /// The bot's own.
    Bot {
        /// Its name.
        name: String,
    },
    /// An integration's.
    Integration {
        /// The integration.
        integration: IntegrationId,
        /// Its alias.
        alias: String,
        /// The action's name.
        name: String,
    },
}

impl Engine {
    /// The action of a name: from a bot `alias:name` is an integration's, and a bare name its own;
    /// from an integration it is the integration's own. The integration must be active.
    pub async fn find_action(&self, caller: &Caller, kind: &str) -> Result<ActionTarget> {
        check::name("type", kind)?;
        let wrong = |expected: String| Error::invalid("type", expected);
        let (integration, name) = match (&caller.integration, kind.split_once(':')) {
            (Some(own), _) => (own.clone(), kind),
            (None, None) => {
                return Ok(ActionTarget::Bot {
                    name: kind.to_owned(),
                });
            }
            (None, Some((alias, name))) => {
                let installed = self.store().list_integrations(caller.bot).await?;
                let aliases: Vec<_> = installed.iter().map(|found| found.alias.clone()).collect();
                let found = installed.into_iter().find(|found| found.alias == alias);
                let found = found.ok_or_else(|| {
                    wrong(format!(
                        "no integration of this bot has the alias {alias}; expected an action of \
                         one of: {}",
                        aliases.join(", ")
                    ))
                })?;
                (found, name)
            }
        };
        if !integration.active {
            return Err(wrong(format!(
                "the integration {} is not active; plug it in first",
                integration.alias
            )));
        }
        Ok(ActionTarget::Integration {
            integration: integration.id,
            alias: integration.alias,
            name: name.to_owned(),
        })
    }
}
