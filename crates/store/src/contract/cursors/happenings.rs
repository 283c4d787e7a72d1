//! What happens while lists are read: commands that bytes stand for, to a bot.

use std::collections::BTreeMap;
use std::time::Duration;

use switchboard_model::{
    ConversationId, DeliveryId, Direction, Error, EventId, IntegrationId, MessageId, Tags, UserId,
    WorkflowId, WorkflowStatus,
};

use super::Served;
use crate::contract::workflow::{becomes, new_workflow};
use crate::contract::world::{World, all, dead, delivered, json, new_integration};
use crate::{
    CreateConversation, Created, DeliveryRecordStatus, EventFilter, ImportMessages,
    ImportedMessage, Lane, MessageUpdate, NewEvent, NewUser, NewWorkflow, Occupied, Place, Rekey,
    UserUpdate, WorkflowUpdate,
};

/// The kinds of events that there are.
pub(super) const KINDS_OF_EVENTS: [&str; 3] = ["telegram:a", "custom", "message_created"];

/// None to two of four pairs, so that many have the same.
pub(super) fn some_tags(byte: u8) -> Tags {
    let value = |bit: u8| if byte & bit == 0 { "1" } else { "2" };
    match byte & 3 {
        0 => Tags::new(),
        1 => Tags::from_iter([("a", value(4))]),
        2 => Tags::from_iter([("b", value(8))]),
        _ => Tags::from_iter([("a", value(4)), ("b", value(8))]),
    }
}

/// The one that a byte stands for.
pub(super) fn pick<T: Copy>(among: &[T], byte: u8) -> Option<T> {
    let among = &among[among.len().saturating_sub(8)..];
    among.get(usize::from(byte) % among.len().max(1)).copied()
}

/// A bot with two integrations, and what was ever made of it, the first-made first.
pub(super) struct Side {
    pub(super) world: World,
    second: IntegrationId,
    pub(super) conversations: Vec<ConversationId>,
    pub(super) users: Vec<UserId>,
    pub(super) messages: Vec<MessageId>,
    pub(super) events: Vec<EventId>,
    pub(super) workflows: Vec<WorkflowId>,
    /// How often each delivery was replayed.
    pub(super) replays: BTreeMap<DeliveryId, i64>,
}

impl Side {
    /// In the store of `world`.
    pub(super) async fn new(world: &World) -> Self {
        let world = world.another_bot().await;
        let second = new_integration(&world.env, world.bot, "second", true);
        world
            .store
            .create_integration(second.clone())
            .await
            .unwrap();
        Self {
            second: second.integration.id,
            conversations: Vec::new(),
            users: vec![world.bot.into()],
            messages: Vec::new(),
            events: Vec::new(),
            workflows: Vec::new(),
            replays: BTreeMap::new(),
            world,
        }
    }

    /// The steps of [`settle`](Self::settle).
    pub(super) const SETTLING: u8 = 21;

    /// Makes something of everything, so that lists are longer than pages; at most one user joins a
    /// conversation in a step.
    pub(super) async fn settle(&mut self, step: u8, served: Served) {
        match step {
            0..3 => {
                self.make_conversation(step * 6).await;
                self.make_user(step * 6).await;
            }
            3..12 => {
                self.post(step, step.wrapping_mul(83), 0).await;
                self.make_event(step, step * 15, 0, None).await;
                if served == Served::Everything {
                    self.make_workflow(step, step).await;
                }
            }
            12..20 => self.join(step, step / 3).await,
            _ => self.deliver(0b1101, 0).await,
        }
    }

    /// Either integration, mostly the first.
    pub(super) fn integration(&self, byte: u8) -> IntegrationId {
        if byte & 0b1100 == 0b1100 {
            self.second
        } else {
            self.world.integration
        }
    }

    fn event_id(&self) -> EventId {
        EventId::new(self.world.env.ulid())
    }

    /// Takes up events that others than [`make_event`](Self::make_event) have made, by the order in
    /// which they are listed.
    pub(super) async fn meet_events(&mut self) {
        let (store, bot) = (&self.world.store, self.world.bot);
        let list = store.list_events(bot, EventFilter::default(), all());
        for event in list.await.unwrap().items.into_iter().rev() {
            if !self.events.contains(&event.id) {
                self.events.push(event.id);
            }
        }
    }

    /// The command that a step stands for.
    pub(super) async fn happen(&mut self, [what, a, b, c]: [u8; 4], served: Served) {
        let commands = match served {
            Served::Core => 24,
            Served::Everything => 36,
        };
        match (what / 2) % commands {
            0 => self.make_conversation(a).await,
            1 | 2 => self.retag_conversation(a, b).await,
            3 => self.delete_conversation(a, b).await,
            4 => self.reset(a).await,
            5 => self.make_user(a).await,
            6 | 7 => self.change_user(a, b).await,
            8 => self.delete_user(a, b).await,
            9..=11 => self.post(a, b, 0).await,
            12 => self.change_message(a, b).await,
            13 | 14 => self.delete_message(a).await,
            15 => self.make_event(a, b, 0, None).await,
            16 | 17 => self.deliver(a, b).await,
            18 => self.replay(a).await,
            19 => self.join(a, b).await,
            20 => self.leave(a, b).await,
            21 => self.sweep().await,
            22 | 23 => self.world.pass(Duration::from_millis(u64::from(a % 4))),
            24 => self.make_workflow(a, b).await,
            25 | 26 => self.change_workflow(a, b).await,
            27 => self.delete_workflow(a).await,
            28 => {
                let workflow = pick(&self.workflows, c);
                self.make_event(a, b, 0, workflow).await;
            }
            29 | 30 => self.import(a, b, c).await,
            31 | 32 => self.merge(a, b).await,
            33 => self.post(a, b, 1 + c % 4).await,
            34 => self.make_event(a, b, 1 + c % 4, None).await,
            _ => self.cancel(a).await,
        }
    }

    async fn make_conversation(&mut self, byte: u8) {
        let id = self.world.conversation_id();
        let mut tags = some_tags(byte);
        tags.insert("key", id.to_string());
        let place = Place {
            integration: self.integration(byte),
            channel: format!("channel{}", u8::from(byte & 3 == 3)),
            ..self.world.place()
        };
        // Someone who is there.
        let (store, bot) = (&self.world.store, self.world.bot);
        let mut participants = Vec::new();
        if let Some(user) = pick(&self.users, byte)
            && store.get_user(bot, user).await.unwrap().is_some()
        {
            participants.push(user);
        }
        let command = CreateConversation {
            id,
            place,
            tags,
            unless: None,
            participants,
            now: self.world.now(),
        };
        let made = self.world.store.create_conversation(command).await.unwrap();
        assert!(matches!(made, Created::Created(_)));
        self.conversations.push(id);
    }

    async fn retag_conversation(&self, which: u8, byte: u8) {
        let Some(id) = pick(&self.conversations, which) else {
            return;
        };
        let (bot, now) = (self.world.bot, self.world.now());
        let patch = some_tags(byte);
        let changed = self.world.store.update_conversation(bot, id, patch, now);
        changed.await.unwrap();
    }

    async fn delete_conversation(&self, which: u8, sure: u8) {
        let Some(id) = pick(&self.conversations, which) else {
            return;
        };
        // Seldom, for much goes with it.
        if sure.is_multiple_of(4) {
            let (bot, now) = (self.world.bot, self.world.now());
            let deleted = self.world.store.delete_conversation(bot, id, now);
            deleted.await.unwrap();
        }
    }

    async fn reset(&self, which: u8) {
        if let Some(id) = pick(&self.conversations, which) {
            let (bot, now) = (self.world.bot, self.world.now());
            let reset = self.world.store.reset_conversation(bot, id, now);
            reset.await.unwrap();
        }
    }

    async fn make_user(&mut self, byte: u8) {
        let integration = (byte & 1 == 0).then(|| self.integration(byte));
        let user = NewUser {
            id: UserId::new(self.world.env.ulid()),
            bot: self.world.bot,
            integration,
            tags: some_tags(byte),
            name: None,
            picture_url: None,
            now: self.world.now(),
        };
        let made = self.world.store.create_user(user).await.unwrap();
        self.users.push(made.id);
    }

    async fn change_user(&self, which: u8, byte: u8) {
        let Some(id) = pick(&self.users, which) else {
            return;
        };
        let update = UserUpdate {
            tags: some_tags(byte),
            name: Some(Some(byte.to_string())),
            picture_url: None,
        };
        let (bot, now) = (self.world.bot, self.world.now());
        let changed = self.world.store.update_user(bot, id, update, now);
        changed.await.unwrap();
    }

    async fn delete_user(&self, which: u8, sure: u8) {
        let Some(id) = pick(&self.users, which) else {
            return;
        };
        if sure.is_multiple_of(2) && id != self.world.bot.into() {
            let (bot, now) = (self.world.bot, self.world.now());
            let deleted = self.world.store.delete_user(bot, id, now);
            deleted.await.unwrap();
        }
    }

    /// Says something, at once or after so many milliseconds, where someone and the place are there.
    async fn post(&mut self, a: u8, b: u8, after: u8) {
        let Some((conversation, user)) = pick(&self.conversations, a).zip(pick(&self.users, b))
        else {
            return;
        };
        let world = &self.world;
        let mut command = world.outgoing(conversation, "x");
        if b & 32 != 0 {
            command = world.said(conversation, user, Direction::Incoming, "x");
        }
        command.message.tags = some_tags(b / 16);
        command.due = Some(world.now().plus(Duration::from_millis(after.into())));
        if after == 0 {
            command.due = None;
        }
        let id = command.message.id;
        match world.store.post_message(command).await {
            Ok(_) => self.messages.push(id),
            Err(Error::ReferenceNotFound { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }

    async fn change_message(&self, which: u8, byte: u8) {
        let Some(id) = pick(&self.messages, which) else {
            return;
        };
        let update = MessageUpdate {
            tags: some_tags(byte),
            ..MessageUpdate::default()
        };
        let (bot, now) = (self.world.bot, self.world.now());
        let changed = self.world.store.update_message(bot, id, update, now);
        changed.await.unwrap();
    }

    async fn delete_message(&self, which: u8) {
        if let Some(id) = pick(&self.messages, which) {
            let (bot, now) = (self.world.bot, self.world.now());
            let deleted = self.world.store.delete_message(bot, id, None, now);
            deleted.await.unwrap();
        }
    }

    async fn make_event(&mut self, a: u8, b: u8, after: u8, workflow: Option<WorkflowId>) {
        self.meet_events().await;
        let now = self.world.now();
        let event = NewEvent {
            id: self.event_id(),
            delivery: DeliveryId::new(self.world.env.ulid()),
            bot: self.world.bot,
            kind: KINDS_OF_EVENTS[usize::from(a & 1)].to_owned(),
            payload: json("{}"),
            conversation: if a & 2 == 0 {
                pick(&self.conversations, b)
            } else {
                None
            },
            user: if a & 4 == 0 {
                pick(&self.users, b / 2)
            } else {
                None
            },
            message: if a & 0b1_1000 == 0 {
                pick(&self.messages, b / 4)
            } else {
                None
            },
            workflow,
            due: (after > 0).then(|| now.plus(Duration::from_millis(after.into()))),
            now,
        };
        let id = event.id;
        match self.world.store.create_event(event).await {
            Ok(_) => self.events.push(id),
            Err(Error::ReferenceNotFound { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }

    async fn cancel(&self, which: u8) {
        if let Some(id) = pick(&self.events, which) {
            let canceled = self.world.store.cancel_event(self.world.bot, id);
            canceled.await.unwrap();
        }
    }

    /// Claims heads of lines; some of them fail, and some stay under way.
    async fn deliver(&self, a: u8, b: u8) {
        let lane = if b & 1 == 0 {
            Lane::Bots
        } else {
            Lane::Channel(self.integration(b))
        };
        for (index, claimed) in self.world.claim(lane).await.deliveries.iter().enumerate() {
            let outcome = match a.rotate_left(u32::try_from(index % 8).unwrap()) & 3 {
                0 if claimed.bot == self.world.bot => continue,
                1 => dead("refused"),
                _ => delivered(),
            };
            assert!(self.world.finish(claimed, outcome).await);
        }
    }

    async fn replay(&mut self, which: u8) {
        let (store, bot) = (&self.world.store, self.world.bot);
        let given_up = Some(DeliveryRecordStatus::Dead);
        let list = store.list_deliveries(bot, given_up, None, all()).await;
        let ids: Vec<DeliveryId> = list.unwrap().items.iter().map(|found| found.id).collect();
        if let Some(id) = pick(&ids, which) {
            if which & 0xC0 == 0xC0 {
                let dismissed = store.dismiss_delivery(bot, id).await;
                dismissed.unwrap().unwrap();
                return;
            }
            let replayed = store.replay_delivery(bot, id, self.world.now());
            replayed.await.unwrap().unwrap();
            *self.replays.entry(id).or_default() += 1;
        }
    }

    async fn join(&self, a: u8, b: u8) {
        let Some((conversation, user)) = pick(&self.conversations, a).zip(pick(&self.users, b))
        else {
            return;
        };
        let (store, bot) = (&self.world.store, self.world.bot);
        match store.add_participant(bot, conversation, user).await {
            Ok(_) | Err(Error::ReferenceNotFound { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }

    async fn leave(&self, a: u8, b: u8) {
        let (store, bot) = (&self.world.store, self.world.bot);
        if let Some((conversation, user)) = pick(&self.conversations, a).zip(pick(&self.users, b)) {
            let left = store.remove_participant(bot, conversation, user);
            left.await.unwrap();
        }
    }

    async fn sweep(&self) {
        self.world.store.sweep(self.world.now()).await.unwrap();
    }

    async fn make_workflow(&mut self, a: u8, b: u8) {
        let workflow = NewWorkflow {
            status: if a & 1 == 0 {
                WorkflowStatus::Pending
            } else {
                WorkflowStatus::Listening
            },
            tags: some_tags(b),
            conversation: if a & 2 == 0 {
                pick(&self.conversations, b)
            } else {
                None
            },
            user: if a & 4 == 0 {
                pick(&self.users, b)
            } else {
                None
            },
            parent: if a & 8 == 0 {
                None
            } else {
                pick(&self.workflows, b)
            },
            ..new_workflow(&self.world, &format!("w{}", b & 1))
        };
        let id = workflow.id;
        match self.world.store.create_workflow(workflow).await {
            Ok(_) => self.workflows.push(id),
            Err(Error::ReferenceNotFound { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }

    async fn change_workflow(&self, which: u8, byte: u8) {
        let Some(id) = pick(&self.workflows, which) else {
            return;
        };
        let update = if byte & 1 == 0 {
            WorkflowUpdate {
                tags: some_tags(byte / 2),
                ..WorkflowUpdate::default()
            }
        } else {
            becomes(
                [WorkflowStatus::Listening, WorkflowStatus::Cancelled][usize::from(byte / 2 % 2)],
            )
        };
        let (bot, now) = (self.world.bot, self.world.now());
        match self.world.store.update_workflow(bot, id, update, now).await {
            Ok(_) | Err(Error::InvalidPayload { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }

    async fn delete_workflow(&self, which: u8) {
        if let Some(id) = pick(&self.workflows, which) {
            let (bot, now) = (self.world.bot, self.world.now());
            let deleted = self.world.store.delete_workflow(bot, id, now);
            deleted.await.unwrap();
        }
    }

    /// One to four messages of some time ago, in any order.
    async fn import(&mut self, a: u8, b: u8, c: u8) {
        let Some((conversation, user)) = pick(&self.conversations, a).zip(pick(&self.users, b))
        else {
            return;
        };
        let world = &self.world;
        let mut messages = Vec::new();
        for number in 0..=c % 4 {
            let ago = Duration::from_millis(u64::from(c.rotate_left(number.into()) % 16));
            let mut message = world
                .said(conversation, user, Direction::Incoming, "then")
                .message;
            message.tags = some_tags(b / 16);
            let now = world.now().as_millis();
            let ago = i64::try_from(ago.as_millis()).unwrap();
            messages.push(ImportedMessage {
                message,
                identity: Tags::new(),
                said_at: switchboard_model::Timestamp::from_millis(now - ago),
            });
        }
        let command = ImportMessages {
            bot: world.bot,
            messages,
            now: world.now(),
        };
        match world.store.import_messages(command).await {
            Ok(found) => self
                .messages
                .extend(found.iter().map(|found| found.value.id)),
            Err(Error::ReferenceNotFound { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }

    /// Two conversations become one, if they have the same place.
    async fn merge(&self, a: u8, b: u8) {
        let (store, bot) = (&self.world.store, self.world.bot);
        let Some((one, other)) = pick(&self.conversations, a).zip(pick(&self.conversations, b))
        else {
            return;
        };
        let Some(other) = store.get_conversation(bot, other).await.unwrap() else {
            return;
        };
        let key = other.tags.get("key").unwrap_or_default();
        let tags = Tags::from_iter([("key", key)]);
        let command = Rekey {
            bot,
            conversation: one,
            identity: tags.clone(),
            tags,
            occupied: Occupied::Merge,
            now: self.world.now(),
        };
        match store.rekey_conversation(command).await {
            Ok(_) | Err(Error::Busy) => {}
            Err(error) => panic!("{error}"),
        }
    }
}
