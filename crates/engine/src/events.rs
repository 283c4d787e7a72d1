//! Operations on events.

use switchboard_model::{
    ConversationId, Error, Event, EventId, EventStatus, Json, Kind, MessageId, Result, UserId,
    WorkflowId,
};
use switchboard_store::{Canceled, EventFilter, NewEvent, Page, PageRequest};

use crate::wire::WireEvent;
use crate::{Caller, Engine, Schedule, check, visible};

/// An event that a caller makes. Its type is named in the caller's view.
#[derive(Debug, Clone)]
pub struct EventInput {
    /// Its type.
    pub kind: String,
    /// Its payload.
    pub payload: Json,
    /// The conversation it belongs to.
    pub conversation: Option<ConversationId>,
    /// The user it concerns.
    pub user: Option<UserId>,
    /// The message it concerns.
    pub message: Option<MessageId>,
    /// The workflow it concerns: if that is listening, it goes on.
    pub workflow: Option<WorkflowId>,
    /// When it is delivered, if not at once.
    pub schedule: Option<Schedule>,
}

/// Which events a caller asks for.
#[derive(Debug, Clone, Default)]
pub struct EventQuery {
    /// Of this type, in the caller's view.
    pub kind: Option<String>,
    /// Of this conversation.
    pub conversation: Option<ConversationId>,
    /// Concerning this user.
    pub user: Option<UserId>,
    /// Concerning this message.
    pub message: Option<MessageId>,
    /// Concerning this workflow.
    pub workflow: Option<WorkflowId>,
    /// In this state.
    pub status: Option<EventStatus>,
}

impl Engine {
    /// Stores an event and hands it to the bot.
    pub async fn create_event(&self, caller: &Caller, input: EventInput) -> Result<WireEvent> {
        check::name("type", &input.kind)?;
        check::payload(&input.payload)?;
        let kind = caller.view().stored_name(&input.kind);
        if kind == Event::WORKFLOW_UPDATE {
            return Err(Error::invalid(
                "type",
                "workflow_update is told by the server; create or update the workflow instead",
            ));
        }
        if kind == Event::MESSAGE_CREATED {
            return Err(Error::invalid(
                "type",
                "message_created is told by the server; create the message instead",
            ));
        }
        self.check_references(caller, input.conversation, input.user, input.message)
            .await?;
        if let Some(id) = input.workflow
            && caller.integration.is_some()
        {
            return Err(Error::reference("workflowId", Kind::Workflow, id));
        }
        let now = self.env().now();
        let event = NewEvent {
            id: self.new_event_id(),
            delivery: self.new_delivery_id(),
            bot: caller.bot,
            kind,
            payload: input.payload,
            conversation: input.conversation,
            user: input.user,
            message: input.message,
            workflow: input.workflow,
            due: input.schedule.map(|schedule| schedule.due(now)),
            now,
        };
        let event = self.store().create_event(event).await?;
        Ok(WireEvent::new(&caller.view(), event))
    }

    /// Cancels an event that is scheduled. Doing it again changes nothing.
    pub async fn cancel_event(&self, caller: &Caller, id: EventId) -> Result<()> {
        let missing = || Error::not_found(Kind::Event, id);
        // Who may see an event never changes, so that this look cannot be overtaken.
        if caller.integration.is_some() {
            self.seen_event(caller, id).await?.ok_or_else(missing)?;
        }
        match self.store().cancel_event(caller.bot, id).await? {
            Canceled::Canceled => Ok(()),
            Canceled::NotScheduled(status) => Err(Error::invalid(
                "id",
                format!(
                    "expected an event that is scheduled; this one is {}, and cannot be canceled",
                    status.as_str()
                ),
            )),
            Canceled::Missing => Err(missing()),
        }
    }

    /// The event.
    pub async fn get_event(&self, caller: &Caller, id: EventId) -> Result<WireEvent> {
        self.seen_event(caller, id)
            .await?
            .map(|event| WireEvent::new(&caller.view(), event))
            .ok_or_else(|| Error::not_found(Kind::Event, id))
    }

    /// Lists events, newest first. An integration sees those of its own types.
    pub async fn list_events(
        &self,
        caller: &Caller,
        query: EventQuery,
        page: PageRequest,
    ) -> Result<Page<WireEvent>> {
        let view = caller.view();
        let filter = EventFilter {
            kind: query.kind.map(|kind| view.stored_name(&kind)),
            kind_prefix: caller.integration.as_ref().map(visible::event_prefix),
            conversation: query.conversation,
            user: query.user,
            message: query.message,
            workflow: query.workflow,
            status: query.status,
        };
        let found = self.store().list_events(caller.bot, filter, page).await?;
        Ok(found.map(|event| WireEvent::new(&view, event)))
    }
}
