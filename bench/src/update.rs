//! What Telegram's channel hands in of a private message, and which threads say something.

use switchboard_engine::{ExternalThread, ExternalUser, IncomingMessage, Update, UpdateContent};
use switchboard_model::{Json, Tags};

use crate::failure::{Result, failed};
use crate::raw::scatter;

/// When messages that are made now were said, in seconds.
pub(crate) const DATE: u64 = 1_750_000_000;

/// The threads that say something, each with a person of its own. They are numbered from 1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Threads {
    pub(crate) count: u64,
    /// Picked at random, not in turn: of many, that is the worst for an index.
    pub(crate) scattered: bool,
}

impl Threads {
    /// Whose word this is.
    pub(crate) fn of(self, number: u64) -> u64 {
        let place = if self.scattered {
            scatter(number)
        } else {
            number
        };
        1 + place % self.count
    }
}

/// The text of a message, as its payload.
pub(crate) fn text(number: u64) -> String {
    format!(r#"{{"text":"This is what person {number} has to say today, and no more."}}"#)
}

/// What an update is recognised by.
pub(crate) fn once(thread: u64, number: u64) -> [String; 3] {
    ["message".to_owned(), thread.to_string(), number.to_string()]
}

/// The update.
pub(crate) fn update(thread: u64, number: u64, date: u64) -> Result<Update> {
    let chat = thread.to_string();
    let Ok(payload) = Json::parse(&text(number)) else {
        return failed("the payload is no JSON");
    };
    Ok(Update {
        once: once(thread, number).to_vec(),
        content: UpdateContent::Message(IncomingMessage {
            thread: ExternalThread {
                known: None,
                channel: "channel".to_owned(),
                id: chat.clone(),
                tags: Tags::from_iter([("chatId", chat.as_str()), ("chatType", "private")]),
                defaults: Tags::new(),
            },
            sender: ExternalUser {
                known: None,
                id: chat.clone(),
                tags: Tags::from_iter([("username", format!("person{thread}").as_str())]),
                name: Some(format!("Person {thread}")),
            },
            kind: "text".to_owned(),
            payload,
            tags: Tags::from_iter([
                ("chatId", chat.as_str()),
                ("date", date.to_string().as_str()),
                ("id", number.to_string().as_str()),
            ]),
        }),
    })
}
