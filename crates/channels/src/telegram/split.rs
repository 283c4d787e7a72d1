//! Where a text may be cut into messages that Telegram takes (`rich.rs` cuts it).
//!
//! Promises: a piece has at most the given number of UTF-16 units (Telegram's measure), and no
//! character is broken. The time grows with the text's length only.

use unicode_segmentation::GraphemeCursor;

/// The most UTF-16 units in one message (Bot API, `sendMessage`).
pub(super) const MESSAGE_LIMIT: usize = 4096;

/// How many bytes of `text` fit into `limit` UTF-16 units. At least one character, so that a limit
/// of one unit cannot hang on a character of two.
pub(super) fn window(text: &str, limit: usize) -> usize {
    let mut units = 0;
    for (at, c) in text.char_indices() {
        units += c.len_utf16();
        if units > limit && at > 0 {
            return at;
        }
    }
    text.len()
}

/// Where to cut `text`, of which `window` bytes fit: at the last line break of the window's second
/// half, else at its last space, else where no character is broken.
pub(super) fn cut(text: &str, window: usize) -> usize {
    // A break right behind the window leaves the whole window as it is.
    let behind = text[window..].chars().next();
    let mut space = behind.filter(|c| may_break(*c)).map(|_| window);
    if behind == Some('\n') {
        return window;
    }
    for (at, c) in text[..window].char_indices().rev() {
        if c == '\n' && at >= window / 2 {
            return at;
        }
        if space.is_none() && may_break(c) {
            space = Some(at);
        }
        if at < window / 2 && space.is_some() {
            break;
        }
    }
    space
        .filter(|at| *at > 0)
        .unwrap_or_else(|| whole(text, window))
}

/// The last boundary between whole characters as a reader sees them (an emoji of several code
/// points, a letter with its marks) that is not behind `window`; `window` itself where one such
/// character fills it all.
pub(super) fn whole(text: &str, window: usize) -> usize {
    // The next code point is enough context; more would cost more than the window.
    let end = window + text[window..].chars().next().map_or(0, char::len_utf8);
    let context = &text[..end];
    let mut cursor = GraphemeCursor::new(window, context.len(), true);
    match cursor.is_boundary(context, 0) {
        Ok(false) => cursor
            .prev_boundary(context, 0)
            .ok()
            .flatten()
            .filter(|at| *at > 0)
            .unwrap_or(window),
        _ => window,
    }
}

/// Whether a line may be broken at this character: white space, but not that which binds words.
fn may_break(c: char) -> bool {
    c.is_whitespace() && !matches!(c, '\u{a0}' | '\u{2007}' | '\u{202f}')
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;
    use unicode_segmentation::UnicodeSegmentation as _;

    use super::super::property::matching;
    use super::super::rich::Rich;
    use super::super::visible::is_visible;
    use super::*;

    fn split(text: &str, limit: usize) -> Vec<String> {
        let parts = Rich::from(text).split(limit, limit);
        parts.iter().map(|part| part.text().to_owned()).collect()
    }

    fn units(text: &str) -> usize {
        text.encode_utf16().count()
    }

    fn lengths(text: &str) -> Vec<usize> {
        let parts = split(text, MESSAGE_LIMIT);
        parts.iter().map(|part| units(part)).collect()
    }

    #[test]
    fn tg_out_001_five_thousand_emoji_are_three_parts_and_none_is_halved() {
        let text = "🙂".repeat(5000);
        assert_eq!(lengths(&text), [4096, 4096, 1808]);
        assert_eq!(split(&text, MESSAGE_LIMIT).concat(), text);
    }

    #[test]
    fn tg_out_002_a_word_longer_than_a_message_is_cut_at_the_limit() {
        let text = format!("See {} end", "a".repeat(9000));
        let started = Instant::now();
        let parts = split(&text, MESSAGE_LIMIT);
        assert!(started.elapsed() < Duration::from_secs(1));
        assert!((3..=4).contains(&parts.len()));
        assert_eq!(
            parts.concat().replace(' ', ""),
            text.replace(' ', ""),
            "only white space may go"
        );
    }

    #[test]
    fn tg_out_003_the_limit_is_inclusive_and_a_pair_moves_as_a_whole() {
        assert_eq!(lengths(&"x".repeat(4096)), [4096]);
        assert_eq!(lengths(&format!("{}🙂", "y".repeat(4095))), [4095, 2]);
    }

    #[test]
    fn tg_out_010_what_shows_nothing_has_no_parts() {
        for text in [
            "",
            " \n\t ",
            "\u{200b}\u{2060}\u{feff}",
            "\0",
            "\u{2800}\u{2800}",
            "\u{3164}",
            "\u{115f}\u{1160} \u{ffa0}",
        ] {
            assert!(split(text, MESSAGE_LIMIT).is_empty(), "{text:?}");
        }
        assert_eq!(split("visible", MESSAGE_LIMIT), ["visible"]);
    }

    #[test]
    fn tg_out_015_a_text_that_fits_is_left_alone() {
        let text =
            "  C:\\new\\table.txt * . ! - = | { } ~ # + 3*4 = 12; x_1; `unclosed; [half](\n ";
        assert_eq!(split(text, MESSAGE_LIMIT), [text]);
    }

    #[test]
    fn lines_are_kept_whole_before_words_are() {
        assert_eq!(split("one two\nthree four", 12), ["one two", "three four"]);
        assert_eq!(split("a\nb c d e f", 8), ["a\nb c d", "e f"]);
        assert_eq!(split("abcd efgh", 4), ["abcd", "efgh"]);
        assert_eq!(split("ab\u{a0}cd ef", 6), ["ab\u{a0}cd", "ef"]);
    }

    #[test]
    fn what_a_reader_sees_as_one_character_stays_whole() {
        let family = "👨‍👩‍👧";
        assert_eq!(units(family), 8);
        let text = format!("{}{family}", "x".repeat(7));
        assert_eq!(split(&text, 10), ["xxxxxxx", family]);
        // One that fills a message by itself is cut all the same.
        let stacked = format!("e{}", "\u{301}".repeat(30));
        let parts = split(&stacked, 10);
        assert!(parts.iter().all(|part| units(part) <= 10));
        assert_eq!(parts.first().map(|part| units(part)), Some(10));
    }

    #[test]
    fn blank_stretches_longer_than_a_message_are_left_out() {
        let text = format!("a{}b", " ".repeat(10_000));
        assert_eq!(split(&text, MESSAGE_LIMIT), ["a", "b"]);
        let text = format!("{}b", "\n".repeat(10_000));
        assert_eq!(split(&text, MESSAGE_LIMIT), ["b"]);
    }

    #[test]
    fn two_million_units_take_little_time_whatever_they_are() {
        for unit in ["a", "🇩🇪", "e\u{301}", "👩‍", "a b", "\n", " "] {
            let text = unit.repeat(2_000_000 / units(unit));
            let started = Instant::now();
            split(&text, MESSAGE_LIMIT);
            assert!(started.elapsed() < Duration::from_secs(5), "{unit:?}");
        }
    }

    fn words() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            matching("[a-z]{1,20}"),
            matching("[ \n\t]{1,6}"),
            prop::sample::select(
                &[
                    "🙂",
                    "👨‍👩‍👧",
                    "👍🏽",
                    "🇩🇪",
                    "e\u{301}",
                    "\u{301}",
                    "\u{200d}",
                    "\u{200b}x",
                    "\u{a0}"
                ][..]
            )
            .prop_map(str::to_owned),
            any::<char>().prop_map(|c| c.to_string()),
        ];
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn property_parts_fit_show_something_and_lose_only_white_space_at_seams(
            text in words(), limit in 2_usize..40,
        ) {
            let parts = split(&text, limit);
            let mut rest = text.as_str();
            for part in &parts {
                prop_assert!(units(part) <= limit, "{part:?}");
                prop_assert!(part.chars().any(is_visible), "{part:?}");
                let at = rest.find(part).unwrap();
                prop_assert!(!rest[..at].chars().any(is_visible), "lost {:?}", &rest[..at]);
                rest = &rest[at + part.len()..];
                // What a reader sees as one character is cut only where a message has no room for it.
                let seam = text.len() - rest.len();
                let whole = text.grapheme_indices(true).find(|(at, whole)| {
                    (at + 1..at + whole.len()).contains(&seam)
                });
                // White space is left out at a seam, also where it belongs to the character before it.
                prop_assert!(
                    whole.is_none_or(|(at, whole)| {
                        units(whole) > limit || whole[seam - at..].trim().is_empty()
                    }),
                    "{whole:?} is cut behind {part:?}"
                );
            }
            prop_assert!(!rest.chars().any(is_visible), "lost {rest:?}");
        }
    }
}
