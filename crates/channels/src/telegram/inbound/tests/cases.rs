//! The cases of the shared files that are about how an update is read.

use super::*;

fn check_names(updates: &BTreeMap<String, Update>, groups: &Value, same: bool) {
    for group in groups.as_array().unwrap() {
        let names: Vec<_> = group.as_array().unwrap().iter().collect();
        let ids: BTreeSet<_> = names
            .iter()
            .map(|name| thread(&updates[name.as_str().unwrap()]).map(|thread| &thread.id))
            .collect();
        assert_eq!(ids.len(), if same { 1 } else { names.len() }, "{group}");
    }
}

fn check(key: &str, expected: &Value, updates: &BTreeMap<String, Update>) {
    let all: Vec<_> = updates.values().collect();
    let number = || usize::try_from(expected.as_u64().unwrap()).unwrap();
    let each = || {
        let pairs = expected.as_object().unwrap().iter();
        pairs.map(|(name, value)| (&updates[name], value))
    };
    match key {
        "same" => check_names(updates, expected, true),
        "different" => check_names(updates, expected, false),
        "conversations" => {
            assert_eq!(
                of_messages(&all, |_, said| said.thread.id.clone()),
                number()
            );
        }
        "messages_stored" | "bot_message_created" => {
            assert_eq!(of_messages(&all, |update, _| update.once.clone()), number());
        }
        "users" => assert_eq!(
            of_messages(&all, |_, said| said.sender.id.clone()),
            number()
        ),
        "events" => {
            let events = all
                .iter()
                .filter(|update| matches!(update.content, UpdateContent::Event(_)));
            assert_eq!(events.count(), number());
        }
        "key" => {
            for (update, key) in each() {
                let place = place(update).expect("a thread");
                assert_eq!(place.chat, key["chat"].as_i64().unwrap());
                let topic = key["topic"].as_i64().map_or(Topic::None, Topic::Forum);
                assert_eq!(place.topic, topic);
            }
        }
        "reply" => {
            // How a guest message is answered stands in `tests/telegram/guests.rs`.
            for (update, reply) in each().filter(|(_, reply)| reply["method"] == "sendMessage") {
                let call = crate::telegram::outbound::parameters(&place(update).expect("a thread"));
                for (name, value) in reply["params"].as_object().unwrap() {
                    assert_eq!(&call[name], value, "{name}");
                }
                for name in reply["absent"].as_array().unwrap() {
                    assert!(call.get(name.as_str().unwrap()).is_none(), "{name}");
                }
            }
        }
        "sender" => {
            for (update, who) in each() {
                let id = who.get("user").or(who.get("chat")).unwrap().to_string();
                assert_eq!(sender_id(update), Some(id.as_str()));
            }
        }
        "tags" => {
            for (update, tags) in each() {
                for (name, value) in tags.as_object().unwrap() {
                    assert_eq!(message(update).tags.get(name), value.as_str(), "{name}");
                }
            }
        }
        "allowed_updates_include" => {
            for kind in expected.as_array().unwrap() {
                assert!(KINDS.contains(&kind.as_str().unwrap()), "{kind}");
            }
        }
        // Everything is accepted here; nothing is sent; what must not happen is checked by the rest
        // of each case and by `no_stand_in_becomes_a_user`.
        "accepted" | "absent_calls" | "must_not" | "http" => {}
        _ => check_more(key, expected, updates),
    }
}

/// What each update says, and what it does not.
fn check_more(key: &str, expected: &Value, updates: &BTreeMap<String, Update>) {
    let each = || {
        let pairs = expected.as_object().unwrap().iter();
        pairs.map(|(name, value)| (&updates[name], value))
    };
    match key {
        "no_tags" => {
            for (update, names) in each() {
                for name in names.as_array().unwrap() {
                    assert_eq!(
                        message(update).tags.get(name.as_str().unwrap()),
                        None,
                        "{name}"
                    );
                }
            }
        }
        "type" => {
            for (update, kind) in each() {
                assert_eq!(message(update).kind, kind.as_str().unwrap());
            }
        }
        "payload" => {
            for (update, fields) in each() {
                let payload: Value = message(update).payload.read().unwrap();
                for (name, value) in fields.as_object().unwrap() {
                    assert_eq!(&payload[name], value, "{name}");
                }
            }
        }
        "event_kind" => {
            for (update, kind) in each() {
                assert_eq!(event_of(update).kind, kind.as_str().unwrap());
            }
        }
        "moved_from" => {
            for (update, chat) in each() {
                assert_eq!(event_of(update).moved_from.as_deref(), chat.as_str());
            }
        }
        "no_thread" | "no_sender" => {
            for name in expected.as_array().unwrap() {
                let update = &updates[name.as_str().unwrap()];
                match key {
                    "no_thread" => assert_eq!(thread(update), None, "{name}"),
                    _ => assert_eq!(sender_id(update), None, "{name}"),
                }
            }
        }
        other => panic!("{other} is not checked"),
    }
}

fn check_case(id: &str) {
    let case = case(id);
    let updates: BTreeMap<_, _> = case["input"]["updates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            let name = entry["as"].as_str().unwrap().to_owned();
            (name, take(&entry["update"]))
        })
        .collect();
    for update in updates.values() {
        assert!(
            !update.once.is_empty(),
            "{id}: recognised when it comes again"
        );
        for stand_in in [1_087_968_824_i64, 777_000, 136_817_688] {
            assert_ne!(
                sender_id(update),
                Some(stand_in.to_string().as_str()),
                "{id}"
            );
        }
    }
    for (key, expected) in case["expect"].as_object().unwrap() {
        check(key, expected, &updates);
    }
}

macro_rules! cases {
    ($($name:ident = $id:literal;)*) => {$(
        #[test]
        fn $name() { check_case($id); }
    )*};
}

cases! {
    tg_in_001_a_chain_of_replies_is_no_topic = "tg-in-001";
    tg_in_002_a_topic_number_without_its_mark_is_no_topic = "tg-in-002";
    tg_in_003_private_chats_have_topics_too = "tg-in-003";
    tg_in_004_a_channel_post_is_the_channels = "tg-in-004";
    tg_in_005_anonymous_administrators_are_their_groups = "tg-in-005";
    tg_in_006_a_forwarded_post_is_the_channels_and_is_marked = "tg-in-006";
    tg_in_007_a_press_on_an_inaccessible_message_keeps_chat_and_presser = "tg-in-007";
    tg_in_008_a_press_in_inline_mode_has_no_chat = "tg-in-008";
    tg_in_010_copies_are_recognised = "tg-in-010";
    tg_in_011_a_message_is_the_same_under_another_update_number = "tg-in-011";
    tg_in_012_an_album_loses_no_photo = "tg-in-012";
    tg_in_013_membership_changes_are_events = "tg-in-013";
    tg_in_015_a_guest_message_is_not_of_the_chat_it_looks_like = "tg-in-015";
    tg_in_101_what_people_send_besides_texts_and_files = "tg-in-101";
    tg_in_102_giveaways_gifts_and_boosts_say_nothing = "tg-in-102";
    tg_in_103_video_chats_and_pins_open_no_conversation = "tg-in-103";
    tg_in_104_who_writes_through_an_inline_bot_says_it = "tg-in-104";
    tg_in_105_people_without_names = "tg-in-105";
    tg_in_106_entities_that_are_none = "tg-in-106";
    tg_in_107_empty_texts_and_huge_sizes = "tg-in-107";
    tg_in_108_dates_and_numbers_of_zero = "tg-in-108";
    tg_in_109_join_requests_boosts_and_counts = "tg-in-109";
    tg_in_110_inline_queries_and_payments_name_no_chat = "tg-in-110";
    tg_in_111_messages_deleted_in_a_business_chat = "tg-in-111";
    tg_in_112_another_bot_for_the_business_account = "tg-in-112";
    tg_in_113_edited_and_signed_channel_posts = "tg-in-113";
    tg_in_114_posts_in_other_names = "tg-in-114";
    tg_in_115_an_album_of_two_kinds = "tg-in-115";
    tg_in_116_moves_that_are_none = "tg-in-116";
    tg_in_117_comments_and_replies_from_elsewhere = "tg-in-117";
    tg_in_118_the_first_message_in_a_topic = "tg-in-118";
    tg_in_119_presses_without_a_value = "tg-in-119";
    tg_in_120_reactions_and_votes_of_channels = "tg-in-120";
    tg_in_121_kinds_of_the_future = "tg-in-121";
    tg_in_122_suggested_posts_and_direct_messages = "tg-in-122";
}
