//! Percent-encoding as RFC 3986 has it (<https://www.rfc-editor.org/rfc/rfc3986#section-2.1>): two
//! hexadecimal digits follow each `%`, and what comes out is UTF-8. Anything else is an error; a
//! guess would name something that nobody meant.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// Undoes it, once.
pub(crate) fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !is_encoded(text) {
        return None;
    }
    percent_decode_str(text).decode_utf8().ok()
}

/// Whether each `%` is followed by two digits.
fn is_encoded(text: &str) -> bool {
    let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    let bytes = text.as_bytes();
    let mut places = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'%');
    places.all(|(at, _)| digit(bytes.get(at + 1)) && digit(bytes.get(at + 2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_encoded_right_is_no_guess() {
        assert_eq!(decode("a%20b%2525").as_deref(), Some("a b%25"));
        for wrong in ["%", "%4", "%zz", "a%", "%ff", "%c3", "100%"] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }
}
