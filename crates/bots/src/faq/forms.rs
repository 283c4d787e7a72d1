//! Whether an answer to a form's question will do.

use super::script::{Field, FieldKind};
use super::words::{same, words};

/// The longest answer, in characters, unless the form says less.
pub(super) const LONGEST: usize = 1_000;

/// The answer as it is kept.
pub(super) fn check(field: &Field, text: &str) -> Option<String> {
    let text = text.trim();
    let length = text.chars().count();
    if text.is_empty() || length > LONGEST {
        return None;
    }
    match field.kind {
        FieldKind::Text => {
            #[allow(clippy::cast_precision_loss)] // At most a thousand.
            let length = length as f64;
            within(field, length).then(|| text.to_owned())
        }
        FieldKind::Number => {
            let plain = text.replace(',', ".");
            let is_plain = plain
                .bytes()
                .all(|byte| byte.is_ascii_digit() || b"+-.".contains(&byte));
            let number: f64 = plain.parse().ok().filter(|_| is_plain)?;
            (number.is_finite() && within(field, number)).then_some(plain)
        }
        FieldKind::Email => is_email(text).then(|| text.to_owned()),
        FieldKind::Phone => is_phone(text).then(|| text.to_owned()),
        FieldKind::Choice => {
            let number = text.trim_end_matches(['.', ')']).parse::<usize>().ok();
            number
                .and_then(|number| field.options.get(number.checked_sub(1)?))
                .or_else(|| field.options.iter().find(|option| same(option, text)))
                .or_else(|| one_alike(&field.options, text))
                .cloned()
        }
    }
}

fn within(field: &Field, value: f64) -> bool {
    field.min.is_none_or(|min| value >= min) && field.max.is_none_or(|max| value <= max)
}

/// The only option that is meant, should there be a slip in it.
fn one_alike<'a>(options: &'a [String], text: &str) -> Option<&'a String> {
    let given = words(text);
    let mut alike = options.iter().filter(|option| {
        let option = words(option);
        option.len() == given.len()
            && option
                .iter()
                .zip(&given)
                .all(|(a, b)| super::words::likeness(a, b) > 0.0)
    });
    alike.next().filter(|_| alike.next().is_none())
}

/// As far as one can tell without sending something there.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    text.len() <= 254
        && !local.is_empty()
        && local.len() <= 64
        && !local.contains(['@', ',', ';', '<', '>'])
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
        && domain.contains('.')
        && domain.split('.').all(is_label)
}

fn is_phone(text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let rest = text.strip_prefix('+').unwrap_or(text);
    (6..=15).contains(&digits)
        && rest
            .chars()
            .all(|c| c.is_ascii_digit() || " -/().".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(kind: FieldKind) -> Field {
        Field {
            name: "x".to_owned(),
            ask: "?".to_owned(),
            kind,
            min: None,
            max: None,
            options: vec!["Red shoes".to_owned(), "Blue".to_owned()],
            invalid: None,
        }
    }

    #[test]
    fn answers_are_checked_by_their_kind() {
        for (kind, good, bad) in [
            (FieldKind::Text, vec!["x", " ö 🙂 "], vec!["", "  "]),
            (
                FieldKind::Number,
                vec!["7", "-1,5", "3.25"],
                vec!["seven", "1e9", "inf", "nan", "1.2.3", "12 345"],
            ),
            (
                FieldKind::Email,
                vec!["ada@example.com", "a.b+c@mail.example.co"],
                vec![
                    "ada",
                    "ada@example",
                    "@example.com",
                    "a b@example.com",
                    "a@b@c.de",
                    "a@-b.de",
                    "a@b..de",
                ],
            ),
            (
                FieldKind::Phone,
                vec!["+49 30 123456", "(030) 12-34-56", "0301234567"],
                vec!["12345", "call me", "+1234567890123456", "12+345678"],
            ),
            (
                FieldKind::Choice,
                vec!["1", "2.", "red SHOES", "blue"],
                vec!["0", "3", "green", "red"],
            ),
        ] {
            for text in good {
                assert!(check(&field(kind), text).is_some(), "{kind:?} {text:?}");
            }
            for text in bad {
                assert_eq!(check(&field(kind), text), None, "{kind:?} {text:?}");
            }
        }
    }

    #[test]
    fn bounds_hold_for_numbers_and_for_the_length_of_texts() {
        let mut number = field(FieldKind::Number);
        (number.min, number.max) = (Some(1.0), Some(10.0));
        assert_eq!(check(&number, "10"), Some("10".to_owned()));
        assert_eq!(check(&number, "10.5"), None);
        let mut text = field(FieldKind::Text);
        text.max = Some(3.0);
        assert_eq!(check(&text, "abcd"), None);
        assert_eq!(
            check(&field(FieldKind::Text), &"x".repeat(LONGEST + 1)),
            None
        );
    }
}
