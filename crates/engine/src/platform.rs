//! Which integration a bot means when it does not call as one.

use switchboard_model::{Error, Integration, IntegrationId, Result, Tags};

use crate::{Caller, Engine};

/// What an integration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Definition {
    /// The channel platform it serves: `telegram`.
    pub platform: &'static str,
    /// Its channels.
    pub channels: &'static [&'static str],
}

impl Engine {
    /// The integration that a caller means for a conversation of `channel`: itself; else the one
    /// named; else the one whose alias prefixes a tag; else the only one that has this channel.
    pub(crate) async fn integration_of(
        &self,
        caller: &Caller,
        name: Option<&str>,
        tags: &Tags,
        channel: &str,
    ) -> Result<IntegrationId> {
        if let Some(id) = caller.integration_id() {
            return Ok(id);
        }
        let installed = self.store().list_integrations(caller.bot).await?;
        if let Some(found) = said(&installed, name, tags)? {
            return Ok(found);
        }
        let mut fitting = installed
            .iter()
            .filter(|integration| self.has_channel(&integration.platform, channel));
        match (fitting.next(), fitting.next()) {
            (Some(only), None) => Ok(only.id),
            _ => Err(ambiguous(&installed)),
        }
    }

    /// The integration that a caller means for a user, as far as it says; none is a user of the
    /// bot's own.
    pub(crate) async fn integration_of_user(
        &self,
        caller: &Caller,
        name: Option<&str>,
        tags: &Tags,
    ) -> Result<Option<IntegrationId>> {
        if let Some(id) = caller.integration_id() {
            return Ok(Some(id));
        }
        if name.is_none() && !tags.iter().any(|(name, _)| name.contains(':')) {
            return Ok(None);
        }
        let installed = self.store().list_integrations(caller.bot).await?;
        said(&installed, name, tags)
    }

    /// The integrations that a name in a filter means; none or several of one platform.
    pub(crate) async fn integration_named(
        &self,
        caller: &Caller,
        name: &str,
    ) -> Result<Option<IntegrationId>> {
        let installed = match &caller.integration {
            Some(own) => vec![own.clone()],
            None => self.store().list_integrations(caller.bot).await?,
        };
        match named(&installed, name) {
            Named::One(id) => Ok(Some(id)),
            Named::None => Ok(None),
            Named::Several => Err(Error::InvalidQuery {
                parameter: "integrationName".to_owned(),
                expected: format!("several integrations are {name}; give an alias"),
            }),
        }
    }

    /// A platform that is not known may have any channel.
    fn has_channel(&self, platform: &str, channel: &str) -> bool {
        self.0
            .definitions
            .iter()
            .find(|definition| definition.platform == platform)
            .is_none_or(|definition| definition.channels.contains(&channel))
    }
}

enum Named {
    None,
    One(IntegrationId),
    Several,
}

/// An alias, or the platform of only one.
fn named(installed: &[Integration], name: &str) -> Named {
    if let Some(found) = installed.iter().find(|found| found.alias == name) {
        return Named::One(found.id);
    }
    let mut of_platform = installed.iter().filter(|found| found.platform == name);
    match (of_platform.next(), of_platform.next()) {
        (None, _) => Named::None,
        (Some(only), None) => Named::One(only.id),
        _ => Named::Several,
    }
}

/// What a body says about its integration, by name or by a tag's prefix.
fn said(
    installed: &[Integration],
    name: Option<&str>,
    tags: &Tags,
) -> Result<Option<IntegrationId>> {
    if let Some(name) = name {
        return match named(installed, name) {
            Named::One(id) => Ok(Some(id)),
            _ => Err(ambiguous(installed)),
        };
    }
    let mut prefixed = installed.iter().filter(|integration| {
        tags.iter().any(|(name, _)| {
            name.split_once(':')
                .is_some_and(|(prefix, _)| prefix == integration.alias)
        })
    });
    match (prefixed.next(), prefixed.next()) {
        (None, _) => Ok(None),
        (Some(only), None) => Ok(Some(only.id)),
        _ => Err(ambiguous(installed)),
    }
}

fn ambiguous(installed: &[Integration]) -> Error {
    let aliases: Vec<_> = installed
        .iter()
        .map(|integration| integration.alias.as_str())
        .collect();
    Error::invalid(
        "integrationName",
        format!(
            "expected the alias of the integration that is meant, one of: {}",
            aliases.join(", ")
        ),
    )
}

#[cfg(test)]
mod tests {
    use switchboard_model::{BotId, Timestamp, ids::Ulid};

    use super::*;

    fn installed(names: &[(&str, &str)]) -> Vec<Integration> {
        names
            .iter()
            .zip(1..)
            .map(|((alias, platform), number)| Integration {
                id: IntegrationId::new(Ulid(number)),
                bot: BotId::new(Ulid(0)),
                alias: (*alias).to_owned(),
                platform: (*platform).to_owned(),
                webhook_id: String::new(),
                active: true,
                created_at: Timestamp::default(),
                updated_at: Timestamp::default(),
            })
            .collect()
    }

    #[test]
    fn an_alias_wins_over_a_platform_and_two_of_a_platform_are_ambiguous() {
        let all = installed(&[("a", "telegram"), ("telegram", "x"), ("b", "slack")]);
        let none = Tags::new();
        assert_eq!(said(&all, Some("telegram"), &none), Ok(Some(all[1].id)));
        assert_eq!(said(&all, Some("slack"), &none), Ok(Some(all[2].id)));
        assert!(said(&all, Some("nobody"), &none).is_err());
        let twins = installed(&[("a", "telegram"), ("b", "telegram")]);
        assert!(said(&twins, Some("telegram"), &none).is_err());
    }

    #[test]
    fn a_tags_prefix_up_to_the_first_colon_names_the_alias() {
        let all = installed(&[("a", "telegram"), ("b", "telegram")]);
        let tags = |names: &[&str]| names.iter().map(|name| (*name, "1")).collect::<Tags>();
        assert_eq!(said(&all, None, &tags(&["b:x:y"])), Ok(Some(all[1].id)));
        assert_eq!(said(&all, None, &tags(&["bare", "c:id"])), Ok(None));
        assert!(said(&all, None, &tags(&["a:id", "b:id"])).is_err());
    }
}
