//! Numbers that a reader would change: an integer beyond 2^53 − 1 is another one for whoever reads
//! numbers as doubles, as JavaScript does (RFC 7493 §2.2, RFC 8259 §6). Such a body is refused, with
//! the place of the number; a long id is a string.
//!
//! What is written with a fraction or an exponent is a double for every reader, and stays as it came.

use switchboard_model::{Error, Result};

/// The largest integer that has no neighbour with the same double.
const LARGEST: u64 = (1 << 53) - 1;
/// How many digits it has.
const DIGITS: usize = 16;
/// Of a longer place, its beginning says enough.
const SHOWN: usize = 200;

const EXPECTED: &str = "expected an integer from -9007199254740991 to 9007199254740991, or the \
                        number as a string: readers in JavaScript would round it";

/// Refuses an integer beyond what a double holds exactly. `json` must be valid JSON.
pub(crate) fn check(json: &[u8]) -> Result<()> {
    // Digits so long cover one of these bytes, and hardly a body has so many.
    let mut sixteenth = json.iter().skip(DIGITS - 1).step_by(DIGITS);
    if !sixteenth.any(u8::is_ascii_digit) {
        return Ok(());
    }
    match beyond(json) {
        None => Ok(()),
        Some(place) => Err(Error::invalid(place, EXPECTED)),
    }
}

/// What encloses a value, and which one of it the value is.
enum Level<'a> {
    /// By its name as it is written, with the quotes; nothing before it was read.
    Object(&'a [u8]),
    List(usize),
}

/// The place of the first integer that is too large.
fn beyond(json: &[u8]) -> Option<String> {
    let mut levels = Vec::new();
    let mut at = 0;
    while let Some(byte) = json.get(at) {
        let mut end = at + 1;
        match byte {
            b'{' => levels.push(Level::Object(b"")),
            b'[' => levels.push(Level::List(0)),
            b'}' | b']' => {
                levels.pop();
            }
            b',' => match levels.last_mut() {
                Some(Level::List(item)) => *item += 1,
                Some(Level::Object(name)) => *name = b"",
                None => {}
            },
            b'"' => {
                end = at + text_length(&json[at..]);
                if let Some(Level::Object(name @ b"")) = levels.last_mut() {
                    *name = &json[at..end];
                }
            }
            b'-' | b'0'..=b'9' => {
                end = at + number_length(&json[at..]);
                if is_beyond(&json[at..end]) {
                    return Some(place(&levels));
                }
            }
            _ => {}
        }
        at = end;
    }
    None
}

/// How long a text is with its quotes.
fn text_length(json: &[u8]) -> usize {
    let mut at = 1;
    loop {
        match json.get(at) {
            None => return json.len(),
            Some(b'"') => return at + 1,
            Some(b'\\') => at += 2,
            Some(_) => at += 1,
        }
        if at > json.len() {
            return json.len();
        }
    }
}

fn number_length(json: &[u8]) -> usize {
    let is_part = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
    json.iter()
        .position(|byte| !is_part(byte))
        .unwrap_or(json.len())
}

/// Whether a number is an integer, as it is written, that is too large.
fn is_beyond(number: &[u8]) -> bool {
    let digits = number.strip_prefix(b"-").unwrap_or(number);
    if digits.len() < DIGITS || !digits.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let value = std::str::from_utf8(digits).ok().map(str::parse::<u64>);
    !matches!(value, Some(Ok(..=LARGEST)))
}

/// As `payload.items[3].id`.
fn place(levels: &[Level<'_>]) -> String {
    let mut place = String::new();
    for level in levels {
        match level {
            Level::List(item) => place.extend(["[", &item.to_string(), "]"]),
            Level::Object(name) => {
                if !place.is_empty() {
                    place.push('.');
                }
                place.push_str(&serde_json::from_slice::<String>(name).unwrap_or_default());
            }
        }
    }
    match place.char_indices().nth(SHOWN) {
        None => place,
        Some((cut, _)) => format!("{}…", &place[..cut]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(json: &str) -> Option<String> {
        serde_json::from_str::<serde_json::Value>(json).unwrap();
        match check(json.as_bytes()) {
            Ok(()) => None,
            Err(Error::InvalidPayload { field, .. }) => Some(field),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn an_integer_beyond_what_a_double_holds_is_named_by_its_place() {
        for (json, place) in [
            (
                r#"{"payload":{"items":[0,1,{},{"id":9007199254740992}]}}"#,
                "payload.items[3].id",
            ),
            (r#"{"n":-9007199254740992}"#, "n"),
            (r#"{"n":18446744073709551616}"#, "n"),
            (
                r#"{"a":{"b":1},"c":[[],[1,[99999999999999999]]]}"#,
                "c[1][1][0]",
            ),
            (
                r#"{"a\"}\\":"x","b\u0063": -100000000000000000000000000000 }"#,
                "bc",
            ),
            (r#"{"a":{"":{"a.b":9007199254740993}}}"#, "a..a.b"),
        ] {
            assert_eq!(refused(json).as_deref(), Some(place), "{json}");
            // Wherever it lies among the bytes.
            for blanks in 0..17 {
                let shifted = format!("{}{json}", " ".repeat(blanks));
                assert_eq!(refused(&shifted).as_deref(), Some(place), "{shifted}");
            }
        }
        let long = format!(r#"{{"{}":9007199254740993}}"#, "\u{e9}".repeat(5000));
        assert_eq!(refused(&long).unwrap().chars().count(), SHOWN + 1);
    }

    #[test]
    fn what_every_reader_reads_alike_is_taken() {
        for json in [
            r#"{"n":9007199254740991,"m":-9007199254740991,"z":-0}"#,
            r#"{"n":9007199254740993.0,"m":1e308,"x":-12345678901234567890e2,"y":1E+20}"#,
            r#"{"id":"9007199254740993","9007199254740993":1,"a\\":"\"9007199254740993"}"#,
            r#"{"n":0.12345678901234567890,"t":"\\\"","u":"1234567890123456789012345678901234"}"#,
            "{}",
        ] {
            assert_eq!(refused(json), None, "{json}");
        }
    }
}
