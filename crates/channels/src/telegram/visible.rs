//! Which characters a reader sees something of.
//!
//! Promises: a text of none that do counts as nothing; a character that is not known here counts
//! as visible, so that no text is held back in error.

use std::ops::RangeInclusive;

/// Characters of no appearance that are neither white space nor control characters, in order:
/// Unicode's `Default_Ignorable_Code_Point` (`DerivedCoreProperties.txt`, 16.0), and those that are
/// drawn as a blank.
const UNSEEN: [RangeInclusive<char>; 23] = [
    '\u{ad}'..='\u{ad}',
    '\u{34f}'..='\u{34f}',
    '\u{61c}'..='\u{61c}',
    '\u{115f}'..='\u{1160}',
    '\u{17b4}'..='\u{17b5}',
    '\u{180b}'..='\u{180f}',
    '\u{200b}'..='\u{200f}',
    '\u{202a}'..='\u{202e}',
    '\u{2060}'..='\u{206f}',
    // Blank: the Braille pattern of no dots.
    '\u{2800}'..='\u{2800}',
    '\u{3164}'..='\u{3164}',
    '\u{fe00}'..='\u{fe0f}',
    '\u{feff}'..='\u{feff}',
    '\u{ffa0}'..='\u{ffa0}',
    '\u{fff0}'..='\u{fff8}',
    // Not ignorable, and yet nothing to see: annotation marks, joiners and fillers of scripts.
    '\u{fff9}'..='\u{fffb}',
    '\u{13430}'..='\u{1343f}',
    '\u{13441}'..='\u{13442}',
    '\u{16fe4}'..='\u{16fe4}',
    '\u{1bca0}'..='\u{1bca3}',
    // Blank: the musical symbol of a note without a head.
    '\u{1d159}'..='\u{1d159}',
    '\u{1d173}'..='\u{1d17a}',
    '\u{e0000}'..='\u{e0fff}',
];

/// Whether a reader sees something of this character. Telegram refuses a text of none that are.
pub(super) fn is_visible(c: char) -> bool {
    if c.is_ascii_graphic() {
        return true;
    }
    !(c.is_whitespace() || c.is_control() || UNSEEN.iter().any(|range| range.contains(&c)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fillers_blanks_and_marks_without_appearance_show_nothing() {
        for c in [
            ' ',
            '\n',
            '\0',
            '\u{85}',
            '\u{a0}',
            '\u{ad}',
            '\u{34f}',
            '\u{115f}',
            '\u{17b5}',
            '\u{200b}',
            '\u{200d}',
            '\u{2028}',
            '\u{202e}',
            '\u{2060}',
            '\u{2065}',
            '\u{2800}',
            '\u{3000}',
            '\u{3164}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{fffb}',
            '\u{1d159}',
            '\u{e0041}',
            '\u{e01ef}',
            '\u{e0fff}',
        ] {
            assert!(!is_visible(c), "{c:?}");
        }
    }

    #[test]
    fn letters_signs_emoji_and_what_is_not_known_show_something() {
        for c in [
            'a',
            '.',
            'é',
            '界',
            '\u{301}',
            '\u{2801}',
            '\u{3131}',
            '🙂',
            '\u{fffd}',
            '\u{e000}',
            '\u{1f3fb}',
            '\u{e1000}',
        ] {
            assert!(is_visible(c), "{c:?}");
        }
    }

    #[test]
    fn the_table_is_in_order() {
        assert!(UNSEEN.iter().all(|range| range.start() <= range.end()));
        assert!(UNSEEN.is_sorted_by(|one, next| one.end() < next.start()));
    }
}
