use super::super::types::Chat;
use super::*;

const GROUP: i64 = -1_002_100_000_001;

fn threads() -> [Thread; 6] {
    [
        Thread::chat(501),
        Thread::chat(GROUP),
        Thread {
            topic: Topic::Forum(42),
            ..Thread::chat(GROUP)
        },
        Thread {
            topic: Topic::Direct(4_503_599_627_370_495),
            ..Thread::chat(GROUP)
        },
        Thread {
            business: Some("abc-_".to_owned()),
            ..Thread::chat(501)
        },
        Thread {
            business: Some("abc".to_owned()),
            topic: Topic::Forum(7),
            ..Thread::chat(4_503_599_627_370_495)
        },
    ]
}

fn of(tags: &[(&str, &str)]) -> Result<Thread, UnknownTarget> {
    target(&tags.iter().copied().collect())
}

#[test]
fn a_thread_reads_back_from_its_id_from_its_parts_and_from_both() {
    let chat: Chat = serde_json::from_str(r#"{"id":1,"type":"private"}"#).unwrap();
    let mut ids = std::collections::HashSet::new();
    for thread in threads() {
        let external = thread.external(&chat);
        let only_id = Tags::new().with("id", &external.id);
        assert_eq!(target(&only_id), Ok(thread.clone()));
        assert_eq!(target(&external.tags), Ok(thread.clone()));
        let all = external.tags.with("id", &external.id);
        assert_eq!(target(&all), Ok(thread.clone()));
        assert!(ids.insert(external.id), "two threads share {thread}");
    }
}

#[test]
fn the_parts_that_an_id_names_hold_whatever_other_tags_are_there() {
    for (tags, place) in [
        (vec![("id", "-100/42"), ("chatId", "-100")], "-100/42"),
        (
            vec![("id", "-100/direct/7"), ("chatId", "-100")],
            "-100/direct/7",
        ),
        (
            vec![("id", "business:bc/501"), ("chatId", "501")],
            "business:bc/501",
        ),
        (vec![("id", "-100/42"), ("threadId", "42")], "-100/42"),
        (
            vec![("id", "-100/42"), ("chatTitle", "x"), ("other", "9")],
            "-100/42",
        ),
    ] {
        let thread = of(&tags).map(|thread| thread.to_string());
        assert_eq!(thread, Ok(place.to_owned()), "{tags:?}");
    }
}

#[test]
fn what_an_id_leaves_open_the_parts_may_say() {
    for (tags, place) in [
        (vec![("id", "-100"), ("threadId", "42")], "-100/42"),
        (
            vec![("id", "-100"), ("directMessagesTopicId", "7")],
            "-100/direct/7",
        ),
        (
            vec![("id", "business:bc/501"), ("threadId", "7")],
            "business:bc/501/7",
        ),
        (vec![("chatId", "-300"), ("threadId", "42")], "-300/42"),
        (
            vec![("chatId", "501"), ("businessConnectionId", "bc")],
            "business:bc/501",
        ),
    ] {
        let thread = of(&tags).map(|thread| thread.to_string());
        assert_eq!(thread, Ok(place.to_owned()), "{tags:?}");
    }
}

#[test]
fn general_is_the_chat_itself() {
    for tags in [
        vec![("id", "-100/1")],
        vec![("id", "-100/1"), ("threadId", "1")],
        vec![("id", "-100"), ("threadId", "1")],
        vec![("chatId", "-100"), ("threadId", "1")],
    ] {
        assert_eq!(of(&tags), Ok(Thread::chat(-100)), "{tags:?}");
    }
}

#[test]
fn tags_that_contradict_each_other_are_both_named() {
    let cases = [
        (("id", "-100/42"), ("chatId", "-200")),
        (("id", "501"), ("chatId", "502")),
        (("id", "-100/42"), ("threadId", "43")),
        (("id", "-100/42"), ("threadId", "1")),
        (("id", "-100/1"), ("threadId", "42")),
        (("id", "-100/42"), ("directMessagesTopicId", "42")),
        (("id", "-100/direct/7"), ("threadId", "7")),
        (("id", "-100/direct/7"), ("directMessagesTopicId", "8")),
        (("id", "business:bc/501"), ("businessConnectionId", "other")),
        (("id", "501"), ("businessConnectionId", "bc")),
        (("threadId", "7"), ("directMessagesTopicId", "7")),
    ];
    for (one, other) in cases {
        let mut tags = vec![one, other];
        if one.0 != "id" {
            tags.push(("id", "-100"));
        }
        let tag = |(name, value): (&'static str, &str)| (name, value.to_owned());
        let expected = UnknownTarget::Contradiction(tag(one), tag(other));
        let words = expected.to_string();
        assert_eq!(of(&tags), Err(expected), "{tags:?}");
        for (name, value) in [one, other] {
            assert!(words.contains(&format!("{name} is {value:?}")), "{words}");
        }
    }
}

#[test]
fn tags_that_name_no_place_say_what_is_wrong() {
    for tags in [vec![], vec![("threadId", "42")]] {
        assert_eq!(of(&tags), Err(UnknownTarget::Missing), "{tags:?}");
    }
    for tags in [
        vec![("id", "@news")],
        vec![("id", "@news"), ("chatId", "501")],
        vec![("id", "")],
        vec![("id", "1/2/3")],
        vec![("id", "1/direct")],
        vec![("id", "1/")],
        vec![("id", "business:x")],
        // Telegram would take an empty connection for none, and these numbers for no topic.
        vec![("id", "business:/501")],
        vec![("id", "501"), ("businessConnectionId", "")],
        vec![("id", "-100/0")],
        vec![("id", "-100/-42")],
        vec![("id", "-100/4294967296")],
        vec![("id", "-100/direct/0")],
        vec![("id", "-100"), ("threadId", "0")],
        vec![("id", "-100"), ("directMessagesTopicId", "-7")],
        vec![("chatId", "x"), ("id", "1")],
        vec![("id", "1"), ("threadId", "General")],
        vec![("id", "1"), ("threadId", "")],
    ] {
        let error = of(&tags).unwrap_err().to_string();
        assert!(error.contains("; expected a "), "{tags:?}: {error}");
    }
}
