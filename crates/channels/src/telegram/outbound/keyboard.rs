//! Buttons under a message.
//!
//! Promises: what a button brings back fits into Telegram's 64 bytes, and no two values are brought
//! back alike; a list longer than a page is shown page by page.

use crate::telegram::visible::is_visible;
use serde_json::{Value, json};
use switchboard_engine::keys;

/// The most bytes that a button brings back.
const DATA_LIMIT: usize = 64;

/// How many buttons a page has.
const PAGE: usize = 8;

/// The most units of a label that is sure to be read.
const LABEL_LIMIT: usize = 64;

/// What begins the stand-in for a longer value.
pub(in crate::telegram) const KEPT: &str = "sb:";

/// What begins the wish for another page.
pub(in crate::telegram) const TURN: &str = "sb>";

/// A button.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::telegram) struct Button {
    label: String,
    press: Press,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Press {
    Say(String),
    Open(String),
}

/// One page of buttons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::telegram) struct Keyboard {
    rows: Vec<Vec<(String, Field, String)>>,
}

/// What a press does, as Telegram calls it.
type Field = &'static str;

impl Button {
    pub(super) fn say(label: &str, value: &str) -> Self {
        let said = if value.is_empty() { label } else { value };
        Self {
            label: shown(label, said),
            press: Press::Say(said.to_owned()),
        }
    }

    pub(super) fn open(label: &str, address: &str) -> Self {
        Self {
            label: shown(label, address),
            press: Press::Open(address.to_owned()),
        }
    }

    /// The value that does not travel with the button and must be kept.
    pub(super) fn kept(&self) -> Option<&str> {
        match &self.press {
            Press::Say(value) if !travels(value) => Some(value),
            _ => None,
        }
    }

    fn key(&self) -> (String, Field, String) {
        let (field, data) = match &self.press {
            Press::Open(address) => ("url", address.clone()),
            Press::Say(value) if travels(value) => ("callback_data", value.clone()),
            Press::Say(value) => ("callback_data", stand_in(value)),
        };
        (self.label.clone(), field, data)
    }
}

impl Keyboard {
    /// A page of `buttons`, which belong to item `item` of the message `message`; none without
    /// buttons. A page that is not there is the last.
    pub(in crate::telegram) fn page(
        buttons: &[Button],
        message: &str,
        item: usize,
        page: usize,
    ) -> Option<Self> {
        if buttons.is_empty() {
            return None;
        }
        let pages = buttons.len().div_ceil(PAGE);
        let page = page.min(pages - 1);
        let here = buttons.iter().skip(page * PAGE).take(PAGE);
        let mut rows: Vec<_> = here.map(|button| vec![button.key()]).collect();
        if pages > 1 {
            let turn = |label: String, to: usize| {
                (
                    label,
                    "callback_data",
                    format!("{TURN}{message}:{item}:{to}"),
                )
            };
            let back = (page + pages - 1) % pages;
            rows.push(vec![
                turn("‹".to_owned(), back),
                turn(format!("{} / {pages}", page + 1), page),
                turn("›".to_owned(), (page + 1) % pages),
            ]);
        }
        Some(Self { rows })
    }

    /// As Telegram takes it.
    pub(in crate::telegram) fn markup(&self) -> Value {
        let row = |row: &Vec<(String, Field, String)>| -> Value {
            let buttons = row.iter();
            buttons
                .map(|(label, field, data)| json!({ "text": label, *field: data }))
                .collect()
        };
        json!({ "inline_keyboard": self.rows.iter().map(row).collect::<Value>() })
    }
}

/// What stands for a value in a button: the same for the same value, after a restart too.
pub(in crate::telegram) fn stand_in(value: &str) -> String {
    let key = keys::key([b"button".as_slice(), value.as_bytes()]);
    format!("{KEPT}{}", keys::hex(&key.0))
}

/// Whether a value can be what a button brings back. One that looks like a stand-in cannot.
fn travels(value: &str) -> bool {
    (1..=DATA_LIMIT).contains(&value.len()) && !value.starts_with(KEPT) && !value.starts_with(TURN)
}

/// A label that shows something.
fn shown(label: &str, instead: &str) -> String {
    // Telegram refuses a button that shows nothing, and its message.
    let shows = |text: &&str| text.chars().any(is_visible);
    let label = [label, instead].into_iter().find(shows).unwrap_or("…");
    if label.chars().count() <= LABEL_LIMIT {
        return label.to_owned();
    }
    let kept: String = label.chars().take(LABEL_LIMIT - 1).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::telegram::property::matching;

    fn data(button: &Button) -> String {
        button.key().2
    }

    #[test]
    fn short_values_travel_and_long_ones_have_a_stand_in() {
        assert_eq!(data(&Button::say("a", "v")), "v");
        assert_eq!(data(&Button::say("a", &"v".repeat(64))), "v".repeat(64));
        let long = Button::say("a", &"v".repeat(65));
        assert_eq!(long.kept(), Some("v".repeat(65).as_str()));
        assert_eq!(data(&long), stand_in(&"v".repeat(65)));
        // Nobody can say another's long value by its stand-in.
        let forged = Button::say("a", &data(&long));
        assert_eq!(data(&forged), stand_in(&data(&long)));
        assert_eq!(data(&Button::say("label", "")), "label");
    }

    #[test]
    fn many_buttons_come_page_by_page() {
        let buttons: Vec<_> = (0..20)
            .map(|n| Button::say(&format!("b{n}"), "v"))
            .collect();
        let markup = |page| {
            let keyboard = Keyboard::page(&buttons, "msg_01ARZ3NDEKTSV4RRFFQ69G5FAV", 0, page);
            keyboard.unwrap().markup()["inline_keyboard"].clone()
        };
        assert_eq!(markup(0).as_array().unwrap().len(), 9);
        assert_eq!(markup(0)[8][1]["text"], "1 / 3");
        assert_eq!(
            markup(0)[8][2]["callback_data"],
            "sb>msg_01ARZ3NDEKTSV4RRFFQ69G5FAV:0:1"
        );
        assert_eq!(markup(2)[0][0]["text"], "b16");
        assert_eq!(markup(2).as_array().unwrap().len(), 5);
        assert_eq!(markup(9), markup(2));
        assert_eq!(Keyboard::page(&[], "m", 0, 0), None);
        let few = Keyboard::page(&buttons[..8], "m", 0, 0).unwrap().markup();
        assert_eq!(few["inline_keyboard"].as_array().unwrap().len(), 8);
    }

    proptest! {
        #[test]
        fn property_what_comes_back_fits_and_tells_values_apart(
            one in matching(".{0,80}"), other in matching(".{0,80}"),
        ) {
            let (a, b) = (Button::say("x", &one), Button::say("x", &other));
            for button in [&a, &b] {
                prop_assert!((1..=DATA_LIMIT).contains(&data(button).len()));
                prop_assert!(!button.label.trim().is_empty());
            }
            if !one.is_empty() && !other.is_empty() {
                prop_assert_eq!(data(&a) == data(&b), one == other);
            }
        }
    }
}
