//! Workflows: pieces of work of a bot that outlast the event that began them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    BotId, Conversation, ConversationId, Error, EventId, Json, Result, Tags, Timestamp, User,
    UserId, WorkflowId,
};

/// How far a workflow has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkflowStatus {
    /// The bot was told to begin, or to go on, and has not said yet that it does.
    Pending,
    /// The bot works on it, under an event that it was sent.
    InProgress,
    /// It waits for an event that names it.
    Listening,
    /// It was paused, and waits for whoever goes on with it.
    Paused,
    /// Its work is done.
    Completed,
    /// Its work failed.
    Failed,
    /// Its time was over.
    #[serde(rename = "timedout")]
    TimedOut,
    /// It was called off.
    Cancelled,
}

/// Workflows that are at work, or those that have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StatusGroup {
    /// Pending, in progress, listening or paused.
    Active,
    /// Completed, failed, timed out or cancelled.
    Finished,
}

impl WorkflowStatus {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Pending,
        Self::InProgress,
        Self::Listening,
        Self::Paused,
        Self::Completed,
        Self::Failed,
        Self::TimedOut,
        Self::Cancelled,
    ];

    /// As the API spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::InProgress => "in_progress",
            Self::Listening => "listening",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::TimedOut => "timedout",
            Self::Cancelled => "cancelled",
        }
    }

    /// The status of a spelling.
    pub fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Which group it is in.
    pub const fn group(self) -> StatusGroup {
        match self {
            Self::Pending | Self::InProgress | Self::Listening | Self::Paused => {
                StatusGroup::Active
            }
            Self::Completed | Self::Failed | Self::TimedOut | Self::Cancelled => {
                StatusGroup::Finished
            }
        }
    }

    /// Whether it has ended.
    pub const fn is_finished(self) -> bool {
        matches!(self.group(), StatusGroup::Finished)
    }

    /// What a caller may set it to. `pending` and `timedout` are the server's to set.
    pub const fn legal(self) -> &'static [Self] {
        if self.is_finished() {
            return &[];
        }
        &[
            Self::InProgress,
            Self::Listening,
            Self::Paused,
            Self::Completed,
            Self::Failed,
            Self::Cancelled,
        ]
    }

    /// Refuses a status that cannot follow, and says which can. The same again is no change.
    pub fn check_next(self, next: Self) -> Result<()> {
        if self == next || self.legal().contains(&next) {
            return Ok(());
        }
        let (from, to) = (self.as_str(), next.as_str());
        let legal: Vec<_> = self.legal().iter().map(|next| next.as_str()).collect();
        Err(Error::invalid(
            "status",
            if legal.is_empty() {
                format!(
                    "the workflow is {from}, and nothing follows that, {to} neither; create another"
                )
            } else {
                format!(
                    "the workflow is {from} and cannot become {to}; expected one of: {}",
                    legal.join(", ")
                )
            },
        ))
    }
}

/// A piece of work of a bot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workflow {
    /// Its id.
    pub id: WorkflowId,
    /// The bot whose work it is.
    pub bot: BotId,
    /// Its name, by which the bot knows what to do: at most 200 characters.
    pub name: String,
    /// How far it has got.
    pub status: WorkflowStatus,
    /// What it was given.
    pub input: Json,
    /// What it has to show, so far or at the end.
    pub output: Json,
    /// The workflow that it is a part of.
    pub parent: Option<WorkflowId>,
    /// The conversation it belongs to: then it goes with it, and its events are told in its order.
    pub conversation: Option<ConversationId>,
    /// The user it concerns.
    pub user: Option<UserId>,
    /// The event under which it is in progress.
    pub event: Option<EventId>,
    /// Its tags, as a bot sees them.
    pub tags: Tags,
    /// Why it failed.
    pub failure_reason: Option<String>,
    /// When its time is over.
    pub timeout_at: Timestamp,
    /// When it ended, however it did.
    pub completed_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl Workflow {
    /// How long it has if nothing is said: what the platform's own runtime takes for granted.
    pub const DEFAULT_TIME: Duration = Duration::from_mins(5);
    /// The longest failure reason, in characters (the platform's limit).
    pub const REASON_LIMIT: usize = 2000;
}

/// What a bot is told of a workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkflowNews {
    /// It is there, pending: begin.
    WorkflowStarted,
    /// It is pending again: go on.
    WorkflowContinued,
    /// Its time was over.
    #[serde(rename = "workflow_timedout")]
    WorkflowTimedOut,
    /// A part of it has ended.
    ChildWorkflowFinished,
    /// A part of it was deleted.
    ChildWorkflowDeleted,
}

/// What the event [`Event::WORKFLOW_UPDATE`](crate::Event::WORKFLOW_UPDATE) carries. All but the
/// child is as it is when the event is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowUpdate {
    /// What there is to tell.
    pub news: WorkflowNews,
    /// The workflow.
    pub workflow: Workflow,
    /// The part that is told of, as it was when the event was made.
    pub child: Option<Workflow>,
    /// The workflow's conversation.
    pub conversation: Option<Conversation>,
    /// The workflow's user.
    pub user: Option<User>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_spelled_in_one_way() {
        for status in WorkflowStatus::ALL {
            let json = serde_json::to_string(&status).unwrap();
            assert_eq!(json, format!("\"{}\"", status.as_str()));
            assert_eq!(WorkflowStatus::read(status.as_str()), Some(status));
        }
        assert_eq!(WorkflowStatus::read("TIMEDOUT"), None);
    }

    #[test]
    fn nothing_follows_the_end_and_an_error_says_what_can_follow() {
        use WorkflowStatus::{Completed, Failed, InProgress, Listening, Pending, TimedOut};
        assert_eq!(Completed.check_next(Completed), Ok(()));
        assert_eq!(Listening.check_next(InProgress), Ok(()));
        for (from, to) in [
            (Completed, InProgress),
            (TimedOut, Failed),
            (Failed, Pending),
        ] {
            let error = from.check_next(to).unwrap_err().to_string();
            assert!(error.starts_with("status: the workflow is "), "{error}");
            assert!(error.contains("nothing follows"), "{error}");
        }
        let error = InProgress.check_next(Pending).unwrap_err().to_string();
        assert!(error.contains("expected one of: in_progress, listening, paused, completed"));
    }
}
