//! What there is at a moment, by reading each object by its id.

use std::collections::BTreeMap;

use switchboard_model::{
    Conversation, ConversationId, DeliveryId, Event, EventId, Message, MessageId, User, UserId,
    Workflow, WorkflowId,
};

use super::happenings::Side;
use crate::DeliveryRecord;
use crate::contract::world::all;

/// Each with the number of its making.
#[derive(Default)]
pub(super) struct Truth {
    /// By the id it is known by; one that was merged leads to the one that stays.
    pub(super) conversations: BTreeMap<ConversationId, (i64, Conversation)>,
    pub(super) users: BTreeMap<UserId, (i64, User)>,
    pub(super) messages: BTreeMap<MessageId, (i64, Message)>,
    pub(super) events: BTreeMap<EventId, (i64, Event)>,
    pub(super) workflows: BTreeMap<WorkflowId, (i64, Workflow)>,
    /// Who takes part, with the number of the joining.
    pub(super) participants: BTreeMap<(ConversationId, UserId), i64>,
    /// With their numbers in the list of all, and how often they were replayed.
    pub(super) deliveries: BTreeMap<DeliveryId, (i64, i64, DeliveryRecord)>,
    joined: i64,
}

fn number(index: usize) -> i64 {
    i64::try_from(index).unwrap()
}

impl Truth {
    /// Reads it. `before` is what there was before the last command.
    pub(super) async fn read(side: &mut Side, before: &Self) -> Self {
        let (store, bot) = (&side.world.store, side.world.bot);
        let mut truth = Self {
            joined: before.joined,
            ..Self::default()
        };
        for (index, id) in side.conversations.iter().enumerate() {
            if let Some(found) = store.get_conversation(bot, *id).await.unwrap() {
                truth.conversations.insert(*id, (number(index), found));
            }
        }
        for (index, id) in side.users.iter().enumerate() {
            if let Some(found) = store.get_user(bot, *id).await.unwrap() {
                truth.users.insert(*id, (number(index), found));
            }
        }
        for (index, id) in side.messages.iter().enumerate() {
            if let Some(found) = store.get_message(bot, *id).await.unwrap() {
                truth.messages.insert(*id, (number(index), found));
            }
        }
        for (index, id) in side.workflows.iter().enumerate() {
            if let Some(found) = store.get_workflow(bot, *id).await.unwrap() {
                truth.workflows.insert(*id, (number(index), found));
            }
        }
        side.meet_events().await;
        let store = &side.world.store;
        for (index, id) in side.events.iter().enumerate() {
            if let Some(found) = store.get_event(bot, *id).await.unwrap() {
                truth.events.insert(*id, (number(index), found));
            }
        }
        truth.participants(side, before).await;
        let list = store.list_deliveries(bot, None, None, all()).await.unwrap();
        for (index, record) in list.items.into_iter().rev().enumerate() {
            let replays = side.replays.get(&record.id).copied().unwrap_or_default();
            let known = (number(index), replays, record);
            truth.deliveries.insert(known.2.id, known);
        }
        truth
    }

    async fn participants(&mut self, side: &Side, before: &Self) {
        let (store, bot) = (&side.world.store, side.world.bot);
        let mut new = Vec::new();
        for (id, (_, conversation)) in &self.conversations {
            if conversation.id != *id {
                continue;
            }
            for (user, (index, _)) in &self.users {
                let found = store.get_participant(bot, *id, *user).await.unwrap();
                let key = (*id, *user);
                if found.is_none() {
                    continue;
                }
                if let Some(joined) = before.participants.get(&key) {
                    self.participants.insert(key, *joined);
                    continue;
                }
                // Those of a merged one join in the order in which they joined that.
                let merged = before.participants.iter().find(|((from, who), _)| {
                    *who == *user && *from != *id && self.meant(*from) == Some(*id)
                });
                new.push((merged.map(|(_, joined)| *joined), *index, key));
            }
        }
        new.sort_unstable();
        for (_, _, key) in new {
            self.joined += 1;
            self.participants.insert(key, self.joined);
        }
    }

    /// The conversation that an id leads to.
    pub(super) fn meant(&self, id: ConversationId) -> Option<ConversationId> {
        self.conversations.get(&id).map(|(_, found)| found.id)
    }

    /// Whether a user takes part in a conversation.
    pub(super) fn takes_part(&self, conversation: ConversationId, user: UserId) -> bool {
        let meant = self.meant(conversation);
        meant.is_some_and(|meant| self.participants.contains_key(&(meant, user)))
    }
}
