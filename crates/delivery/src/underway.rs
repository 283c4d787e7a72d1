//! The tries that are under way, and what room there is for more.
//!
//! A try takes up a slot while it is young. One that takes longer only waits for somebody else: it
//! leaves its slot, so that a crowd of slow conversations holds up no quick one. It still takes up a
//! connection, and those have an end of their own. Of both, what was tried before takes up at most
//! half: what is new finds room, whatever fails.

use std::collections::VecDeque;
use std::time::Instant;

use switchboard_integration::Room;
use tokio::task::{Id, JoinError, JoinSet};

use crate::Policy;

/// How a task ends: when its delivery is due again, if it is.
pub(crate) type Ended = Result<Option<Instant>, JoinError>;

#[derive(Default)]
pub(crate) struct Underway {
    tasks: JoinSet<Option<Instant>>,
    /// In the order in which they were begun.
    tries: VecDeque<Try>,
    again: usize,
}

struct Try {
    task: Id,
    begun: Instant,
    again: bool,
}

/// How many more may be begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Places {
    pub(crate) all: usize,
    /// Of all, for those that were tried before.
    pub(crate) again: usize,
}

impl Places {
    /// These, as far as the destination has room.
    pub(crate) fn within(self, room: Room) -> Self {
        let most = match room {
            Room::Free => usize::MAX,
            Room::For(count) => count,
            Room::NotBefore(_) => 0,
        };
        Self {
            all: self.all.min(most),
            again: self.again.min(most),
        }
    }
}

impl Underway {
    pub(crate) fn len(&self) -> usize {
        self.tries.len()
    }

    pub(crate) fn begin(
        &mut self,
        again: bool,
        task: impl Future<Output = Option<Instant>> + Send + 'static,
    ) {
        let task = self.tasks.spawn(task).id();
        let begun = Instant::now();
        self.tries.push_back(Try { task, begun, again });
        self.again += usize::from(again);
    }

    /// The room that is left, if `admitted` may be under way.
    pub(crate) fn places(&self, policy: &Policy, admitted: usize) -> Places {
        let slots = policy.slots.min(policy.most);
        let (mut young, mut young_again) = (0, 0);
        for one in self.young(policy) {
            young += 1;
            young_again += usize::from(one.again);
        }
        let all = slots
            .saturating_sub(young)
            .min(admitted.min(policy.most).saturating_sub(self.len()));
        let again = half(slots)
            .saturating_sub(young_again)
            .min(half(policy.most).saturating_sub(self.again))
            .min(all);
        Places { all, again }
    }

    /// When the next slot is left by a try that takes long.
    pub(crate) fn next_slot(&self, policy: &Policy) -> Option<Instant> {
        let oldest = self.young(policy).last()?;
        oldest.begun.checked_add(policy.slow_after)
    }

    /// Waits for one to end; `None` if there is none.
    pub(crate) async fn ended(&mut self) -> Option<Ended> {
        let ended = self.tasks.join_next_with_id().await?;
        Some(self.forget(ended))
    }

    /// One that has ended.
    pub(crate) fn try_ended(&mut self) -> Option<Ended> {
        let ended = self.tasks.try_join_next_with_id()?;
        Some(self.forget(ended))
    }

    /// Waits for all to end.
    pub(crate) async fn all_ended(&mut self) {
        while self.ended().await.is_some() {}
    }

    /// Ends all, wherever they are.
    pub(crate) async fn abort(&mut self) {
        self.tasks.shutdown().await;
    }

    /// The latest first.
    fn young(&self, policy: &Policy) -> impl Iterator<Item = &Try> {
        let now = Instant::now();
        let slow_after = policy.slow_after;
        let latest = self.tries.iter().rev();
        latest.take_while(move |one| now.saturating_duration_since(one.begun) < slow_after)
    }

    fn forget(&mut self, ended: Result<(Id, Option<Instant>), JoinError>) -> Ended {
        let task = match &ended {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        if let Some(place) = self.tries.iter().position(|one| one.task == task)
            && let Some(gone) = self.tries.remove(place)
        {
            self.again -= usize::from(gone.again);
        }
        ended.map(|(_, due)| due)
    }
}

fn half(count: usize) -> usize {
    count.div_ceil(2)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn policy(slow_after: Duration) -> Policy {
        Policy {
            slots: 4,
            most: 10,
            slow_after,
            ..Policy::bots()
        }
    }

    fn begin(underway: &mut Underway, count: usize, again: bool) {
        for _ in 0..count {
            underway.begin(again, std::future::pending());
        }
    }

    #[tokio::test]
    async fn what_was_tried_before_takes_up_at_most_half_of_the_slots() {
        let policy = policy(Duration::from_mins(1));
        let mut underway = Underway::default();
        assert_eq!(
            underway.places(&policy, usize::MAX),
            Places { all: 4, again: 2 }
        );
        begin(&mut underway, 2, true);
        assert_eq!(
            underway.places(&policy, usize::MAX),
            Places { all: 2, again: 0 }
        );
        begin(&mut underway, 2, false);
        assert_eq!(underway.places(&policy, usize::MAX).all, 0);
        assert!(underway.next_slot(&policy) > Some(Instant::now()));
    }

    #[test]
    fn no_more_begin_than_the_destination_has_room_for() {
        let places = Places { all: 4, again: 2 };
        assert_eq!(places.within(Room::Free), places);
        let room = |count| Places {
            all: count,
            again: count,
        };
        assert_eq!(places.within(Room::For(1)), room(1));
        assert_eq!(places.within(Room::For(3)), Places { all: 3, again: 2 });
        assert_eq!(places.within(Room::NotBefore(Instant::now())), room(0));
    }

    #[tokio::test]
    async fn what_takes_long_leaves_its_slot_until_there_are_too_many() {
        let policy = policy(Duration::ZERO);
        let mut underway = Underway::default();
        begin(&mut underway, 5, true);
        assert_eq!(
            underway.places(&policy, usize::MAX),
            Places { all: 4, again: 0 }
        );
        begin(&mut underway, 4, false);
        assert_eq!(underway.places(&policy, usize::MAX).all, 1);
        assert_eq!(underway.places(&policy, 9).all, 0);
        assert_eq!(underway.next_slot(&policy), None);
        begin(&mut underway, 1, false);
        assert_eq!(underway.places(&policy, usize::MAX).all, 0);
    }

    #[tokio::test]
    async fn what_has_ended_makes_room_also_by_a_panic() {
        let policy = policy(Duration::from_mins(1));
        let mut underway = Underway::default();
        underway.begin(true, async { None });
        underway.begin(true, async { panic!("on purpose") });
        underway.all_ended().await;
        assert_eq!(underway.len(), 0);
        assert_eq!(
            underway.places(&policy, usize::MAX),
            Places { all: 4, again: 2 }
        );
    }
}
