//! In a time of its own, which passes as fast as it can be computed.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use proptest::prelude::*;
use switchboard_model::ids::Ulid;

use super::buckets::{ALL, CHAT, GROUP, Limit, SECOND};
use super::*;

const MILLISECOND: Duration = Duration::from_millis(1);

fn name(number: usize) -> MessageId {
    MessageId::new(Ulid(number as u128))
}

/// A conversation that says one message after the other, as the outbox hands them out.
struct Talk {
    chat: i64,
    messages: usize,
    /// From one message's answer to the next message.
    pause: Duration,
}

/// What went out, and when.
struct Sent {
    time: Duration,
    chat: i64,
    talk: usize,
    /// How many turns it was told before.
    told: usize,
}

/// Lets them talk until all is said or so much time is over.
fn run(buckets: &mut Buckets, talks: &[Talk], end: Duration) -> Vec<Sent> {
    let mut said = vec![0; talks.len()];
    let mut told = HashMap::<MessageId, usize>::new();
    let mut sent = Vec::new();
    let mut agenda: BinaryHeap<_> = (0..talks.len())
        .map(|talk| Reverse((START + MILLISECOND, talk)))
        .collect();
    while let Some(Reverse((now, talk))) = agenda.pop() {
        let Talk {
            chat,
            messages,
            pause,
        } = talks[talk];
        if now > START + end || said[talk] == messages {
            continue;
        }
        let who = name(talk * 100_000 + said[talk]);
        if let Some(turn) = buckets.ask(now, chat, who) {
            assert!(turn > now, "a turn that is over");
            *told.entry(who).or_default() += 1;
            // The outbox counts whole milliseconds, and is never early.
            agenda.push(Reverse((turn + MILLISECOND, talk)));
            continue;
        }
        said[talk] += 1;
        sent.push(Sent {
            time: now,
            chat,
            talk,
            told: told.remove(&who).unwrap_or_default(),
        });
        buckets.answered();
        agenda.push(Reverse((now + pause, talk)));
    }
    sent
}

/// In any stretch of time, `burst` and what the time gives: the nth message behind the first of any
/// stretch comes no earlier than so many intervals after it.
fn holds(limit: Limit, times: &[Duration]) {
    let interval = limit.interval.as_nanos().cast_signed();
    let burst = i128::from(limit.burst.get());
    // Where the intervals are taken off, the latest start of a stretch is the one that counts.
    let mut latest = i128::MIN;
    for (count, time) in (0_i128..).zip(times) {
        let at = time.as_nanos().cast_signed() - count * interval;
        latest = latest.max(at);
        assert!(
            latest <= at + (burst - 1) * interval,
            "message {count} at {time:?} is too early"
        );
    }
}

#[test]
fn what_is_too_early_is_noticed() {
    let seconds =
        |times: &[u64]| -> Vec<_> { times.iter().copied().map(Duration::from_secs).collect() };
    holds(CHAT, &seconds(&[0, 0, 0, 1, 2, 3, 9, 9, 9, 10]));
    for wrong in [&[0, 0, 0, 0][..], &[0, 5, 5, 5, 5], &[0, 3, 3, 4, 4, 4, 5]] {
        let wrong = seconds(wrong);
        assert!(
            std::panic::catch_unwind(|| holds(CHAT, &wrong)).is_err(),
            "{wrong:?}"
        );
    }
}

/// In no stretch of that length more than so many.
fn at_most(most: usize, window: Duration, times: &[Duration]) {
    for (first, from) in times.iter().enumerate() {
        let count = times[first..]
            .iter()
            .take_while(|time| **time < *from + window)
            .count();
        assert!(count <= most, "{count} within {window:?} from {from:?}");
    }
}

fn times(sent: &[Sent], chat: i64) -> Vec<Duration> {
    let there = sent.iter().filter(|sent| sent.chat == chat);
    there.map(|sent| sent.time).collect()
}

fn all_hold(sent: &[Sent]) {
    let every: Vec<_> = sent.iter().map(|sent| sent.time).collect();
    at_most(30, SECOND, &every);
    let mut chats: Vec<_> = sent.iter().map(|sent| sent.chat).collect();
    chats.sort_unstable();
    chats.dedup();
    for chat in chats {
        let times = times(sent, chat);
        holds(CHAT, &times);
        if chat < 0 {
            holds(GROUP, &times);
            at_most(20, Duration::from_mins(1), &times);
        }
    }
}

#[test]
fn a_chat_gets_a_burst_and_then_one_a_second_and_a_group_one_in_four() {
    for (chat, limit) in [(501, CHAT), (-1_002_100_000_001, GROUP)] {
        let talk = Talk {
            chat,
            messages: 20,
            pause: MILLISECOND * 20,
        };
        let sent = run(&mut Buckets::new(), &[talk], Duration::from_mins(2));
        let times = times(&sent, chat);
        assert_eq!(times.len(), 20);
        holds(limit, &times);
        holds(CHAT, &times);
        let behind_the_burst = 20 - limit.burst.get();
        let needed = START + limit.interval * (behind_the_burst + 2);
        assert!(
            times[19] < needed,
            "slower than it must be: {:?}",
            times[19]
        );
    }
}

proptest! {
    #[test]
    fn property_the_limits_hold_in_any_stretch_of_time(
        talks in prop_oneof![
            200 => prop::collection::vec((-3_i64..5, 1_usize..12, 1_u32..1500), 1..8),
            1 => prop::collection::vec((-3_i64..40, 1_usize..30, 1_u32..1500), 20..80),
        ],
    ) {
        // Several conversations may be topics of one group.
        let talks: Vec<_> = talks
            .into_iter()
            .map(|(chat, messages, pause)| Talk { chat, messages, pause: MILLISECOND * pause })
            .collect();
        let sent = run(&mut Buckets::new(), &talks, Duration::from_mins(10));
        all_hold(&sent);
    }

    #[test]
    fn property_a_restart_is_no_way_round_the_limits(
        talks in prop::collection::vec((-3_i64..20, 1_usize..30, 1_u32..1500), 1..60),
        lives in prop::collection::vec(prop_oneof![0_u64..12_000, 0_u64..90_000], 1..4),
    ) {
        let talks: Vec<_> = talks
            .into_iter()
            .map(|(chat, messages, pause)| Talk { chat, messages, pause: MILLISECOND * pause })
            .collect();
        // Some live for seconds only, again and again.
        let mut began = Duration::ZERO;
        let mut sent = Vec::new();
        for (number, lived) in lives.into_iter().map(Duration::from_millis).enumerate() {
            let mut buckets = if number == 0 { Buckets::new() } else { Buckets::following() };
            let later = run(&mut buckets, &talks, lived);
            sent.extend(later.into_iter().map(|sent| Sent { time: sent.time + began, ..sent }));
            began += lived;
        }
        let later = run(&mut Buckets::following(), &talks, Duration::from_mins(5));
        sent.extend(later.into_iter().map(|sent| Sent { time: sent.time + began, ..sent }));
        all_hold(&sent);
    }
}

#[test]
fn the_first_answers_after_a_restart_wait_and_buckets_fill_from_then_on() {
    for (chat, limit) in [(501, CHAT), (-1_002_100_000_001, GROUP)] {
        let talk = Talk {
            chat,
            messages: 1,
            pause: MILLISECOND,
        };
        let sent = run(&mut Buckets::following(), &[talk], Duration::from_mins(1));
        assert_eq!(sent[0].time, START + limit.interval + MILLISECOND);
        assert_eq!(sent[0].told, 1);
    }
    // Who comes when a bucket would be full again finds it full.
    let mut buckets = Buckets::following();
    let later = START + GROUP.interval * 4;
    for number in 0..3 {
        assert_eq!(buckets.ask(later, -1, name(number)), None);
    }
}

#[test]
fn a_flood_of_many_chats_uses_all_that_the_bot_may_send() {
    let talks: Vec<_> = (1..=100)
        .map(|chat| Talk {
            chat,
            messages: 1000,
            pause: MILLISECOND * 20,
        })
        .collect();
    let sent = run(&mut Buckets::new(), &talks, Duration::from_secs(30));
    all_hold(&sent);
    assert!(sent.len() > 29 * 30, "{}", sent.len());
    // No chat is forgotten.
    for chat in 1..=100 {
        assert!(times(&sent, chat).len() >= 5);
    }
}

#[test]
fn the_flood_of_one_chat_slows_no_other() {
    let flood = |chat| Talk {
        chat,
        messages: 1000,
        pause: MILLISECOND,
    };
    let calm = |chat| Talk {
        chat,
        messages: 50,
        pause: Duration::from_millis(1001),
    };
    let talks = [flood(1), flood(-1), flood(-1), calm(2), calm(3)];
    let sent = run(&mut Buckets::new(), &talks, Duration::from_mins(1));
    all_hold(&sent);
    let others: Vec<_> = sent.iter().filter(|sent| sent.chat > 1).collect();
    assert_eq!(others.len(), 100);
    assert!(others.iter().all(|sent| sent.told == 0));
}

#[test]
fn each_of_a_crowd_in_one_group_is_told_its_turn_once_and_keeps_its_place() {
    let topic = || Talk {
        chat: -1,
        messages: 1,
        pause: Duration::ZERO,
    };
    let talks: Vec<_> = std::iter::repeat_with(topic).take(50).collect();
    let sent = run(&mut Buckets::new(), &talks, Duration::from_mins(10));
    let order: Vec<_> = sent.iter().map(|sent| sent.talk).collect();
    assert_eq!(order, (0..50).collect::<Vec<_>>());
    let told: usize = sent.iter().map(|sent| sent.told).sum();
    assert!(told <= 50, "{told} turns for 50 messages");
    assert!(sent.iter().all(|sent| sent.told <= 2));
    holds(GROUP, &times(&sent, -1));
}

#[test]
fn a_wait_that_telegram_asks_for_is_its_chats_alone() {
    let mut buckets = Buckets::new();
    let (now, wait) = (Duration::from_secs(100), Duration::from_secs(40));
    for _ in 0..100 {
        buckets.refused(now, -7, name(1), wait);
    }
    assert_eq!(buckets.space(now, 0), Space::For(30));
    assert_eq!(buckets.ask(now, 8, name(2)), None);
    // Another topic of the group waits too, behind the one that Telegram refused.
    let turn = buckets.ask(now, -7, name(3)).unwrap();
    assert_eq!(buckets.ask(now, -7, name(1)), Some(now + wait));
    assert_eq!(turn, now + wait + GROUP.interval);
    assert_eq!(buckets.ask(now + wait, -7, name(1)), None);
    assert_eq!(buckets.ask(turn, -7, name(3)), None);
}

#[test]
fn a_wait_for_many_chats_in_a_row_is_the_whole_bots_until_one_gets_through() {
    let mut buckets = Buckets::new();
    let now = Duration::from_secs(100);
    let wait = Duration::from_secs(9);
    for chat in 1..=4 {
        buckets.refused(now, chat, name(0), wait);
    }
    buckets.answered();
    for chat in 1..=4 {
        buckets.refused(now, chat, name(0), wait);
    }
    assert_eq!(buckets.space(now, 0), Space::For(30), "one had got through");
    buckets.refused(now, 5, name(5), wait);
    assert_eq!(buckets.space(now, 0), Space::NotBefore(now + wait));
    assert_eq!(buckets.ask(now, 6, name(6)), Some(now + wait));
    // Then one tries, and as long as it is under way nobody else.
    let then = now + wait + MILLISECOND;
    assert_eq!(buckets.space(then, 0), Space::For(1));
    assert!(matches!(buckets.space(then, 1), Space::NotBefore(_)));
    let hours = Duration::from_hours(5);
    buckets.refused(then, 6, name(6), hours);
    let Space::NotBefore(again) = buckets.space(then, 0) else {
        panic!("the bot is still refused");
    };
    assert!(again <= then + Duration::from_secs(30), "nobody looks");
    buckets.answered();
    assert_eq!(buckets.space(again, 0), Space::For(30));
    assert_eq!(buckets.ask(again, 7, name(7)), None);
    assert_eq!(buckets.ask(again, 6, name(6)), Some(then + hours));
}

#[test]
fn there_is_room_for_what_can_go_out_soon() {
    let mut buckets = Buckets::new();
    let now = Duration::from_secs(1);
    assert_eq!(buckets.space(now, 500), Space::For(30));
    for chat in 1..=60 {
        buckets.ask(now, chat, name(usize::try_from(chat).unwrap()));
    }
    let Space::NotBefore(time) = buckets.space(now, 0) else {
        panic!("there is room behind a second of waiting");
    };
    assert!(time > now && time < now + Duration::from_secs(2));
    let Space::For(count) = buckets.space(time + ALL.interval, 0) else {
        panic!("no room when half of them are gone");
    };
    assert!((15..30).contains(&count), "{count}");
}

#[test]
fn what_is_kept_is_bounded_by_the_last_chats() {
    let mut buckets = Buckets::new();
    let mut most = 0;
    let mut now = Duration::from_secs(1);
    for number in 0..200_000_usize {
        let chat = i64::try_from(number).unwrap() - 100_000;
        buckets.ask(now, chat, name(number));
        now += MILLISECOND * 40;
        most = most.max(buckets.len());
    }
    assert!(most < 2000, "{most}");
}

#[tokio::test]
async fn a_long_wait_is_handed_back_and_a_short_one_slept_by_a_bounded_number() {
    let pace = Pace::new(false);
    let until = Instant::now() + Duration::from_mins(10);
    let wait = Duration::from_mins(1);
    pace.buckets().refused(pace.now(), -1, name(1), wait);
    let later = pace.turn(-1, name(1), until).await.err();
    assert!(later.is_some_and(|after| after > SHORT));

    for _ in 0..3 {
        assert!(pace.turn(1, name(2), until).await.is_ok());
    }
    let impatient = pace.turn(1, name(3), Instant::now()).await.err();
    assert!(impatient.is_some_and(|after| after <= SHORT));
    let places = pace.sleepers.acquire_many(128).await.unwrap();
    assert!(pace.turn(1, name(3), until).await.is_err());
    drop(places);
    let turn = pace.turn(1, name(3), until).await;
    assert!(turn.is_ok(), "slept");
    assert_eq!(pace.calling.load(Ordering::Relaxed), 1);
    drop(turn);
    assert_eq!(pace.calling.load(Ordering::Relaxed), 0);
}

#[test]
fn a_server_that_starts_again_and_again_lets_a_group_have_no_more() {
    for lived in [1_100, 2_000, 4_100, 5_000, 9_000] {
        let lived = Duration::from_millis(lived);
        let talk = || Talk {
            chat: -1,
            messages: 100,
            pause: MILLISECOND,
        };
        let mut sent = run(&mut Buckets::new(), &[talk()], lived);
        for start in 1..=40 {
            let later = run(&mut Buckets::following(), &[talk()], lived);
            let begun = lived * start;
            let at = |sent: Sent| Sent {
                time: sent.time + begun,
                ..sent
            };
            sent.extend(later.into_iter().map(at));
        }
        let times = times(&sent, -1);
        holds(GROUP, &times);
        at_most(20, Duration::from_mins(1), &times);
    }
}
