//! Words as they are compared: without case, accents, endings and small slips.
//!
//! Promises: the same two texts always compare alike, and how alike two words are has one of few
//! values, which `docs/faq.md` explains.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Words that say little about what is asked, in English and German. They count for a twentieth: they only
/// decide between questions that are alike otherwise.
const FILLERS: [&str; 110] = [
    "a", "an", "the", "is", "are", "am", "be", "do", "does", "did", "you", "your", "i", "my", "me",
    "we", "us", "our", "to", "of", "in", "on", "at", "for", "and", "or", "can", "could", "would",
    "should", "please", "have", "has", "had", "how", "what", "when", "where", "which", "who",
    "why", "will", "it", "its", "this", "that", "with", "there", "any", "about", "if", "want",
    "need", "know", "get", "der", "die", "das", "den", "dem", "ein", "eine", "einen", "ist",
    "sind", "ich", "du", "sie", "wir", "ihr", "mein", "meine", "meinen", "euer", "eure", "zu",
    "zum", "zur", "von", "im", "auf", "am", "fur", "und", "oder", "kann", "konnen", "konnt",
    "bitte", "habe", "haben", "habt", "wie", "was", "wann", "wo", "welche", "wer", "wird", "es",
    "dies", "mit", "man", "gibt", "mich", "mir", "uns", "euch", "ob", "wenn",
];

/// The words of a text: lower case, without accents and punctuation.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut folded = String::with_capacity(text.len());
    for c in text.nfkd().filter(|c| !is_combining_mark(*c)) {
        match c {
            'ß' | 'ẞ' => folded.push_str("ss"),
            'æ' | 'Æ' => folded.push_str("ae"),
            'œ' | 'Œ' => folded.push_str("oe"),
            'ø' | 'Ø' => folded.push('o'),
            'ł' | 'Ł' => folded.push('l'),
            'đ' | 'Đ' => folded.push('d'),
            'ı' => folded.push('i'),
            // "what's" is one word, as it is spoken.
            '\'' | '’' => {}
            _ => folded.extend(c.to_lowercase()),
        }
    }
    folded
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(ToOwned::to_owned)
        .collect()
}

/// Whether two texts are the same words in the same order.
pub(super) fn same(one: &str, other: &str) -> bool {
    let one = words(one);
    !one.is_empty() && one == words(other)
}

/// How much a word counts.
pub(super) fn weight(word: &str) -> f64 {
    if FILLERS.contains(&word) { 0.05 } else { 1.0 }
}

/// How alike two words are: 1 the same, 0.9 but for the ending, 0.8 but for a slip, else 0.
pub(super) fn likeness(one: &str, other: &str) -> f64 {
    if one == other {
        return 1.0;
    }
    let (a, b): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    if a.iter().chain(&b).any(char::is_ascii_digit) {
        return 0.0;
    }
    if same_stem(&a, &b) {
        return 0.9;
    }
    let shorter = a.len().min(b.len());
    let allowed = match shorter {
        0..=4 => 0,
        5..=8 => 1,
        _ => 2,
    };
    if a.first() == b.first() && a.len().abs_diff(b.len()) <= allowed && slips(&a, &b) <= allowed {
        return 0.8;
    }
    0.0
}

/// The same beginning of four letters or more, and at most three more in each. Where it is only
/// four, one of the two must end there.
fn same_stem(a: &[char], b: &[char]) -> bool {
    let common = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let (rest_a, rest_b) = (a.len() - common, b.len() - common);
    let ends_there = rest_a == 0 || rest_b == 0;
    (common >= 6 || (common >= 4 && ends_there)) && rest_a.max(rest_b) <= 3
}

/// Letters left out, added, wrong, or swapped with their neighbour.
fn slips(a: &[char], b: &[char]) -> usize {
    let width = b.len() + 1;
    let mut rows = vec![vec![0; width]; a.len() + 1];
    rows[0] = (0..width).collect();
    for i in 1..=a.len() {
        rows[i][0] = i;
        for j in 1..width {
            let wrong = usize::from(a[i - 1] != b[j - 1]);
            let mut least = (rows[i - 1][j] + 1)
                .min(rows[i][j - 1] + 1)
                .min(rows[i - 1][j - 1] + wrong);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = least;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_accents_and_punctuation_do_not_matter() {
        assert_eq!(words("  ÖFFNUNGSZEITEN?! "), ["offnungszeiten"]);
        assert_eq!(
            words("Where's my ORDER №7"),
            ["wheres", "my", "order", "no7"]
        );
        assert!(same("Straße", "strasse"));
        assert!(!same("", "?"));
    }

    #[test]
    fn endings_and_slips_are_forgiven_and_other_words_are_not() {
        for (one, other, expected) in [
            ("open", "opening", 0.9),
            ("return", "returns", 0.9),
            ("lieferung", "liefern", 0.9),
            ("delivery", "delivrey", 0.8),
            ("adress", "address", 0.8),
            ("store", "story", 0.8),
            ("card", "care", 0.0),
            ("house", "hours", 0.0),
            ("shop", "shoe", 0.0),
            ("12345", "12346", 0.0),
        ] {
            let found = likeness(one, other);
            assert!((found - expected).abs() < 1e-9, "{one} {other}: {found}");
        }
    }
}
