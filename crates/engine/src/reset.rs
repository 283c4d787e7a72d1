//! Letting a thread begin a new conversation.

use switchboard_model::{Conversation, ConversationId, Error, Integration, Kind, Result, Tags};
use switchboard_store::Place;

use crate::inbound::ID_TAG;
use crate::{Engine, View};

impl Engine {
    /// The conversation that an external thread of an integration goes on in. Without a channel, of
    /// any that the integration's platform is known to have.
    pub async fn conversation_of(
        &self,
        integration: &Integration,
        channel: Option<&str>,
        external_id: &str,
    ) -> Result<Conversation> {
        let identity = Tags::new().with(ID_TAG, external_id);
        identity
            .check()
            .map_err(|tag| Error::tag("externalId", &tag))?;
        let identity = View::integration(&integration.alias).stored_tags(identity);
        let known = self
            .0
            .definitions
            .iter()
            .filter(|known| known.platform == integration.platform)
            .flat_map(|known| known.channels.iter().copied());
        let channels: Vec<&str> = match channel {
            Some(channel) => vec![channel],
            None => known.collect(),
        };
        if channels.is_empty() {
            return Err(Error::invalid(
                "channel",
                format!(
                    "expected the channel, for {} may have any",
                    integration.alias
                ),
            ));
        }
        for channel in channels {
            let place = Place {
                bot: integration.bot,
                integration: integration.id,
                channel: channel.to_owned(),
            };
            let found = self.store().find_conversation(place, identity.clone());
            if let Some(found) = found.await? {
                return Ok(found);
            }
        }
        Err(Error::not_found(Kind::Conversation, external_id))
    }

    /// Lets a conversation's thread begin a new one with its next message.
    pub async fn reset_conversation(
        &self,
        bot: switchboard_model::BotId,
        id: ConversationId,
    ) -> Result<Conversation> {
        let reset = self
            .store()
            .reset_conversation(bot, id, self.env().now())
            .await?;
        reset.ok_or_else(|| Error::not_found(Kind::Conversation, id))
    }
}
