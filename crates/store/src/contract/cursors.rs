//! Pages of lists, read while what they list changes: a random history of commands, between which
//! several readers turn their pages, one of each list, with filters of all kinds.
//!
//! What is checked is the promise of [`Cursor`]. What a page must show is known from reading each
//! object by its id, never from a list; only deliveries, which have no such reading, are compared
//! with the list of all of them.

mod choice;
mod happenings;
mod list;
mod truth;

use std::collections::{BTreeMap, BTreeSet};

use switchboard_model::Random as _;
use switchboard_model::ids::Ulid;
use switchboard_model::testing::SeededRandom;

use self::choice::Choice;
use self::happenings::Side;
use self::list::{List, Row};
use self::truth::Truth;
use super::Factory;
use super::world::World;
use crate::{Cursor, PageRequest, SortOrder};

/// What the backend serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Served {
    /// Not workflows, history, what waits for its time, or threads that become one.
    Core,
    /// All.
    Everything,
}

/// How many random histories are usual: `PROPTEST_CASES` asks for others.
pub fn cases(usual: u32) -> u32 {
    let asked = std::env::var("PROPTEST_CASES").ok();
    asked.map_or(usual, |asked| asked.parse().expect("a number of cases"))
}

/// See [`check_history`].
pub async fn random_histories_pass_between_pages(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let random = SeededRandom::new(17);
    for _ in 0..2 {
        let mut bytes = [0; 4 * 80];
        random.fill(&mut bytes);
        check_history(&world, &bytes, Served::Core).await;
    }
}

/// Lets two new bots do what `bytes` stand for, four for a step, while readers turn pages of what
/// the first one has.
pub async fn check_history(world: &World, bytes: &[u8], served: Served) {
    let mut sides = [Side::new(world).await, Side::new(world).await];
    let [own, other] = &mut sides;
    let start = world.now();
    let mut truth = Truth::default();
    for step in 0..Side::SETTLING {
        own.settle(step, served).await;
        other.settle(step, served).await;
        truth = Truth::read(own, &truth).await;
    }
    let mut readers: Vec<Reader> = Vec::new();
    readers.resize_with(choice::KINDS, Reader::default);
    for step in bytes.as_chunks::<4>().0 {
        let [what, which, ..] = *step;
        if what < 110 {
            // A turn of the page; the reader begins a new list where it has none.
            let kind = usize::from(which) % choice::KINDS;
            let reader = &mut readers[kind];
            if reader.walk.is_none() {
                let list = Choice::new(own, other, start, *step).list(kind, served);
                reader.walk = Some(Walk::begin(list, 1 + usize::from(what % 4), &truth));
            }
            reader.turn(&own.world, &truth).await;
            continue;
        }
        // Mostly the bot whose lists are read.
        let side = if what % 8 == 7 {
            &mut *other
        } else {
            &mut *own
        };
        side.happen(*step, served).await;
        truth = Truth::read(own, &truth).await;
        for walk in readers.iter_mut().filter_map(|reader| reader.walk.as_mut()) {
            walk.observe(&truth);
        }
    }
    for reader in &mut readers {
        while reader.walk.is_some() {
            reader.turn(&own.world, &truth).await;
        }
    }
}

/// Who reads a list, if one at the moment.
#[derive(Default)]
struct Reader {
    walk: Option<Walk>,
}

impl Reader {
    async fn turn(&mut self, world: &World, truth: &Truth) {
        let Some(mut walk) = self.walk.take() else {
            return;
        };
        if walk.turn(world, truth).await {
            self.walk = Some(walk);
        }
    }
}

/// A list that is being read.
struct Walk {
    list: List,
    limit: usize,
    after: Option<Cursor>,
    /// What has been listed at every moment since the first page, with its place now.
    listed: BTreeMap<Ulid, i64>,
    /// Of those, the ones whose place has changed.
    moved: BTreeSet<Ulid>,
    /// What was shown, with its place then.
    seen: Vec<(Ulid, i64)>,
}

impl Walk {
    fn begin(list: List, limit: usize, truth: &Truth) -> Self {
        let rows = list.rows(truth);
        Self {
            list,
            limit,
            after: None,
            listed: rows.iter().map(|row| (row.id, row.place)).collect(),
            moved: BTreeSet::new(),
            seen: Vec::new(),
        }
    }

    fn observe(&mut self, truth: &Truth) {
        let rows = self.list.rows(truth);
        let now: BTreeMap<Ulid, i64> = rows.iter().map(|row| (row.id, row.place)).collect();
        let moved = &mut self.moved;
        self.listed.retain(|id, place| {
            let Some(current) = now.get(id).filter(|current| *current >= place) else {
                return false;
            };
            if current > place {
                moved.insert(*id);
                *place = *current;
            }
            true
        });
    }

    /// Reads a page. Tells whether there are more.
    async fn turn(&mut self, world: &World, truth: &Truth) -> bool {
        let rows = self.list.rows(truth);
        let request = PageRequest {
            after: self.after,
            limit: self.limit,
        };
        let page = self.list.page(world, request).await;
        assert!(
            page.items.len() == self.limit || page.next.is_none() && page.items.len() < self.limit,
            "{:?}: a page of {} where {} were asked for",
            self.list,
            page.items.len(),
            self.limit
        );
        let mut last = None;
        for id in page.items {
            let at = rows.iter().position(|row| row.id == id);
            let at = at.unwrap_or_else(|| panic!("{:?} shows {id}, which it must not", self.list));
            assert!(last < Some(at), "{:?} shows {id} out of order", self.list);
            last = Some(at);
            self.show(&rows[at]);
        }
        self.after = page.next;
        if self.after.is_none() {
            self.end(&rows);
        }
        self.after.is_some()
    }

    fn show(&mut self, row: &Row) {
        for (id, place) in &self.seen {
            assert!(
                *id != row.id || self.list.order() == SortOrder::Ascending && *place < row.place,
                "{:?} shows {id} twice",
                self.list
            );
        }
        self.seen.push((row.id, row.place));
    }

    fn end(&self, rows: &[Row]) {
        let seen: Vec<Ulid> = self.seen.iter().map(|(id, _)| *id).collect();
        let stayed = |id: &Ulid| self.listed.contains_key(id) && !self.moved.contains(id);
        let expected: Vec<Ulid> = rows.iter().map(|row| row.id).filter(stayed).collect();
        let shown: Vec<Ulid> = seen.iter().copied().filter(stayed).collect();
        assert_eq!(
            shown, expected,
            "{:?}: what stayed where it was is shown once, in order",
            self.list
        );
        if self.list.order() == SortOrder::Ascending {
            for id in &self.moved {
                assert!(
                    seen.contains(id) || !self.listed.contains_key(id),
                    "{:?} misses {id}, which only went on in it",
                    self.list
                );
            }
        }
    }
}
