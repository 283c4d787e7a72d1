//! What integrations bring in through the API.

use async_trait::async_trait;
use rusqlite::{Connection, params};
use switchboard_model::{BotId, Direction, Error, Kind, Message, Result, Tags, Timestamp, User};
use switchboard_store::{
    Found, ImportMessages, ImportedMessage, IncomingStore, InitialMessage, InitializeIncoming,
    Initialized, SomeConversation, SomeUser,
};

use crate::failure::Done;
use crate::rows::{self, ConversationRow, Numbered};
use crate::tags::{self, MESSAGES};
use crate::writer::Tx;
use crate::{SqliteStore, conversation, message, message_tag, participant, user};

const INSERT: &str = "INSERT INTO message
    (public, bot, conversation, user, direction, kind, payload, tags, synthetic, seq, imported,
        created_at, updated_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 1, ?11, ?12)";
const COUNT: &str = "UPDATE conversation SET message_count = message_count + 1 WHERE id = ?1";
const STORED_AT: &str = "SELECT created_at FROM message
    WHERE conversation = ?1 AND seq = ?2 AND NOT imported LIMIT 1";

fn initialize(tx: &mut Tx<'_>, command: &InitializeIncoming) -> Done<Initialized> {
    let (user, user_created) = some_user(tx, command.bot, &command.user)?;
    let (mut conversation, conversation_created) =
        some_conversation(tx, command.bot, &command.conversation)?;
    participant::join(tx.connection, conversation.id, user.id)?;
    let message = match &command.message {
        Some(new) => Some(say(tx, &mut conversation, user.id, new, command)?),
        None => None,
    };
    Ok(Initialized {
        user: Found {
            value: user.value,
            created: user_created,
        },
        conversation: Found {
            value: conversation.value,
            created: conversation_created,
        },
        message,
    })
}

fn some_user(tx: &mut Tx<'_>, bot: BotId, some: &SomeUser) -> Done<(Numbered<User>, bool)> {
    match some {
        SomeUser::Known(id) => {
            let user = user::by_public(tx.connection, bot, *id)?
                .ok_or_else(|| Error::reference("userId", Kind::User, id))?;
            Ok((user, false))
        }
        SomeUser::Meant(command) => user::find_or_make(tx, command),
    }
}

fn some_conversation(
    tx: &mut Tx<'_>,
    bot: BotId,
    some: &SomeConversation,
) -> Done<(ConversationRow, bool)> {
    match some {
        SomeConversation::Known(id) => {
            let conversation = conversation::by_public(tx.connection, bot, *id)?
                .ok_or_else(|| Error::reference("conversationId", Kind::Conversation, id))?;
            Ok((conversation, false))
        }
        SomeConversation::Meant(command) => conversation::find_or_make(tx, command),
    }
}

fn say(
    tx: &mut Tx<'_>,
    conversation: &mut ConversationRow,
    user: i64,
    new: &InitialMessage,
    command: &InitializeIncoming,
) -> Done<Found<Message>> {
    if let Some(known) = known(tx.connection, conversation, &new.identity)? {
        return Ok(known);
    }
    let draft = message::Draft {
        id: new.id,
        user,
        direction: Direction::Incoming,
        kind: &new.kind,
        payload: &new.payload,
        tags: &new.tags,
        synthetic: new.synthetic,
        once: None,
        waits: false,
        takes_part: false,
        now: command.now,
    };
    let number = message::insert(tx, conversation, draft)?;
    message::announce(tx, conversation, number, command.delivery, command.now)?;
    made(tx.connection, number)
}

/// The message that has these tags already; a message without any is always new.
fn known(
    connection: &Connection,
    conversation: &ConversationRow,
    identity: &Tags,
) -> Done<Option<Found<Message>>> {
    if identity.is_empty() {
        return Ok(None);
    }
    let found = message::find(connection, conversation.id, identity)?;
    Ok(found.map(|message| Found {
        value: message.value,
        created: false,
    }))
}

fn made(connection: &Connection, number: i64) -> Done<Found<Message>> {
    Ok(Found {
        value: message::stored(connection, number)?,
        created: true,
    })
}

fn import(tx: &mut Tx<'_>, command: &ImportMessages) -> Done<Vec<Found<Message>>> {
    let bot = rows::known_bot(tx.connection, command.bot)?;
    let mut done = Vec::with_capacity(command.messages.len());
    for (index, new) in command.messages.iter().enumerate() {
        let field = |name| format!("messages[{index}].{name}");
        let (place, author) = (new.message.conversation, new.message.user);
        let conversation = conversation::by_public(tx.connection, command.bot, place)?
            .ok_or_else(|| Error::reference(field("conversationId"), Kind::Conversation, place))?;
        if let Some(known) = known(tx.connection, &conversation, &new.identity)? {
            done.push(known);
            continue;
        }
        let user = user::number(tx.connection, bot, author)?
            .ok_or_else(|| Error::reference(field("userId"), Kind::User, author))?;
        let number = insert(tx, &conversation, user, new, command.now)?;
        done.push(made(tx.connection, number)?);
    }
    Ok(done)
}

fn insert(
    tx: &mut Tx<'_>,
    conversation: &ConversationRow,
    user: i64,
    new: &ImportedMessage,
    now: Timestamp,
) -> Done<i64> {
    let connection = tx.connection;
    let message = &new.message;
    let tags = message.tags.kept();
    // It shares the place of another, and so would many: none may be among those looked through.
    message_tag::settle(connection, conversation.id)?;
    let seq = place(connection, conversation, new.said_at)?;
    let number = rows::insert(
        connection,
        INSERT,
        params![
            message.id.to_bytes(),
            conversation.bot,
            conversation.id,
            user,
            message.direction == Direction::Outgoing,
            message.kind,
            message.payload.as_str(),
            tags::to_text(&tags)?,
            message.synthetic,
            seq,
            new.said_at.as_millis(),
            now.as_millis()
        ],
    )?;
    MESSAGES.add(connection, conversation.id, number, &tags)?;
    participant::join(connection, conversation.id, user)?;
    rows::execute(connection, COUNT, [conversation.id])?;
    tx.conversation_changed(conversation.value.id);
    Ok(number)
}

/// The place of the last message that is not younger than `said_at`; 0 if there is none. Places are
/// in the order of time but for clocks that were set back, so that halving finds it in a few looks;
/// where they are not, an imported message still has one place, for good.
fn place(connection: &Connection, conversation: &ConversationRow, said_at: Timestamp) -> Done<i64> {
    let (mut not_younger, mut younger) = (0, conversation.next_seq);
    while younger - not_younger > 1 {
        let middle = not_younger + (younger - not_younger) / 2;
        let stored: Option<i64> = rows::value(connection, STORED_AT, [conversation.id, middle])?;
        let stored = stored.ok_or_else(|| rows::gone("a place in a conversation"))?;
        if stored <= said_at.as_millis() {
            not_younger = middle;
        } else {
            younger = middle;
        }
    }
    Ok(not_younger)
}

#[async_trait]
impl IncomingStore for SqliteStore {
    async fn initialize_incoming(&self, command: InitializeIncoming) -> Result<Initialized> {
        self.write(move |tx| initialize(tx, &command)).await
    }

    async fn import_messages(&self, command: ImportMessages) -> Result<Vec<Found<Message>>> {
        self.write(move |tx| import(tx, &command)).await
    }
}
