//! The runtime API as a test calls it: by bare HTTP, so that statuses and bodies can be looked at.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::http;

/// A caller: a bot, or an integration of it.
#[derive(Clone)]
pub(crate) struct Api {
    http: reqwest::Client,
    pub(crate) url: String,
    pub(crate) token: String,
    pub(crate) bot_id: String,
    pub(crate) integration: Option<(String, String)>,
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Api {
    pub(crate) fn new(url: &str, token: &str, bot_id: &str) -> Self {
        Self {
            http: http::client(),
            url: url.to_owned(),
            token: token.to_owned(),
            bot_id: bot_id.to_owned(),
            integration: None,
        }
    }

    /// The same, as the integration.
    #[must_use]
    pub(crate) fn acting_as(mut self, integration_id: &str, alias: &str) -> Self {
        self.integration = Some((integration_id.to_owned(), alias.to_owned()));
        self
    }

    /// With another token.
    #[must_use]
    pub(crate) fn with_token(mut self, token: &str) -> Self {
        token.clone_into(&mut self.token);
        self
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.url))
            .bearer_auth(&self.token)
            .header("x-bot-id", &self.bot_id);
        if let Some((id, alias)) = &self.integration {
            request = request
                .header("x-integration-id", id)
                .header("x-integration-alias", alias);
        }
        request
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path))
            .await
            .expect("an answer")
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.try_post(path, body).await.expect("an answer")
    }

    /// `Err` where the server could not be reached or died before it answered.
    pub(crate) async fn try_post(&self, path: &str, body: &Value) -> reqwest::Result<Answer> {
        Answer::of(self.request(Method::POST, path).json(body)).await
    }

    /// With more headers.
    pub(crate) async fn post_with(
        &self,
        path: &str,
        body: &Value,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = self.request(Method::POST, path).json(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::of(request).await.expect("an answer")
    }

    /// A body as text, and the answer's status and text.
    pub(crate) async fn post_text(&self, path: &str, body: &str) -> (u16, String) {
        let request = self
            .request(Method::POST, path)
            .header("content-type", "application/json")
            .body(body.to_owned());
        let response = request.send().await.expect("an answer");
        let status = response.status().as_u16();
        (status, response.text().await.expect("a text"))
    }

    /// The text of a 200.
    pub(crate) async fn get_text(&self, path: &str) -> String {
        let response = self.request(Method::GET, path).send().await;
        let response = response.expect("an answer");
        assert_eq!(response.status().as_u16(), 200);
        response.text().await.expect("a text")
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::PUT, path).json(body))
            .await
            .expect("an answer")
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::DELETE, path).json(&json!({})))
            .await
            .expect("an answer")
    }

    /// Any method, with a body or without.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(body);
        }
        Answer::of(request).await.expect("an answer")
    }

    /// The conversation of an external id, made if new.
    pub(crate) async fn conversation(&self, external_id: &str) -> Value {
        let body = json!({
            "channel": "channel", "tags": { "id": external_id }, "discriminateByTags": ["id"],
        });
        self.post("/v1/chat/conversations/get-or-create", &body)
            .await
            .ok("conversation")
    }

    /// The user of an external id, made if new.
    pub(crate) async fn user(&self, external_id: &str) -> Value {
        let body = json!({ "tags": { "id": external_id }, "discriminateByTags": ["id"] });
        self.post("/v1/chat/users/get-or-create", &body)
            .await
            .ok("user")
    }

    /// Posts a text.
    pub(crate) async fn say(&self, conversation: &Value, user: &Value, text: &str) -> Value {
        self.post(
            "/v1/chat/messages",
            &message(&conversation["id"], &user["id"], text),
        )
        .await
        .created("message")
    }

    /// All objects of a list, page by page; `path` has its query, if any.
    pub(crate) async fn list(&self, path: &str, name: &str) -> Vec<Value> {
        let mut all = Vec::new();
        let mut next: Option<String> = None;
        for _ in 0..10_000 {
            let separator = if path.contains('?') { '&' } else { '?' };
            let token = next.as_deref().map_or(String::new(), |token| {
                format!("{separator}nextToken={}", http::percent_encode(token))
            });
            let answer = self.get(&format!("{path}{token}")).await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.body);
            all.extend(answer.body[name].as_array().expect("a list").clone());
            match answer.body["meta"]["nextToken"].as_str() {
                Some(token) => next = Some(token.to_owned()),
                None => return all,
            }
        }
        panic!("{path}: the list does not end");
    }

    /// The messages of a conversation, oldest first.
    pub(crate) async fn messages(&self, conversation: &Value) -> Vec<Value> {
        let id = conversation["id"].as_str().expect("an id");
        let path = format!("/v1/chat/messages?conversationId={id}");
        let mut messages = self.list(&path, "messages").await;
        messages.reverse();
        messages
    }
}

/// The body of a text message.
pub(crate) fn message(conversation: &Value, user: &Value, text: &str) -> Value {
    json!({
        "conversationId": conversation, "userId": user,
        "type": "text", "payload": { "text": text }, "tags": {},
    })
}

/// The texts of messages.
pub(crate) fn texts(messages: &[Value]) -> Vec<&str> {
    messages
        .iter()
        .filter_map(|message| message["payload"]["text"].as_str())
        .collect()
}

impl Answer {
    async fn of(request: RequestBuilder) -> reqwest::Result<Self> {
        let response = request.send().await?;
        let status = response.status().as_u16();
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Self { status, body })
    }

    /// The named object of a 200.
    pub(crate) fn ok(&self, name: &str) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        self.body[name].clone()
    }

    /// The named object of a 201.
    pub(crate) fn created(&self, name: &str) -> Value {
        assert_eq!(self.status, 201, "{}", self.body);
        self.body[name].clone()
    }

    /// Checks that this is an error of a status and type, in the API's shape.
    pub(crate) fn error(&self, status: u16, kind: &str) {
        assert_eq!(
            (self.status, self.body["type"].as_str()),
            (status, Some(kind)),
            "{}",
            self.body
        );
        assert_eq!(self.body["code"], status, "{}", self.body);
        for field in ["id", "message"] {
            let text = self.body[field].as_str();
            assert!(text.is_some_and(|text| !text.is_empty()), "{}", self.body);
        }
    }
}
