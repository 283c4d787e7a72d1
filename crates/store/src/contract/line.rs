//! Lines of the outbox: crowds in them, what comes behind a head that is tried, and sequences of all
//! that happens to them, against a plain model.

use std::time::Duration;

use switchboard_model::testing::SeededRandom;
use switchboard_model::{ConversationId, DeliveryId, Error, EventPayload, Random as _};

use super::Factory;
use super::cursors::Served;
use super::delivery::{payload, text_of};
use super::world::{World, dead, delivered};
use crate::{Claim, Claimed, ClaimedDelivery, Lane, LostSends, Outcome, Rekeyed, Subject};

fn retry(after: Duration) -> Outcome {
    Outcome::Retry {
        after,
        error: "503".to_owned(),
        uncertain: false,
        counts: true,
    }
}

async fn claim(world: &World, limit: usize) -> Claimed {
    let claim = Claim {
        limit,
        ..world.a_claim(world.channel())
    };
    world.store.claim(claim).await.unwrap()
}

/// Claims one at a time until a claim is told that nothing is due.
async fn drain(world: &World) -> Vec<String> {
    let mut texts = Vec::new();
    loop {
        let claimed = claim(world, 1).await;
        for one in &claimed.deliveries {
            texts.push(text_of(one));
            assert!(world.finish(one, delivered()).await);
        }
        if claimed.next_due.is_none_or(|due| due > world.now()) {
            let rest = world.claim(world.channel()).await.deliveries;
            if rest.is_empty() {
                return texts;
            }
            assert!(!claimed.deliveries.is_empty(), "told that nothing was due");
            for one in &rest {
                texts.push(text_of(one));
                assert!(world.finish(one, delivered()).await);
            }
        }
    }
}

fn payloads<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(payload).to_vec()
}

/// Thousands of one line come before another: it is told at once that there is more, a few times, and
/// the crowd keeps its order.
pub async fn a_crowd_of_one_line_holds_up_no_other(factory: &dyn Factory) {
    const CROWD: u64 = 2_000;
    let world = World::new(factory).await;
    let numbers: Vec<u64> = (0..CROWD).collect();
    for part in numbers.chunks(250) {
        let updates = part.iter().map(|number| {
            let text = number.to_string();
            world.update("crowded", "7", &text, Some(*number))
        });
        world.ingest(updates.collect()).await;
    }
    world
        .ingest(vec![world.update("other", "8", "other", Some(CROWD))])
        .await;
    let crowded = world.thread("crowded").await.id;
    let other = world.thread("other").await.id;
    assert!(world.store.is_busy(world.bot, other).await.unwrap());
    let claim = async || {
        let claim = Claim {
            limit: 2,
            ..world.a_claim(Lane::Bots)
        };
        world.store.claim(claim).await.unwrap()
    };
    let said = |claimed: &ClaimedDelivery| match &claimed.subject {
        Subject::Event(event) => event.conversation.unwrap(),
        other => panic!("an event, not {other:?}"),
    };
    let mut taken: Vec<ClaimedDelivery> = Vec::new();
    for _ in 0..20 {
        let claimed = claim().await;
        taken.extend(claimed.deliveries);
        if taken.len() == 2 {
            break;
        }
        assert!(
            claimed.next_due.is_some_and(|due| due <= world.now()),
            "more is there"
        );
    }
    let claimed: Vec<_> = taken.iter().map(said).collect();
    assert_eq!(claimed, [crowded, other]);
    assert!(claim().await.deliveries.is_empty());
    assert!(world.finish(&taken[1], delivered()).await);
    assert!(!world.store.is_busy(world.bot, other).await.unwrap());
    let mut head = taken.swap_remove(0);
    for number in 0..20 {
        let Subject::Event(event) = &head.subject else {
            panic!("an event");
        };
        let EventPayload::MessageCreated(created) = &event.payload else {
            panic!("a message, not {event:?}");
        };
        assert_eq!(created.0.payload.as_str(), payload(&number.to_string()));
        assert!(world.finish(&head, delivered()).await);
        head = world.claim_one(Lane::Bots).await;
    }
}

/// Whatever becomes of the head, what came meanwhile comes behind it and in its order.
pub async fn what_comes_meanwhile_comes_behind(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let conversation = world.thread("1").await.id;
    let post = async |text| world.post(world.outgoing(conversation, text)).await;
    post("a").await;
    let a = world.claim_one(world.channel()).await;
    post("b").await;
    let none = claim(&world, 1).await;
    assert!(none.deliveries.is_empty());
    // Nothing is left to look at; only the lease ends.
    assert_eq!(
        none.next_due,
        Some(world.now().plus(Duration::from_mins(1)))
    );
    let wait = Duration::from_secs(10);
    assert!(world.finish(&a, retry(wait)).await);
    post("c").await;
    let none = claim(&world, 1).await;
    assert!(none.deliveries.is_empty());
    assert_eq!(none.next_due, Some(world.now().plus(wait)));
    world.pass(wait);
    post("d").await;
    assert_eq!(drain(&world).await, payloads(["a", "b", "c", "d"]));

    // A replay comes to the end, and what comes after it behind that.
    post("e").await;
    let e = world.claim_one(world.channel()).await;
    post("f").await;
    assert!(world.finish(&e, dead("no")).await);
    post("g").await;
    let replay = world
        .store
        .replay_delivery(world.bot, e.id, world.now())
        .await;
    assert!(replay.unwrap().is_some());
    post("h").await;
    assert_eq!(drain(&world).await, payloads(["f", "g", "e", "h"]));

    // One that was lost makes way for what nobody has looked at.
    post("i").await;
    world.claim_one(world.channel()).await;
    post("j").await;
    let release = world
        .store
        .release_in_flight(world.now(), LostSends::Uncertain);
    assert_eq!(release.await.unwrap(), 1);
    post("k").await;
    assert_eq!(drain(&world).await, payloads(["j", "k"]));
    assert!(!world.store.is_busy(world.bot, conversation).await.unwrap());
    post("l").await;
    assert!(world.store.is_busy(world.bot, conversation).await.unwrap());
}

/// One delivery of the model. Its number is its place: a replay has a new one.
#[derive(Debug)]
struct Waiting {
    number: usize,
    id: DeliveryId,
    text: String,
}

/// A line of the model.
#[derive(Debug)]
struct Line {
    conversation: ConversationId,
    name: String,
    /// What waits, without the head where there is one.
    waiting: Vec<Waiting>,
    /// What was tried, and is before all that waits.
    head: Option<Waiting>,
    /// The claim of the head, while it is in flight.
    held: Option<ClaimedDelivery>,
    /// Whether the head waits for its time.
    later: bool,
    ended: Vec<Waiting>,
}

struct Model<'a> {
    world: &'a World,
    lines: Vec<Line>,
    number: usize,
}

impl Model<'_> {
    async fn post(&mut self, line: usize) {
        let text = self.number.to_string();
        let command = self.world.outgoing(self.lines[line].conversation, &text);
        let id = command.delivery;
        self.world.post(command).await;
        self.lines[line].waiting.push(Waiting {
            number: self.number,
            id,
            text,
        });
        self.number += 1;
    }

    /// What a claim gives is the first of its line; tells whether it gave anything.
    async fn claim(&mut self, limit: usize) -> bool {
        let claimed = claim(self.world, limit).await;
        let some = !claimed.deliveries.is_empty();
        assert!(claimed.deliveries.len() <= limit);
        for one in claimed.deliveries {
            let of = |line: &&mut Line| {
                let head = line.head.as_ref().or(line.waiting.first());
                head.is_some_and(|head| head.id == one.id)
            };
            let line = self.lines.iter_mut().find(of);
            let line = line.expect("the first of a line");
            assert!(line.held.is_none(), "one of a line at a time");
            assert!(!line.later, "not before its time");
            if line.head.is_none() {
                line.head = Some(line.waiting.remove(0));
            }
            let text = &line.head.as_ref().unwrap().text;
            assert_eq!(text_of(&one), payload(text));
            line.held = Some(one);
        }
        let more = claimed.next_due.is_some_and(|due| due <= self.world.now());
        some || more
    }

    async fn finish(&mut self, line: usize, how: u8) {
        let line = &mut self.lines[line];
        let Some(held) = line.held.take() else { return };
        let outcome = match how % 5 {
            0 | 1 => delivered(),
            2 => dead("no"),
            3 => retry(Duration::ZERO),
            _ => retry(Duration::from_mins(30)),
        };
        assert!(self.world.finish(&held, outcome).await);
        match how % 5 {
            0 | 1 => line.head = None,
            2 => line.ended.extend(line.head.take()),
            how => line.later = how == 4,
        }
    }

    async fn replay(&mut self, line: usize) {
        let line = &mut self.lines[line];
        let Some(ended) = line.ended.pop() else {
            return;
        };
        let replay = self
            .world
            .store
            .replay_delivery(self.world.bot, ended.id, self.world.now());
        assert!(replay.await.unwrap().is_some());
        line.waiting.push(Waiting {
            number: self.number,
            ..ended
        });
        self.number += 1;
    }

    async fn release(&mut self) {
        let lost = LostSends::Retry;
        let released = self.world.store.release_in_flight(self.world.now(), lost);
        let held = self.lines.iter_mut().filter_map(|line| line.held.take());
        let held = held.count();
        assert_eq!(released.await.unwrap(), held);
    }

    /// The second becomes a part of the first.
    async fn merge(&mut self) {
        let [one, other] = &self.lines[..] else {
            return;
        };
        let rekey = self.world.renamed(one.conversation, &other.name);
        let merged = self.world.store.rekey_conversation(rekey).await;
        if one.held.is_some() && other.held.is_some() {
            assert_eq!(merged, Err(Error::Busy));
            return;
        }
        let Rekeyed::Merged { survivor, .. } = merged.unwrap() else {
            panic!("not merged");
        };
        let other = self.lines.remove(1);
        let one = &mut self.lines[0];
        one.conversation = survivor.id;
        one.waiting.extend(other.waiting);
        for (line, held) in [(one.head.take(), one.held.take()), (other.head, other.held)] {
            // What is in flight stays before all; what was tried waits at its place.
            match held {
                Some(held) => {
                    one.head = line;
                    one.held = Some(held);
                }
                None => one.waiting.extend(line),
            }
        }
        one.later = false;
        one.waiting.sort_by_key(|waiting| waiting.number);
        one.ended.extend(other.ended);
    }

    /// Until all that waits for its time is due. Nothing is in flight then: its lease would end.
    async fn wait_long(&mut self) {
        for line in 0..self.lines.len() {
            self.finish(line, 0).await;
        }
        self.world.pass(Duration::from_mins(30));
        for line in &mut self.lines {
            line.later = false;
        }
    }

    /// Everything comes, if only one asks as often as one is told.
    async fn drain(&mut self) {
        self.wait_long().await;
        loop {
            let more = self.claim(2).await;
            let held = self.lines.iter().any(|line| line.held.is_some());
            for line in 0..self.lines.len() {
                self.finish(line, 0).await;
            }
            if !more && !held {
                break;
            }
        }
        for line in &self.lines {
            assert!(line.head.is_none() && line.waiting.is_empty(), "{line:?}");
        }
    }
}

/// Lets two lines go through what `bytes` stand for, and compares each claim with the model.
pub async fn check_lines(world: &World, bytes: &[u8], served: Served) {
    let mut model = Model {
        world,
        lines: Vec::new(),
        number: 0,
    };
    for _ in 0..2 {
        let name = world.env.ulid().to_string();
        let conversation = world.thread(&name).await.id;
        model.lines.push(Line {
            conversation,
            name,
            waiting: Vec::new(),
            head: None,
            held: None,
            later: false,
            ended: Vec::new(),
        });
    }
    for byte in bytes {
        world.pass(Duration::from_millis(1));
        let (what, detail) = (byte % 16, byte / 16);
        let line = usize::from(detail) % model.lines.len();
        match what {
            0..=5 => model.post(line).await,
            6..=8 => drop(model.claim(1 + usize::from(detail) % 2).await),
            9..=11 => model.finish(line, detail / 2).await,
            12 => model.replay(line).await,
            13 => model.release().await,
            14 => model.wait_long().await,
            _ => {
                if let Served::Everything = served {
                    model.merge().await;
                }
            }
        }
    }
    model.drain().await;
}

/// See [`check_lines`].
pub async fn random_sequences_keep_the_lines(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let random = SeededRandom::new(19);
    for _ in 0..10 {
        let mut bytes = [0; 60];
        random.fill(&mut bytes);
        check_lines(&world, &bytes, Served::Core).await;
    }
}
