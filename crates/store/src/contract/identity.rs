//! Identities, against a plain model: first every command in turn, then racing ones, whose
//! outcomes some serial order must explain.

use std::sync::Arc;

use switchboard_model::testing::SeededRandom;
use switchboard_model::{ConversationId, Random as _, Tags};

use super::Factory;
use super::world::{World, all};
use crate::{
    ConversationFilter, CreateConversation, Created, GetOrCreateConversation, Occupied, Place,
    Rekey, Rekeyed, SortOrder,
};

/// A command, by what matters to identity.
#[derive(Debug, Clone)]
enum Command {
    GetOrCreate(ConversationId, Tags, Tags),
    Create(ConversationId, Tags, Option<Tags>),
    Retag(ConversationId, Tags),
    Delete(ConversationId),
    Rekey(ConversationId, Tags, Tags),
}

/// What became of it.
#[derive(Debug, Clone, PartialEq)]
enum Answer {
    Made(ConversationId, Tags),
    Found(ConversationId, Tags),
    Exists(ConversationId),
    Changed(Tags),
    Unchanged(Tags),
    Missing,
    Deleted,
}

#[derive(Debug, Clone)]
struct Known {
    id: ConversationId,
    tags: Tags,
    aliases: Vec<(String, String)>,
}

impl Known {
    fn was(&self, name: &str, value: &str) -> bool {
        self.aliases.iter().any(|(n, v)| n == name && v == value)
    }

    fn matches(&self, identity: &Tags) -> bool {
        identity
            .iter()
            .all(|(name, value)| self.tags.get(name) == Some(value) || self.was(name, value))
    }
}

/// A list, searched from its start.
#[derive(Debug, Clone, Default)]
struct Model(Vec<Known>);

impl Model {
    fn find(&mut self, identity: &Tags) -> Option<&mut Known> {
        self.0.iter_mut().find(|known| known.matches(identity))
    }

    fn get(&mut self, id: ConversationId) -> Option<&mut Known> {
        self.0.iter_mut().find(|known| known.id == id)
    }

    fn make(&mut self, id: ConversationId, tags: &Tags) -> Answer {
        let tags = tags.clone().without_empty();
        self.0.push(Known {
            id,
            tags: tags.clone(),
            aliases: Vec::new(),
        });
        Answer::Made(id, tags)
    }

    fn run(&mut self, command: &Command) -> Answer {
        match command {
            Command::GetOrCreate(id, identity, tags) => {
                let Some(known) = self.find(identity) else {
                    return self.make(*id, tags);
                };
                let others: Tags = tags
                    .iter()
                    .filter(|(name, value)| identity.get(name).is_none() && !known.was(name, value))
                    .collect();
                known.tags.apply(&others);
                Answer::Found(known.id, known.tags.clone())
            }
            Command::Create(id, tags, unless) => {
                let existing = unless.as_ref().and_then(|unless| self.find(unless));
                match existing {
                    Some(known) => Answer::Exists(known.id),
                    None => self.make(*id, tags),
                }
            }
            Command::Retag(id, patch) => match self.get(*id) {
                Some(known) => {
                    known.tags.apply(patch);
                    Answer::Changed(known.tags.clone())
                }
                None => Answer::Missing,
            },
            Command::Delete(id) => {
                let before = self.0.len();
                self.0.retain(|known| known.id != *id);
                if self.0.len() < before {
                    Answer::Deleted
                } else {
                    Answer::Missing
                }
            }
            Command::Rekey(id, tags, identity) => self.rekey(*id, tags, identity),
        }
    }

    fn rekey(&mut self, id: ConversationId, tags: &Tags, identity: &Tags) -> Answer {
        if self.get(id).is_none() {
            return Answer::Missing;
        }
        if let Some(other) = self.find(identity)
            && other.id != id
        {
            return Answer::Exists(other.id);
        }
        let Some(known) = self.get(id) else {
            return Answer::Missing;
        };
        let before = known.tags.clone();
        if !known.tags.apply(tags) {
            return Answer::Unchanged(before);
        }
        for (name, value) in before {
            if known.tags.get(&name) != Some(&value) && !known.was(&name, &value) {
                known.aliases.push((name, value));
            }
        }
        Answer::Changed(known.tags.clone())
    }

    fn contents(&self) -> Vec<(ConversationId, Tags)> {
        self.0
            .iter()
            .map(|known| (known.id, known.tags.clone()))
            .collect()
    }
}

/// Reads commands from bytes: four make one. Tags are of three names and two values, so that they
/// meet often.
fn decode(world: &World, bytes: &[u8]) -> Vec<Command> {
    let mut ids: Vec<ConversationId> = vec![world.conversation_id()];
    let mut commands = Vec::new();
    for chunk in bytes.as_chunks::<4>().0 {
        let [what, mask, values, which] = *chunk;
        let some = |mask: u8, also_unset: bool| -> Tags {
            ["a", "b", "c"]
                .into_iter()
                .enumerate()
                .filter(|(bit, _)| mask & (1 << bit) != 0)
                .map(|(bit, name)| {
                    let value = match (values >> (2 * bit)) & 3 {
                        0 | 1 => "1",
                        2 => "2",
                        _ if also_unset => "",
                        _ => "1",
                    };
                    (name, value)
                })
                .collect()
        };
        let mask = match mask & 7 {
            0 => 1,
            mask => mask,
        };
        // Part of the tags identifies.
        let identity_mask = match mask & (which >> 4) {
            0 => mask & mask.wrapping_neg(),
            part => part,
        };
        let (tags, identity) = (some(mask, false), some(identity_mask, false));
        let target = ids[usize::from(which & 15) % ids.len()];
        let fresh = world.conversation_id();
        let command = match what % 10 {
            0..=3 => Command::GetOrCreate(fresh, identity, tags),
            4 => Command::Create(fresh, tags, None),
            5 => Command::Create(fresh, tags, Some(identity)),
            6 | 7 => Command::Retag(target, some(mask, true)),
            8 => Command::Delete(target),
            _ => Command::Rekey(target, tags, identity),
        };
        ids.push(fresh);
        commands.push(command);
    }
    commands
}

async fn run(world: &World, place: &Place, command: Command) -> Answer {
    let store = &world.store;
    let (bot, now) = (world.bot, world.now());
    let place = place.clone();
    match command {
        Command::GetOrCreate(id, identity, tags) => {
            let command = GetOrCreateConversation {
                id,
                place,
                identity,
                tags,
                participants: Vec::new(),
                now,
            };
            let found = store.get_or_create_conversation(command).await.unwrap();
            let (id, tags) = (found.value.id, found.value.tags);
            if found.created {
                Answer::Made(id, tags)
            } else {
                Answer::Found(id, tags)
            }
        }
        Command::Create(id, tags, unless) => {
            let command = CreateConversation {
                id,
                place,
                tags,
                unless,
                participants: Vec::new(),
                now,
            };
            match store.create_conversation(command).await.unwrap() {
                Created::Created(made) => Answer::Made(made.id, made.tags),
                Created::Exists(id) => Answer::Exists(id),
            }
        }
        Command::Retag(id, patch) => {
            let changed = store
                .update_conversation(bot, id, patch, now)
                .await
                .unwrap();
            changed.map_or(Answer::Missing, |changed| Answer::Changed(changed.tags))
        }
        Command::Delete(id) => {
            if store.delete_conversation(bot, id, now).await.unwrap() {
                Answer::Deleted
            } else {
                Answer::Missing
            }
        }
        Command::Rekey(conversation, tags, identity) => {
            let command = Rekey {
                bot,
                conversation,
                tags,
                identity,
                occupied: Occupied::Refuse,
                now,
            };
            match store.rekey_conversation(command).await.unwrap() {
                Rekeyed::Rekeyed(changed) => Answer::Changed(changed.tags),
                Rekeyed::Unchanged(same) => Answer::Unchanged(same.tags),
                Rekeyed::Occupied(id) => Answer::Exists(id),
                Rekeyed::Missing => Answer::Missing,
                Rekeyed::Merged { .. } => panic!("merged unasked"),
            }
        }
    }
}

fn place(world: &World) -> Place {
    Place {
        channel: world.env.ulid().to_string(),
        ..world.place()
    }
}

async fn contents(world: &World, place: &Place) -> Vec<(ConversationId, Tags)> {
    let filter = ConversationFilter {
        channel: Some(place.channel.clone()),
        order: SortOrder::Ascending,
        ..ConversationFilter::default()
    };
    let list = world.store.list_conversations(world.bot, filter, all());
    let list = list.await.unwrap().items;
    list.into_iter()
        .map(|known| (known.id, known.tags))
        .collect()
}

/// Runs the commands that `bytes` stand for one after the other, at a place of their own, and
/// compares each answer and the end with the model.
pub async fn check_sequence(world: &World, bytes: &[u8]) {
    let place = place(world);
    let mut model = Model::default();
    for command in decode(world, bytes) {
        let expected = model.run(&command);
        let answer = run(world, &place, command.clone()).await;
        assert_eq!(answer, expected, "{command:?}");
    }
    assert_eq!(contents(world, &place).await, model.contents());
    // And what each single pair means.
    for name in ["a", "b", "c"] {
        for value in ["1", "2"] {
            let pair = Tags::from_iter([(name, value)]);
            let found = world.store.find_conversation(place.clone(), pair.clone());
            let found = found.await.unwrap().map(|found| found.id);
            assert_eq!(found, model.find(&pair).map(|known| known.id), "{pair:?}");
        }
    }
}

/// See [`check_sequence`].
pub async fn random_sequences_do_as_the_plain_model_does(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let random = SeededRandom::new(11);
    for _ in 0..40 {
        let mut bytes = [0; 4 * 25];
        random.fill(&mut bytes);
        check_sequence(&world, &bytes).await;
    }
}

/// Three tasks of three commands each, many times over.
pub async fn racing_sequences_end_as_some_serial_order(factory: &dyn Factory) {
    let world = Arc::new(World::new(factory).await);
    let random = SeededRandom::new(13);
    for _ in 0..100 {
        let mut bytes = [0; 4 * 12];
        random.fill(&mut bytes);
        let place = place(&world);
        let mut commands = decode(&world, &bytes);
        let mut model = Model::default();
        for command in commands.drain(..3) {
            let expected = model.run(&command);
            assert_eq!(run(&world, &place, command).await, expected);
        }
        let mut tasks = Vec::new();
        for part in commands.chunks(3) {
            let (world, place, part) = (Arc::clone(&world), place.clone(), part.to_vec());
            tasks.push(tokio::spawn(async move {
                let mut history = Vec::new();
                for command in part {
                    let answer = run(&world, &place, command.clone()).await;
                    history.push((command, answer));
                }
                history
            }));
        }
        let mut histories = Vec::new();
        for task in tasks {
            histories.push(task.await.unwrap());
        }
        let end = contents(&world, &place).await;
        let left: Vec<&[(Command, Answer)]> = histories.iter().map(Vec::as_slice).collect();
        assert!(
            explained(&model, &left, &end),
            "no serial order explains {histories:#?} and the end {end:?}, from {model:?}"
        );
    }
}

/// Whether some order of what is left gives the answers that were given, and the end.
fn explained(model: &Model, left: &[&[(Command, Answer)]], end: &[(ConversationId, Tags)]) -> bool {
    if left.iter().all(|history| history.is_empty()) {
        return model.contents() == end;
    }
    (0..left.len()).any(|task| {
        let Some(((command, answer), rest)) = left[task].split_first() else {
            return false;
        };
        let mut next = model.clone();
        let mut others = left.to_vec();
        others[task] = rest;
        next.run(command) == *answer && explained(&next, &others, end)
    })
}
