//! Objects as the API writes them (`@botpress/client`'s shapes). Shared by the HTTP API and by what
//! bots are sent, so that both look the same.

use serde::Serialize;
use switchboard_model::{
    BotId, Conversation, ConversationId, DeliveryReport, Direction, Event, EventId, EventPayload,
    EventStatus, Json, Message, MessageId, State, StateId, Tags, Timestamp, User, UserId, Workflow,
    WorkflowId, WorkflowNews, WorkflowStatus,
};
use utoipa::ToSchema;

use crate::View;

pub mod schema;

/// A conversation.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Conversation)]
pub struct WireConversation {
    #[schema(value_type = schema::ConversationId)]
    id: ConversationId,
    #[schema(value_type = schema::Time)]
    created_at: Timestamp,
    #[schema(value_type = schema::Time)]
    updated_at: Timestamp,
    channel: String,
    integration: String,
    #[schema(value_type = schema::Tags)]
    tags: Tags,
    message_count: u32,
}

/// A message.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Message)]
pub struct WireMessage {
    #[schema(value_type = schema::MessageId)]
    id: MessageId,
    #[schema(value_type = schema::Time)]
    created_at: Timestamp,
    #[schema(value_type = schema::Time)]
    updated_at: Timestamp,
    #[serde(rename = "type")]
    kind: String,
    #[schema(value_type = schema::Payload)]
    payload: Json,
    #[schema(value_type = schema::Direction)]
    direction: Direction,
    #[schema(value_type = schema::UserId)]
    user_id: String,
    #[schema(value_type = schema::ConversationId)]
    conversation_id: ConversationId,
    #[schema(value_type = schema::Tags)]
    tags: Tags,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Origin, required = false)]
    origin: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Delivery, required = false)]
    delivery: Option<DeliveryReport>,
}

/// A user or participant.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = User)]
pub struct WireUser {
    #[schema(value_type = schema::UserId)]
    id: String,
    #[schema(value_type = schema::Time)]
    created_at: Timestamp,
    #[schema(value_type = schema::Time)]
    updated_at: Timestamp,
    #[schema(value_type = schema::Tags)]
    tags: Tags,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    picture_url: Option<String>,
}

/// An event.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Event)]
pub struct WireEvent {
    #[schema(value_type = schema::EventId)]
    id: EventId,
    #[schema(value_type = schema::Time)]
    created_at: Timestamp,
    #[serde(rename = "type")]
    kind: String,
    #[schema(value_type = schema::Payload)]
    payload: WirePayload,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::ConversationId, required = false)]
    conversation_id: Option<ConversationId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::UserId, required = false)]
    user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::MessageId, required = false)]
    message_id: Option<MessageId>,
    #[schema(value_type = schema::EventStatus)]
    status: EventStatus,
    #[schema(required = true)]
    failure_reason: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
enum WirePayload {
    MessageCreated {
        message: Box<WireMessage>,
        user: Box<WireUser>,
        conversation: Box<WireConversation>,
    },
    WorkflowUpdate(Box<WireUpdate>),
    Other(Json),
}

/// What a bot is told of a workflow.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct WireUpdate {
    #[serde(rename = "type")]
    news: WorkflowNews,
    workflow: WireWorkflow,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation: Option<WireConversation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<WireUser>,
    #[serde(skip_serializing_if = "Option::is_none")]
    child_workflow: Option<WireWorkflow>,
}

/// A workflow.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Workflow)]
pub struct WireWorkflow {
    #[schema(value_type = schema::WorkflowId)]
    id: WorkflowId,
    name: String,
    #[schema(value_type = schema::WorkflowStatus)]
    status: WorkflowStatus,
    #[schema(value_type = schema::Payload)]
    input: Json,
    #[schema(value_type = schema::Payload)]
    output: Json,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::WorkflowId, required = false)]
    parent_workflow_id: Option<WorkflowId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::ConversationId, required = false)]
    conversation_id: Option<ConversationId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::UserId, required = false)]
    user_id: Option<String>,
    #[schema(value_type = schema::Time)]
    created_at: Timestamp,
    #[schema(value_type = schema::Time)]
    updated_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Time, required = false)]
    completed_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    failure_reason: Option<String>,
    #[schema(value_type = schema::Time)]
    timeout_at: Timestamp,
    #[schema(value_type = schema::Tags)]
    tags: Tags,
}

/// A state.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = State)]
pub struct WireState {
    #[schema(value_type = schema::StateId)]
    id: StateId,
    #[schema(value_type = schema::Time)]
    created_at: Timestamp,
    #[schema(value_type = schema::Time)]
    updated_at: Timestamp,
    #[schema(value_type = schema::BotId)]
    bot_id: BotId,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::ConversationId, required = false)]
    conversation_id: Option<ConversationId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::UserId, required = false)]
    user_id: Option<String>,
    name: String,
    #[serde(rename = "type")]
    #[schema(value_type = schema::StateType)]
    kind: &'static str,
    #[schema(value_type = schema::Payload)]
    payload: Json,
}

/// A user's id as callers see it: the user that stands for the bot is shown by the bot's id, which
/// is what bots send as `userId`.
pub fn user_id(bot: BotId, user: UserId) -> String {
    if user == UserId::from(bot) {
        bot.to_string()
    } else {
        user.to_string()
    }
}

/// Reads a user's id; the bot's own id means the user that stands for it.
pub fn parse_user_id(text: &str) -> Option<UserId> {
    text.parse()
        .ok()
        .or_else(|| text.parse::<BotId>().ok().map(UserId::from))
}

impl WireConversation {
    /// As `view` shows it.
    pub fn new(view: &View, conversation: Conversation) -> Self {
        Self {
            id: conversation.id,
            created_at: conversation.created_at,
            updated_at: conversation.updated_at,
            tags: view.shown_tags(&conversation.tags),
            message_count: conversation.message_count,
            channel: conversation.channel,
            integration: conversation.alias,
        }
    }
}

impl WireMessage {
    /// As `view` shows it, to a caller of `bot`.
    pub fn new(view: &View, bot: BotId, message: Message) -> Self {
        Self {
            id: message.id,
            created_at: message.created_at,
            updated_at: message.updated_at,
            tags: view.shown_tags(&message.tags),
            kind: message.kind,
            payload: message.payload,
            direction: message.direction,
            user_id: user_id(bot, message.user),
            conversation_id: message.conversation,
            origin: message.synthetic.then_some("synthetic"),
            delivery: message.delivery,
        }
    }
}

impl WireUser {
    /// As `view` shows it.
    pub fn new(view: &View, user: User) -> Self {
        Self {
            id: user_id(user.bot, user.id),
            created_at: user.created_at,
            updated_at: user.updated_at,
            tags: view.shown_tags(&user.tags),
            name: user.name,
            picture_url: user.picture_url,
        }
    }
}

impl WireEvent {
    /// As `view` shows it. A type that the view cannot name is shown as stored.
    pub fn new(view: &View, event: Event) -> Self {
        let kind = view
            .shown_name(&event.kind)
            .unwrap_or(&event.kind)
            .to_owned();
        let payload = match event.payload {
            EventPayload::MessageCreated(subject) => {
                let (message, user, conversation) = *subject;
                WirePayload::MessageCreated {
                    message: Box::new(WireMessage::new(view, event.bot, message)),
                    user: Box::new(WireUser::new(view, user)),
                    conversation: Box::new(WireConversation::new(view, conversation)),
                }
            }
            EventPayload::WorkflowUpdate(update) => {
                let conversation = update.conversation;
                WirePayload::WorkflowUpdate(Box::new(WireUpdate {
                    news: update.news,
                    workflow: WireWorkflow::new(view, update.workflow),
                    conversation: conversation.map(|found| WireConversation::new(view, found)),
                    user: update.user.map(|found| WireUser::new(view, found)),
                    child_workflow: update.child.map(|child| WireWorkflow::new(view, child)),
                }))
            }
            EventPayload::Other(json) => WirePayload::Other(json),
        };
        Self {
            id: event.id,
            created_at: event.created_at,
            kind,
            payload,
            conversation_id: event.conversation,
            user_id: event.user.map(|user| user_id(event.bot, user)),
            message_id: event.message,
            status: event.status,
            failure_reason: event.failure_reason,
        }
    }
}

impl WireWorkflow {
    /// As `view` shows it.
    pub fn new(view: &View, workflow: Workflow) -> Self {
        Self {
            id: workflow.id,
            name: workflow.name,
            status: workflow.status,
            input: workflow.input,
            output: workflow.output,
            parent_workflow_id: workflow.parent,
            conversation_id: workflow.conversation,
            user_id: workflow.user.map(|user| user_id(workflow.bot, user)),
            created_at: workflow.created_at,
            updated_at: workflow.updated_at,
            completed_at: workflow.completed_at,
            failure_reason: workflow.failure_reason,
            timeout_at: workflow.timeout_at,
            tags: view.shown_tags(&workflow.tags),
        }
    }
}

impl WireState {
    /// A state looks the same to all who may see it.
    pub fn new(state: State) -> Self {
        use switchboard_model::StateKind::{Conversation, User};
        let subject = state.subject;
        Self {
            id: state.id,
            created_at: state.created_at,
            updated_at: state.updated_at,
            bot_id: state.bot,
            conversation_id: (state.kind == Conversation).then(|| ConversationId::new(subject)),
            user_id: (state.kind == User).then(|| user_id(state.bot, UserId::new(subject))),
            name: state.name,
            kind: state.kind.as_str(),
            payload: state.payload,
        }
    }
}
