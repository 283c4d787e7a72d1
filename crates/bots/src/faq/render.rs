//! Variables in texts: `{name}`; `{{` is a brace.

use std::collections::{BTreeMap, BTreeSet};

/// The variables that are always there.
pub(super) const BUILT_IN: [&str; 2] = ["name", "open"];

/// Fills in the variables. A value is put in as it is, and not read again.
pub(super) fn fill(text: &str, values: &BTreeMap<&str, &str>) -> String {
    let mut filled = String::with_capacity(text.len());
    for piece in pieces(text) {
        match piece {
            Piece::Plain(text) => filled.push_str(text),
            Piece::Variable(name) => filled.push_str(values.get(name).copied().unwrap_or_default()),
            Piece::Open | Piece::Unclosed => filled.push('{'),
        }
    }
    filled
}

/// Whether all variables of a text are known.
pub(super) fn check(text: &str, known: &BTreeSet<String>) -> Result<(), String> {
    for piece in pieces(text) {
        match piece {
            Piece::Variable(name) if !known.contains(name) => {
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                return Err(format!(
                    "there is no variable {{{name}}}; known here: {} (a brace itself is {{{{)",
                    known.join(", ")
                ));
            }
            Piece::Unclosed => {
                return Err("a brace is not closed; a brace itself is {{".to_owned());
            }
            _ => {}
        }
    }
    Ok(())
}

enum Piece<'a> {
    Plain(&'a str),
    Variable(&'a str),
    Open,
    Unclosed,
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        pieces.push(Piece::Plain(&rest[..at]));
        let behind = &rest[at + 1..];
        if let Some(after) = behind.strip_prefix('{') {
            pieces.push(Piece::Open);
            rest = after;
        } else if let Some(end) = behind.find('}') {
            pieces.push(Piece::Variable(&behind[..end]));
            rest = &behind[end + 1..];
        } else {
            pieces.push(Piece::Unclosed);
            rest = behind;
        }
    }
    pieces.push(Piece::Plain(rest));
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_filled_in_once_and_unknown_ones_are_found() {
        let values = BTreeMap::from([("name", "{open}"), ("open", "x")]);
        assert_eq!(fill("Hi {name}, {{name}}!", &values), "Hi {open}, {name}}!");
        let known = BTreeSet::from(["name".to_owned()]);
        assert!(check("{name} {{x}", &known).is_ok());
        assert!(check("{nam}", &known).unwrap_err().contains("{nam}"));
        assert!(check("{name", &known).is_err());
    }
}
