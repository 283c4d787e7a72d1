//! What Telegram's answers mean for a message on its way out.
//!
//! Promises: Telegram's words are kept word for word, a page of HTML never is, and nothing is
//! called safe to send again that may have been shown.

use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use switchboard_integration::SendOutcome;
use switchboard_model::Tags;

use super::client::{Answer, Refusal, seconds};

/// How long to wait where Telegram asks for it and does not say how long.
const UNTOLD_WAIT: Duration = Duration::from_secs(5);

/// The longest wait that is kept to. Hours have been seen; what is longer is no wait but a mistake,
/// and nobody could tell the message from a lost one.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// What Telegram says of a file that it cannot get, or that is not what the method sends. Nothing of
/// it is about the chat, where a text would be refused as well.
const FILE_TROUBLE: [&str; 22] = [
    "web page content",
    "http url",
    "webpage_",
    "webdocument_",
    "video_file_invalid",
    "is too big for a",
    "image_process_failed",
    "photo_",
    "wrong file identifier",
    "wrong file_id",
    "type of file mismatch",
    "file must be non-empty",
    "_content_type_invalid",
    "external_url_invalid",
    "document_invalid",
    "media_invalid",
    "wrong remote file",
    "file is too big",
    "url host is empty",
    "unsupported url protocol",
    "media_empty",
    "voice_messages_forbidden",
];

/// How Telegram, and Bot API servers of other ages, say that what a message answers is not there.
const NO_REPLY: [&str; 6] = [
    "message to be replied not found",
    "message to reply not found",
    "replied message not found",
    "reply message not found",
    "reply_message_id_invalid",
    "reply_to_invalid",
];

/// What Telegram says of formatting that it cannot use.
const FORMATTING_TROUBLE: [&str; 3] = ["can't parse", "entity_", "entities_"];

/// What Telegram says where the wish is fulfilled already, or nobody waits for it any more.
const MOOT: [&str; 4] = [
    "message is not modified",
    "message_not_modified",
    "message to delete not found",
    "query is too old",
];

/// What is to be done after an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It was taken; the message's id, if it can be read.
    Taken(Option<i64>),
    /// The wish is fulfilled already, or nobody waits for it any more.
    Moot,
    /// The same once again without what this is about; Telegram's words.
    Without(Trouble, String),
    /// The same to the supergroup that the group has become; Telegram's words.
    Moved(i64, String),
    /// Anything else: the try is over.
    Over(SendOutcome),
}

/// What of a call Telegram does not take, where it may take the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The message that it answers is not there.
    Reply,
    /// The formatting cannot be parsed.
    Formatting,
    /// The file cannot be got, or not be shown.
    File,
}

/// Reads the answer to a call that sends or changes a message.
pub(super) fn judge(answer: Answer) -> Verdict {
    let over = match answer {
        Answer::Ok(result) => return Verdict::Taken(message_id(&result)),
        Answer::Refused(refusal) => return judge_refusal(refusal),
        Answer::NotJson {
            status,
            retry_after,
        } => not_json(status, retry_after),
        Answer::Redirect { status } => SendOutcome::AccountBroken {
            error: redirected(status),
        },
        Answer::NoConnection(error) => SendOutcome::Retry { error },
        Answer::Lost(error) => SendOutcome::Uncertain { error },
        Answer::TimedOut => SendOutcome::Uncertain {
            error: "no answer in time; Telegram may have taken it".to_owned(),
        },
        Answer::TooLarge => SendOutcome::Uncertain {
            error: "the answer is too large to read; Telegram may have taken it".to_owned(),
        },
    };
    Verdict::Over(over)
}

fn judge_refusal(refusal: Refusal) -> Verdict {
    let Refusal {
        code,
        description: error,
        retry_after,
        migrate_to_chat_id,
    } = refusal;
    let said = |words: &str| error.to_lowercase().contains(words);
    if let Some(after) = wait(code, retry_after, &error) {
        return Verdict::Over(SendOutcome::Wait { after, error });
    }
    if let (400 | 403, Some(chat @ ..0)) = (code, migrate_to_chat_id) {
        return Verdict::Moved(chat, error);
    }
    let over = match code {
        // The token is as good as before.
        404 if said("method not found") => SendOutcome::Permanent {
            error: format!("{error}; the Bot API server is too old for this, take a newer one"),
        },
        401 | 404 => SendOutcome::AccountBroken {
            error: broken(&error),
        },
        504 | 524 => SendOutcome::Uncertain {
            error: unanswered(&error),
        },
        408 | 409 | 425 | 500.. => SendOutcome::Retry { error },
        400 if MOOT.iter().any(|words| said(words)) => return Verdict::Moot,
        400 if NO_REPLY.iter().any(|words| said(words)) => {
            return Verdict::Without(Trouble::Reply, error);
        }
        400 if FORMATTING_TROUBLE.iter().any(|words| said(words)) => {
            return Verdict::Without(Trouble::Formatting, error);
        }
        400 if FILE_TROUBLE.iter().any(|words| said(words)) => {
            return Verdict::Without(Trouble::File, error);
        }
        _ => SendOutcome::Permanent { error },
    };
    Verdict::Over(over)
}

/// How long to wait, if the answer asks for it: as long as `told`, else as `words` say. A server
/// that is out of order asks for it only where it says how long.
pub(super) fn wait(code: u16, told: Option<Duration>, words: &str) -> Option<Duration> {
    let wait = match code {
        420 | 429 => told.or_else(|| wait_in(words)).unwrap_or(UNTOLD_WAIT),
        503 => told?,
        // A chat in slow mode, as the layer below calls it.
        400 if words.to_lowercase().contains("_wait_") => wait_in(words)?,
        _ => return None,
    };
    Some(wait.min(LONGEST_WAIT))
}

/// The 9 of "Too Many Requests: retry after 9", and of `FLOOD_WAIT_9`.
fn wait_in(words: &str) -> Option<Duration> {
    let words = words.to_lowercase();
    let (_, behind) = words
        .split_once("retry after ")
        .or_else(|| words.split_once("_wait_"))?;
    seconds(behind.split(|c: char| !c.is_ascii_digit()).next()?)
}

fn not_json(status: u16, retry_after: Option<Duration>) -> SendOutcome {
    let error = format!("HTTP {status}, not JSON");
    if let Some(after) = wait(status, retry_after, "") {
        return SendOutcome::Wait { after, error };
    }
    match status {
        // It was received by something that calls it a success.
        200..=299 => SendOutcome::Uncertain { error },
        504 | 524 => SendOutcome::Uncertain {
            error: unanswered(&error),
        },
        408 | 425 | 500.. => SendOutcome::Retry { error },
        401 | 404 => SendOutcome::AccountBroken {
            error: format!("{error}; check the address of the Bot API server"),
        },
        _ => SendOutcome::Permanent { error },
    }
}

/// What a gateway passed on and got no answer to in time.
fn unanswered(error: &str) -> String {
    format!("{error}: the gateway got no answer in time; Telegram may have taken it")
}

/// What to do about a redirect.
pub(super) fn redirected(status: u16) -> String {
    format!("HTTP {status}, a redirect; check the address of the Bot API server")
}

/// What to do about a token that Telegram does not take. Also Telegram's 404 says so: a token it
/// has never seen is an unknown path to it.
pub(super) fn broken(description: &str) -> String {
    format!(
        "Telegram refuses the bot token ({description}); take a valid one from @BotFather and \
         set it again"
    )
}

fn message_id(result: &RawValue) -> Option<i64> {
    #[derive(Deserialize)]
    struct Sent {
        message_id: i64,
    }
    serde_json::from_str::<Sent>(result.get())
        .ok()
        .map(|sent| sent.message_id)
}

/// The tags of a message that was sent whole: `id` is the last part's id (the official
/// integration's habit), `ids` are all of them if there are several and they fit into a tag.
pub(super) fn sent_tags(ids: &[String]) -> Tags {
    let mut tags = Tags::new();
    if let Some(last) = ids.last() {
        tags.insert("id", last);
    }
    if ids.len() > 1 {
        let all = ids.join(",");
        if all.len() <= Tags::VALUE_LIMIT {
            tags.insert("ids", all);
        }
    }
    tags
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: u16, description: &str) -> Answer {
        Answer::Refused(Refusal {
            code,
            description: description.to_owned(),
            retry_after: None,
            migrate_to_chat_id: None,
        })
    }

    fn not_json_answer(status: u16) -> Answer {
        Answer::NotJson {
            status,
            retry_after: None,
        }
    }

    fn permanent(error: &str) -> Verdict {
        Verdict::Over(SendOutcome::Permanent {
            error: error.to_owned(),
        })
    }

    fn outcome(answer: Answer) -> SendOutcome {
        match judge(answer) {
            Verdict::Over(outcome) => outcome,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn tg_fail_001_a_wait_is_as_long_as_telegram_says() {
        let answer = Answer::Refused(Refusal {
            code: 429,
            description: "Too Many Requests: retry after 6775".to_owned(),
            retry_after: Some(Duration::from_secs(6775)),
            migrate_to_chat_id: None,
        });
        assert_eq!(
            outcome(answer),
            SendOutcome::Wait {
                after: Duration::from_secs(6775),
                error: "Too Many Requests: retry after 6775".to_owned(),
            }
        );
    }

    #[test]
    fn no_wait_is_longer_than_a_day() {
        for told in [Duration::from_hours(25), Duration::MAX] {
            let answer = Answer::Refused(Refusal {
                code: 429,
                description: "Too Many Requests".to_owned(),
                retry_after: Some(told),
                migrate_to_chat_id: None,
            });
            let SendOutcome::Wait { after, .. } = outcome(answer) else {
                panic!("no wait")
            };
            assert_eq!(after, Duration::from_hours(24));
        }
        assert_eq!(
            outcome(refused(429, "Too Many Requests")),
            SendOutcome::Wait {
                after: UNTOLD_WAIT,
                error: "Too Many Requests".to_owned(),
            }
        );
    }

    #[test]
    fn a_wait_without_parameters_is_read_from_the_words() {
        for (words, after) in [
            ("Too Many Requests: retry after 9", Duration::from_secs(9)),
            ("Flood: Retry after 7 seconds", Duration::from_secs(7)),
            ("FLOOD_WAIT_17", Duration::from_secs(17)),
            (
                "retry after 99999999999999999999999",
                Duration::from_hours(24),
            ),
            ("retry after a while", UNTOLD_WAIT),
            ("İ retry after", UNTOLD_WAIT),
        ] {
            let error = words.to_owned();
            assert_eq!(
                outcome(refused(429, words)),
                SendOutcome::Wait { after, error }
            );
        }
        let words = "Bad Gateway: retry after 9";
        assert!(matches!(
            outcome(refused(502, words)),
            SendOutcome::Retry { .. }
        ));
    }

    #[test]
    fn tg_fail_003_and_009_final_errors_keep_telegrams_words() {
        for (code, words) in [
            (403, "Forbidden: bot was blocked by the user"),
            (403, "Forbidden: user is deactivated"),
            (403, "Forbidden: bot was kicked from the supergroup chat"),
            (403, "Forbidden: bot is not a member of the channel chat"),
            (
                403,
                "Forbidden: bot can't initiate conversation with a user",
            ),
            (403, "Forbidden: the group chat was deleted"),
            (400, "Bad Request: chat not found"),
            (
                400,
                "Bad Request: not enough rights to send text messages to the chat",
            ),
            (400, "Bad Request: message thread not found"),
            (400, "Bad Request: TOPIC_CLOSED"),
            (400, "Bad Request: TOPIC_DELETED"),
            (400, "Bad Request: message to edit not found"),
            (413, "Request Entity Too Large"),
        ] {
            assert_eq!(judge(refused(code, words)), permanent(words));
        }
    }

    #[test]
    fn tg_fail_002_an_upgrade_names_the_new_chat() {
        let words = "Bad Request: group chat was upgraded to a supergroup chat";
        let answer = Answer::Refused(Refusal {
            code: 400,
            description: words.to_owned(),
            retry_after: None,
            migrate_to_chat_id: Some(-1_002_100_000_002),
        });
        let expected = Verdict::Moved(-1_002_100_000_002, words.to_owned());
        assert_eq!(judge(answer), expected);
    }

    #[test]
    fn tg_fail_005_a_refused_token_breaks_the_account_and_no_message() {
        for answer in [
            refused(401, "Unauthorized"),
            refused(404, "Not Found"),
            not_json_answer(404),
            Answer::Redirect { status: 302 },
        ] {
            let outcome = outcome(answer);
            assert!(
                matches!(outcome, SendOutcome::AccountBroken { .. }),
                "{outcome:?}"
            );
        }
    }

    #[test]
    fn a_method_that_an_old_server_does_not_know_breaks_no_account() {
        let outcome = outcome(refused(404, "Not Found: method not found"));
        let SendOutcome::Permanent { error } = outcome else {
            panic!("{outcome:?}")
        };
        assert!(error.contains("too old"), "{error}");
    }

    #[test]
    fn tg_fail_006_a_page_is_named_and_not_kept() {
        for (status, expected) in [
            (502, true),
            (500, true),
            (503, true),
            (413, false),
            (400, false),
        ] {
            let error = format!("HTTP {status}, not JSON");
            assert_eq!(
                outcome(not_json_answer(status)),
                if expected {
                    SendOutcome::Retry { error }
                } else {
                    SendOutcome::Permanent { error }
                }
            );
        }
    }

    #[test]
    fn tg_fail_007_only_what_was_certainly_not_sent_is_sent_again() {
        let error = "connection refused".to_owned();
        assert_eq!(
            outcome(Answer::NoConnection(error.clone())),
            SendOutcome::Retry { error }
        );
        for answer in [
            Answer::TimedOut,
            Answer::Lost("connection reset".to_owned()),
            not_json_answer(200),
            Answer::TooLarge,
        ] {
            let outcome = outcome(answer);
            assert!(
                matches!(outcome, SendOutcome::Uncertain { .. }),
                "{outcome:?}"
            );
        }
    }

    #[test]
    fn tg_fail_008_and_012_what_another_form_may_mend_is_told_apart() {
        let words = "Bad Request: can't parse entities: Can't find end of the entity";
        assert_eq!(
            judge(refused(400, words)),
            Verdict::Without(Trouble::Formatting, words.to_owned())
        );
        for words in [
            "Bad Request: wrong type of the web page content",
            "Bad Request: failed to get HTTP URL content",
            "Bad Request: wrong file identifier/HTTP URL specified",
            "Bad Request: WEBPAGE_CURL_FAILED",
            "Bad Request: PHOTO_INVALID_DIMENSIONS",
            "Bad Request: wrong file_id or the file is temporarily unavailable",
            "Bad Request: VIDEO_CONTENT_TYPE_INVALID",
            "Bad Request: type of file mismatch",
        ] {
            assert_eq!(
                judge(refused(400, words)),
                Verdict::Without(Trouble::File, words.to_owned())
            );
        }
    }

    #[test]
    fn tg_fail_010_and_011_a_missing_reply_and_a_fulfilled_wish_are_no_failures() {
        for words in [
            "Bad Request: message to be replied not found",
            "Bad Request: message to reply not found",
            "Bad Request: replied message not found",
            "Bad Request: reply message not found",
        ] {
            assert_eq!(
                judge(refused(400, words)),
                Verdict::Without(Trouble::Reply, words.to_owned())
            );
        }
        for words in [
            "Bad Request: message is not modified: specified new message content is the same",
            "Bad Request: query is too old and response timeout expired or query ID is invalid",
        ] {
            assert_eq!(judge(refused(400, words)), Verdict::Moot);
        }
    }

    #[test]
    fn the_last_part_names_the_message_and_all_are_listed_while_they_fit() {
        let ids = |count: usize| {
            (0..count)
                .map(|id| (1000 + id).to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(sent_tags(&ids(1)), Tags::from_iter([("id", "1000")]));
        assert_eq!(
            sent_tags(&ids(2)),
            Tags::from_iter([("id", "1001"), ("ids", "1000,1001")])
        );
        assert_eq!(sent_tags(&ids(101)).get("ids"), None);
    }
}
