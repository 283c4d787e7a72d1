//! `ctx.bp`: conversations and users, within a context's bot, integration and channel.

use serde_json::Value;
use switchboard_engine::{Engine, View, inbound::ID_TAG};
use switchboard_model::{
    Conversation, ConversationId, Error, Integration, Kind, Result, Tags, User, UserId,
};
use switchboard_store::{
    CreateConversation, Created, Found, GetOrCreateConversation, GetOrCreateUser, Place,
};

/// What is stored, within a context.
#[derive(Clone)]
pub struct Bp {
    engine: Engine,
    integration: Integration,
    channel: String,
}

/// A conversation to make: `{ id, platform, userId }`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewConversation {
    /// The external id of the thread.
    pub id: String,
    /// The integration's alias or platform.
    pub platform: String,
    /// A user that exists and is to take part.
    pub user_id: Option<UserId>,
}

/// A user to make.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewUser {
    /// The external id of the person.
    pub id: String,
    /// A name to show.
    pub name: Option<String>,
}

impl NewConversation {
    /// Of an external thread on a platform.
    pub fn new(id: impl Into<String>, platform: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            platform: platform.into(),
            user_id: None,
        }
    }

    /// From the documented object form. Any other field than `id`, `platform` and `userId`, and
    /// any of another type, is an error that names it.
    pub fn from_json(value: &Value) -> Result<Self> {
        let object = value
            .as_object()
            .ok_or_else(|| Error::invalid("conversation", "expected an object"))?;
        let mut new = Self::default();
        for (field, value) in object {
            let text = || {
                value
                    .as_str()
                    .map(ToOwned::to_owned)
                    .ok_or_else(|| Error::invalid(field, "expected a string"))
            };
            match field.as_str() {
                "id" => new.id = text()?,
                "platform" => new.platform = text()?,
                "userId" => new.user_id = Some(parse_user(&text()?)?),
                _ => {
                    return Err(Error::invalid(
                        field,
                        "unknown field; expected only id, platform and userId",
                    ));
                }
            }
        }
        Ok(new)
    }
}

fn parse_user(text: &str) -> Result<UserId> {
    switchboard_engine::wire::parse_user_id(text).ok_or_else(|| {
        Error::invalid(
            "userId",
            "expected a user's id such as user_01ARZ3NDEKTSV4RRFFQ69G5FAV",
        )
    })
}

impl NewUser {
    /// Of an external person.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            name: None,
        }
    }
}

impl Bp {
    pub(crate) fn new(engine: Engine, integration: Integration, channel: String) -> Self {
        Self {
            engine,
            integration,
            channel,
        }
    }

    /// Conversations.
    pub fn conversations(&self) -> BpConversations<'_> {
        BpConversations { bp: self }
    }

    /// Users.
    pub fn users(&self) -> BpUsers<'_> {
        BpUsers { bp: self }
    }

    fn view(&self) -> View {
        View::integration(&self.integration.alias)
    }

    fn place(&self) -> Place {
        Place {
            bot: self.integration.bot,
            integration: self.integration.id,
            channel: self.channel.clone(),
        }
    }

    /// Who takes part from the start: one of the integration's users, or the bot.
    async fn participants(&self, user: Option<UserId>) -> Result<Vec<UserId>> {
        let Some(id) = user else {
            return Ok(Vec::new());
        };
        if id != UserId::from(self.integration.bot) {
            self.users().get(id).await.map_err(|error| match error {
                Error::NotFound { .. } => Error::reference("userId", Kind::User, id),
                other => other,
            })?;
        }
        Ok(vec![id])
    }

    /// The identity of an external id, as stored.
    fn identity(&self, external_id: &str) -> Result<Tags> {
        if external_id.is_empty() {
            return Err(Error::invalid(
                "id",
                "expected the external id, a text that is not empty",
            ));
        }
        let identity = Tags::new().with(ID_TAG, external_id);
        identity
            .check()
            .map_err(|tag| Error::invalid("id", tag.to_string()))?;
        Ok(self.view().stored_tags(identity))
    }

    fn check_platform(&self, platform: &str) -> Result<()> {
        if platform == self.integration.alias || platform == self.integration.platform {
            return Ok(());
        }
        Err(Error::invalid(
            "platform",
            format!(
                "expected {:?}, the integration's alias, or {:?}, its platform",
                self.integration.alias, self.integration.platform
            ),
        ))
    }
}

/// Conversations, within a context. Results carry tags as the integration sees them.
#[derive(Clone, Copy)]
pub struct BpConversations<'a> {
    bp: &'a Bp,
}

impl BpConversations<'_> {
    /// The conversation of an external thread; `None` if there is none (yet).
    pub async fn get_by_id(&self, external_id: &str) -> Result<Option<Conversation>> {
        let bp = self.bp;
        let found = bp
            .engine
            .store()
            .find_conversation(bp.place(), bp.identity(external_id)?)
            .await?;
        Ok(found.map(|conversation| bp.view().conversation(conversation)))
    }

    /// The conversation with this id of ours, such as a conflict names.
    pub async fn get(&self, id: ConversationId) -> Result<Conversation> {
        let bp = self.bp;
        bp.engine
            .store()
            .get_conversation(bp.integration.bot, id)
            .await?
            .filter(|found| found.integration == bp.integration.id && found.channel == bp.channel)
            .map(|conversation| bp.view().conversation(conversation))
            .ok_or_else(|| Error::not_found(Kind::Conversation, id))
    }

    /// Makes the conversation of an external thread. If there is one,
    /// [`Error::ConversationExists`] names it; looking and writing are one command.
    pub async fn create(&self, new: NewConversation) -> Result<Conversation> {
        let bp = self.bp;
        bp.check_platform(&new.platform)?;
        let identity = bp.identity(&new.id)?;
        let command = CreateConversation {
            id: bp.engine.new_conversation_id(),
            place: bp.place(),
            tags: identity.clone(),
            unless: Some(identity),
            participants: bp.participants(new.user_id).await?,
            now: bp.engine.env().now(),
        };
        match bp.engine.store().create_conversation(command).await? {
            Created::Created(conversation) => Ok(bp.view().conversation(conversation)),
            Created::Exists(existing) => Err(Error::ConversationExists {
                external_id: new.id,
                existing,
            }),
        }
    }

    /// The conversation of an external thread, made if it is new, in one command.
    pub async fn get_or_create(&self, new: NewConversation) -> Result<Found<Conversation>> {
        let bp = self.bp;
        bp.check_platform(&new.platform)?;
        let identity = bp.identity(&new.id)?;
        let command = GetOrCreateConversation {
            id: bp.engine.new_conversation_id(),
            place: bp.place(),
            tags: identity.clone(),
            identity,
            participants: bp.participants(new.user_id).await?,
            now: bp.engine.env().now(),
        };
        let found = bp
            .engine
            .store()
            .get_or_create_conversation(command)
            .await?;
        Ok(Found {
            value: bp.view().conversation(found.value),
            created: found.created,
        })
    }
}

/// Users, within a context. Results carry tags as the integration sees them.
#[derive(Clone, Copy)]
pub struct BpUsers<'a> {
    bp: &'a Bp,
}

impl BpUsers<'_> {
    /// The user of an external person; `None` if there is none (yet).
    pub async fn get_by_id(&self, external_id: &str) -> Result<Option<User>> {
        let bp = self.bp;
        let found = bp
            .engine
            .store()
            .find_user(
                bp.integration.bot,
                Some(bp.integration.id),
                bp.identity(external_id)?,
            )
            .await?;
        Ok(found.map(|user| bp.view().user(user)))
    }

    /// The user with this id of ours.
    pub async fn get(&self, id: UserId) -> Result<User> {
        let bp = self.bp;
        bp.engine
            .store()
            .get_user(bp.integration.bot, id)
            .await?
            .filter(|found| found.integration == Some(bp.integration.id))
            .map(|user| bp.view().user(user))
            .ok_or_else(|| Error::not_found(Kind::User, id))
    }

    /// Makes the user of an external person. If there is one, [`Error::AlreadyExists`] names it.
    pub async fn create(&self, new: NewUser) -> Result<User> {
        let found = self.get_or_create(new).await?;
        if found.created {
            return Ok(found.value);
        }
        Err(Error::AlreadyExists {
            field: "id".to_owned(),
            reason: format!(
                "a user with this id exists: {}; use it, or get-or-create",
                found.value.id
            ),
        })
    }

    /// The user of an external person, made if new, in one command.
    pub async fn get_or_create(&self, new: NewUser) -> Result<Found<User>> {
        let bp = self.bp;
        let identity = bp.identity(&new.id)?;
        let command = GetOrCreateUser {
            user: switchboard_store::NewUser {
                id: bp.engine.new_user_id(),
                bot: bp.integration.bot,
                integration: Some(bp.integration.id),
                tags: identity.clone(),
                name: new.name,
                picture_url: None,
                now: bp.engine.env().now(),
            },
            identity,
        };
        let found = bp.engine.store().get_or_create_user(command).await?;
        Ok(Found {
            value: bp.view().user(found.value),
            created: found.created,
        })
    }
}
