//! Buttons that people press.
//!
//! Promises: a press is answered at once (the reader's button stops turning), is stored once, and
//! says what the button means, however long that is.
//! What never happens here: a press that nobody can understand dropped; it stays an event.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use switchboard_engine::{Engine, ExternalMessage, Update, View};
use switchboard_model::{ConversationId, Direction, Integration, MessageId};

use super::account::Account;
use super::buttons;
use super::client::{Answer, Client};
use super::files::Links;
use super::inbound;
use super::mapping::place_tags;
use super::news;
use super::outbound::keyboard::{KEPT, TURN};
use super::outbound::page;
use super::pace::{self, Pace};
use super::target::target;
use super::thread::Thread;
use super::types::Query;

/// Another page of a message's buttons is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Turn {
    message: MessageId,
    item: usize,
    page: usize,
    /// Where it is shown.
    chat: i64,
    number: i64,
    business: Option<String>,
}

impl Query {
    /// The page that is asked for, if that is what the button is for.
    fn turn(&self) -> Option<Turn> {
        let mut parts = self.data.as_ref()?.strip_prefix(TURN)?.split(':');
        let shown = self.message.as_ref()?;
        Some(Turn {
            message: parts.next()?.parse().ok()?,
            item: parts.next()?.parse().ok()?,
            page: parts.next()?.parse().ok()?,
            chat: shown.chat.id,
            number: shown.message_id,
            business: shown.business_connection_id.clone(),
        })
    }
}

impl Account {
    /// Reads an update, and tells of the press that it brings.
    pub(super) async fn read(
        &self,
        raw: &str,
    ) -> switchboard_model::Result<(Update, Option<Query>)> {
        read(
            &self.engine,
            &self.integration,
            &self.number,
            &self.links,
            raw,
            self.mapping.is_none(),
        )
        .await
    }

    /// Answers presses in the background, so that they hold up nothing: what comes of it matters to
    /// nobody but the reader.
    pub(super) fn answer_presses(&self, presses: Vec<Query>) {
        if presses.is_empty() {
            return;
        }
        let answerer = Answerer {
            engine: self.engine.clone(),
            integration: self.integration.clone(),
            client: Arc::clone(&self.client),
            limit: self.timing.request,
            is_scripted: self.mapping.is_some(),
            pace: self.pace.clone(),
        };
        tokio::spawn(async move {
            let answers = presses.iter().map(|press| answerer.answer(press));
            futures::future::join_all(answers).await;
        });
    }
}

/// Reads an update to the account of this number, and tells of the press that it brings. The value
/// of a button that did not travel with it is looked up, and if `by_message`, so is the thread of a
/// message that is named without its topic.
pub(super) async fn read(
    engine: &Engine,
    integration: &Integration,
    number: &str,
    links: &Links,
    raw: &str,
    by_message: bool,
) -> switchboard_model::Result<(Update, Option<Query>)> {
    let pressed = inbound::pressed(raw);
    let said = match &pressed {
        Some(query) => said(engine, integration, number, query, by_message).await?,
        None => None,
    };
    let update = said.unwrap_or_else(|| inbound::read(number, links, raw));
    Ok((update, pressed))
}

/// What a press says; None where it turns a page, or is not understood.
async fn said(
    engine: &Engine,
    integration: &Integration,
    number: &str,
    query: &Query,
    by_message: bool,
) -> switchboard_model::Result<Option<Update>> {
    let value = match query.data.as_deref() {
        None | Some("") => None,
        Some(data) if data.starts_with(TURN) => None,
        Some(data) if data.starts_with(KEPT) => buttons::find(engine, integration, data).await?,
        Some(data) => Some(data.to_owned()),
    };
    let Some(value) = value else {
        return Ok(None);
    };
    let message = query.message.as_ref().filter(|_| by_message);
    let found = match message.and_then(|message| news::inaccessible(number, message)) {
        Some(message) => thread_of(engine, integration, message).await?,
        None => None,
    };
    Ok(inbound::press(number, query, &value, found.as_ref()))
}

/// The thread of a message that is named without its topic, if it is known here.
async fn thread_of(
    engine: &Engine,
    integration: &Integration,
    message: ExternalMessage,
) -> switchboard_model::Result<Option<Thread>> {
    let found = engine.find_external_message(integration, message).await?;
    Ok(found.and_then(|(_, conversation)| target(&conversation.tags).ok()))
}

/// What answering needs of an account.
struct Answerer {
    engine: Engine,
    integration: Integration,
    client: Arc<Client>,
    limit: Duration,
    is_scripted: bool,
    pace: Option<Arc<Pace>>,
}

impl Answerer {
    async fn answer(&self, press: &Query) {
        let body = json!({ "callback_query_id": press.id });
        let answered = self.client.call("answerCallbackQuery", &body, self.limit);
        let turned = async {
            if let Some(turn) = press.turn() {
                self.turn(&turn).await;
            }
        };
        let (answer, ()) = tokio::join!(answered, turned);
        if !matches!(answer, Answer::Ok(_)) {
            tracing::debug!(
                integration = %self.integration.id,
                "telegram: a press could not be answered: {answer:?}"
            );
        }
    }

    /// Shows the page that was asked for.
    async fn turn(&self, turn: &Turn) {
        let Some(markup) = self.page_of(turn).await else {
            return;
        };
        let mut body = json!({
            "chat_id": turn.chat,
            "message_id": turn.number,
            "reply_markup": markup,
        });
        if let Some(business) = &turn.business {
            body["business_connection_id"] = business.as_str().into();
        }
        // Who presses again turns it then.
        let until = Instant::now() + pace::PATIENCE;
        let in_turn = match &self.pace {
            None => None,
            Some(pace) => match pace.turn(turn.chat, turn.message, until).await {
                Ok(in_turn) => Some(in_turn),
                Err(_) => return,
            },
        };
        let called = self
            .client
            .call("editMessageReplyMarkup", &body, self.limit);
        let answer = called.await;
        drop(in_turn);
        if !matches!(answer, Answer::Ok(_)) {
            tracing::debug!(
                integration = %self.integration.id,
                "telegram: a page could not be turned: {answer:?}"
            );
        }
    }

    /// The page's buttons, if the message is one that this account has sent to that chat.
    async fn page_of(&self, turn: &Turn) -> Option<serde_json::Value> {
        let (store, bot) = (self.engine.store(), self.integration.bot);
        let message = store.get_message(bot, turn.message).await.ok()??;
        if message.direction != Direction::Outgoing
            || !self.is_in_chat(message.conversation, turn.chat).await
        {
            return None;
        }
        page(&message, turn.item, turn.page)
    }

    async fn is_in_chat(&self, conversation: ConversationId, chat: i64) -> bool {
        let (store, bot) = (self.engine.store(), self.integration.bot);
        let Ok(Some(conversation)) = store.get_conversation(bot, conversation).await else {
            return false;
        };
        let tags = View::integration(&self.integration.alias)
            .conversation(conversation.clone())
            .tags;
        conversation.integration == self.integration.id
            && target(&place_tags(self.is_scripted, &tags)).is_ok_and(|thread| thread.chat == chat)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use switchboard_integration::{Webhook, WebhookAnswer};

    use super::super::fixture::{Api, Bench, Reply, case, until};
    use super::super::webhook::request;

    fn press(id: &str, data: &str) -> Value {
        serde_json::json!({ "update_id": 7, "callback_query": {
            "id": id, "data": data, "chat_instance": "1",
            "from": { "id": 501, "is_bot": false, "first_name": "Ada" },
            "message": {
                "message_id": 9, "date": 1, "chat": { "id": 501, "type": "private" },
            },
        } })
    }

    #[tokio::test]
    async fn tg_fail_011_an_answer_that_comes_too_late_fails_nothing() {
        let (bench, api) = (Bench::new().await, Api::start().await);
        let late = &case("tg-fail-011")["input"]["cases"][2]["answer"];
        api.script(
            "answerCallbackQuery",
            Reply::Json(400, late["body"].clone()),
        );
        let account = bench.account(&api.url);
        let answer = account
            .receive(request(&account, &press("q1", "yes")))
            .await;
        assert_eq!(answer, WebhookAnswer::OK);
        until("it is answered", async || {
            api.calls("answerCallbackQuery").len() == 1
        })
        .await;
        let events = bench.events().await;
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].kind, "message_created");
        assert!(api.calls("sendMessage").is_empty());
        assert_eq!(api.calls("answerCallbackQuery").len(), 1);
    }

    #[tokio::test]
    async fn what_no_button_of_ours_brings_back_stays_an_event() {
        let (bench, api) = (Bench::new().await, Api::start().await);
        let account = bench.account(&api.url);
        for (id, data) in [("q1", "sb:00"), ("q2", "sb>x:y"), ("q3", "")] {
            let answer = account.receive(request(&account, &press(id, data))).await;
            assert_eq!(answer, WebhookAnswer::OK);
        }
        let events = bench.events().await;
        let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
        assert_eq!(kinds, ["telegram:callback_query"; 3]);
        until("all are answered", async || {
            api.calls("answerCallbackQuery").len() == 3
        })
        .await;
    }
}
