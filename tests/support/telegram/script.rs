//! Rules: how calls are answered otherwise than well.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::state::{Shared, State};

type Matcher = dyn Fn(&Value) -> bool + Send;

/// A rule under construction; the method that says what happens puts it in force.
pub(crate) struct Rule<'a> {
    shared: &'a Shared,
    scripted: Scripted,
}

/// A rule in force.
pub(super) struct Scripted {
    method: String,
    matcher: Box<Matcher>,
    nth: Option<usize>,
    left: usize,
    until: Option<Instant>,
    seen: usize,
    outcome: Outcome,
}

/// What happens to a call.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    /// It is not done, and this is the answer.
    Answer {
        status: u16,
        body: String,
        headers: Vec<(String, String)>,
    },
    /// It is done, and the answer never comes.
    Hang,
    /// It is done, and the connection breaks before the answer.
    Reset,
    /// It is done, and the answer comes late.
    Delay(Duration),
}

impl<'a> Rule<'a> {
    pub(super) fn new(shared: &'a Shared, method: &str) -> Self {
        Self {
            shared,
            scripted: Scripted {
                method: method.to_owned(),
                matcher: Box::new(|_| true),
                nth: None,
                left: 1,
                until: None,
                seen: 0,
                outcome: Outcome::Hang,
            },
        }
    }

    /// Only for calls whose body is so.
    #[must_use]
    pub(crate) fn when(mut self, matcher: impl Fn(&Value) -> bool + Send + 'static) -> Self {
        self.scripted.matcher = Box::new(matcher);
        self
    }

    /// Only for calls to this chat.
    #[must_use]
    pub(crate) fn in_chat(self, chat: i64) -> Self {
        self.when(move |body| body["chat_id"] == chat)
    }

    /// Only for the nth matching call, from 1.
    #[must_use]
    pub(crate) fn nth(mut self, nth: usize) -> Self {
        self.scripted.nth = Some(nth);
        self
    }

    /// For so many matching calls.
    #[must_use]
    pub(crate) fn times(mut self, times: usize) -> Self {
        self.scripted.left = times;
        self
    }

    /// For all matching calls.
    #[must_use]
    pub(crate) fn always(self) -> Self {
        self.times(usize::MAX)
    }

    /// For all matching calls within a time from now.
    #[must_use]
    pub(crate) fn for_a(mut self, time: Duration) -> Self {
        self.scripted.until = Some(Instant::now() + time);
        self.always()
    }

    /// It is not done; this is the answer.
    pub(crate) fn answer(self, status: u16, body: &Value) {
        self.answer_text(status, &body.to_string());
    }

    /// It is not done; this is the answer, which need not be JSON.
    pub(crate) fn answer_text(self, status: u16, body: &str) {
        self.in_force(Outcome::Answer {
            status,
            body: body.to_owned(),
            headers: Vec::new(),
        });
    }

    /// It is not done; Telegram refuses with these words.
    pub(crate) fn refuse(self, code: u16, description: &str) {
        let body = serde_json::json!({
            "ok": false, "error_code": code, "description": description,
        });
        self.answer(code, &body);
    }

    /// It is done, and the answer never comes.
    pub(crate) fn hang(self) {
        self.in_force(Outcome::Hang);
    }

    /// It is done, and the connection breaks before the answer.
    pub(crate) fn reset(self) {
        self.in_force(Outcome::Reset);
    }

    /// It is done, and the answer comes late.
    pub(crate) fn delay(self, time: Duration) {
        self.in_force(Outcome::Delay(time));
    }

    /// A case's answer. Without `nth` it is for all calls, as "after the script Telegram accepts
    /// all" leaves nothing else for an answer that names a condition; without any condition for
    /// one.
    pub(super) fn from_case(shared: &'a Shared, answer: &Value) {
        let mut rule = Self::new(shared, answer["method"].as_str().expect("a method"));
        let (when, unless) = (answer["when"].clone(), answer["unless"].clone());
        if let Some(nth) = when["nth"].as_u64() {
            rule = rule.nth(usize::try_from(nth).expect("a small number"));
        } else if !when.is_null() || !unless.is_null() {
            rule = rule.always();
        }
        rule = rule.when(move |body| {
            let holds = |(path, expected): (&String, &Value)| {
                path == "nth" || body.pointer(&pointer(path)) == Some(expected)
            };
            when.as_object().into_iter().flatten().all(holds)
                && !unless
                    .as_object()
                    .is_some_and(|unless| unless.iter().all(holds))
        });
        let headers = answer["headers"].as_object().into_iter().flatten();
        rule.in_force(Outcome::Answer {
            status: u16::try_from(answer["status"].as_u64().expect("a status")).expect("a status"),
            body: match &answer["body"] {
                Value::String(text) => text.clone(),
                body => body.to_string(),
            },
            headers: headers
                .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
                .collect(),
        });
    }

    fn in_force(mut self, outcome: Outcome) {
        self.scripted.outcome = outcome;
        self.shared.lock().scripted.push(self.scripted);
    }
}

/// `reply_parameters.allow_sending_without_reply` as a JSON pointer.
fn pointer(path: &str) -> String {
    format!("/{}", path.replace('.', "/"))
}

impl State {
    /// What a rule says of a call, which it is thereby used for.
    pub(super) fn outcome(&mut self, method: &str, body: &Value) -> Option<Outcome> {
        let now = Instant::now();
        for rule in &mut self.scripted {
            let concerned = (rule.method == "*" || rule.method == method)
                && rule.left > 0
                && rule.until.is_none_or(|until| now < until)
                && (rule.matcher)(body);
            if !concerned {
                continue;
            }
            rule.seen += 1;
            if rule.nth.is_none_or(|nth| nth == rule.seen) {
                rule.left -= 1;
                return Some(rule.outcome.clone());
            }
        }
        None
    }
}
