//! Which entry a text means, by points that anybody can count again (`docs/faq.md`).
//!
//! A phrase's points are the share of its words that the text has, each word weighted (fillers
//! count for a twentieth) and as far as it is alike. An entry has the points of its best phrase.

use super::words::{likeness, weight, words};

/// From here on an entry is the answer.
pub(super) const ANSWER: f64 = 0.75;
/// From here on it is suggested.
pub(super) const SUGGEST: f64 = 0.25;
/// The most suggestions.
const SUGGESTIONS: usize = 4;

/// The words of one phrase.
#[derive(Debug, Clone)]
pub(super) struct Phrase(Vec<(String, f64)>);

impl Phrase {
    pub(super) fn new(text: &str) -> Self {
        let mut weighted: Vec<(String, f64)> = words(text)
            .into_iter()
            .map(|word| (weight(&word), word))
            .map(|(weight, word)| (word, weight))
            .collect();
        if weighted.iter().all(|(_, weight)| *weight < 1.0) {
            for (_, weight) in &mut weighted {
                *weight = 1.0;
            }
        }
        Self(weighted)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The share of it that a text has, and how much that is.
    fn points(&self, text: &[String]) -> (f64, f64) {
        let mut found = 0.0;
        let mut whole = 0.0;
        for (word, weight) in &self.0 {
            let best = text
                .iter()
                .map(|given| likeness(word, given))
                .fold(0.0, f64::max);
            found += weight * best;
            whole += weight;
        }
        if whole > 0.0 {
            (found / whole, found)
        } else {
            (0.0, 0.0)
        }
    }
}

/// How well something fits.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit<T> {
    /// What.
    pub of: T,
    /// The share of its best phrase that the text has, from 0 to 1.
    pub points: f64,
    /// How much of the text that explains: more words beat fewer.
    pub found: f64,
}

/// What a text means.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Meaning<T> {
    /// This.
    One(T),
    /// One of these, best first.
    Perhaps(Vec<T>),
    /// Nothing known.
    Nothing,
}

/// How well each of several fits, best first; those without a point are left out.
pub(super) fn rank<'a, T>(
    text: &str,
    candidates: impl IntoIterator<Item = (T, &'a [Phrase])>,
) -> Vec<Fit<T>> {
    let given = words(text);
    let mut fits: Vec<Fit<T>> = candidates
        .into_iter()
        .map(|(of, phrases)| {
            let (mut points, mut found) = (0.0, 0.0);
            for phrase in phrases {
                let (share, much) = phrase.points(&given);
                let is_answer = share >= ANSWER;
                let was_answer = points >= ANSWER;
                // Among phrases that would do, the one that says more; else the one nearest to it.
                if (is_answer, if is_answer { much } else { share })
                    > (was_answer, if was_answer { found } else { points })
                {
                    (points, found) = (share, much);
                }
            }
            Fit { of, points, found }
        })
        .filter(|fit| fit.points > 0.0)
        .collect();
    fits.sort_by(|a, b| {
        let answers = |fit: &Fit<T>| fit.points >= ANSWER;
        answers(b)
            .cmp(&answers(a))
            .then(if answers(a) {
                b.found.total_cmp(&a.found)
            } else {
                b.points.total_cmp(&a.points)
            })
            .then(b.points.total_cmp(&a.points))
    });
    fits
}

/// What to make of a ranking.
pub(super) fn meaning<T>(fits: Vec<Fit<T>>) -> Meaning<T> {
    let tied = |a: &Fit<T>, b: &Fit<T>| {
        (a.found - b.found).abs() < 1e-9 && (a.points - b.points).abs() < 1e-9
    };
    let is_clear = match fits.as_slice() {
        [] => return Meaning::Nothing,
        [one] => one.points >= ANSWER,
        [one, two, ..] => one.points >= ANSWER && !tied(one, two),
    };
    let mut fits = fits.into_iter();
    if is_clear {
        return fits
            .next()
            .map_or(Meaning::Nothing, |fit| Meaning::One(fit.of));
    }
    let perhaps: Vec<T> = fits
        .filter(|fit| fit.points >= SUGGEST)
        .take(SUGGESTIONS)
        .map(|fit| fit.of)
        .collect();
    if perhaps.is_empty() {
        Meaning::Nothing
    } else {
        Meaning::Perhaps(perhaps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Meaning<&'static str> {
        let entries = [
            (
                "hours",
                vec!["opening hours", "when are you open", "öffnungszeiten"],
            ),
            ("returns", vec!["return", "send something back", "refund"]),
            ("return_cost", vec!["what does a return cost"]),
            ("delivery", vec!["delivery", "how long does shipping take"]),
        ]
        .map(|(id, phrases)| (id, phrases.into_iter().map(Phrase::new).collect::<Vec<_>>()));
        meaning(rank(
            text,
            entries
                .iter()
                .map(|(id, phrases)| (*id, phrases.as_slice())),
        ))
    }

    #[test]
    fn a_question_finds_its_answer_in_other_words_and_with_slips() {
        for (text, expected) in [
            ("When do you OPEN?", "hours"),
            ("oeffnungszeiten", "hours"),
            ("öffnungszeitn bitte", "hours"),
            ("I'd like to return these shoes", "returns"),
            ("retrun", "returns"),
            ("can I get a refund", "returns"),
            ("how much does the return cost", "return_cost"),
            ("how long does the shipping take", "delivery"),
        ] {
            assert_eq!(found(text), Meaning::One(expected), "{text}");
        }
    }

    #[test]
    fn what_is_half_said_or_means_two_things_is_asked_back() {
        assert_eq!(found("something"), Meaning::Perhaps(vec!["returns"]));
        let both = found("refund delivery");
        assert_eq!(both, Meaning::Perhaps(vec!["returns", "delivery"]));
        assert_eq!(found("do you sell bicycles"), Meaning::Nothing);
        assert_eq!(found("🙂"), Meaning::Nothing);
    }
}
