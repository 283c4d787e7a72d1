//! Chats of a channel as a whole.
//!
//! Promises: who left is gone from all conversations of the chat in the transaction of the event that
//! says so; a message is found at the cost of a look into each of its chat's conversations, and
//! nothing was written for that when it came.
//! What never happens here: a conversation or message of a chat that only was called so before.

use rusqlite::{Connection, params};
use switchboard_model::{BotId, Conversation, Direction, IntegrationId, Message, MessageId, Tags};
use switchboard_store::{About, Chat, ChatNews, Sender, parts_of};

use crate::conversation::{self, Scope};
use crate::failure::Done;
use crate::ingest::Intake;
use crate::rows::{self, ConversationRow, Numbered};
use crate::tags::{CONVERSATIONS, digest, without_identity};
use crate::writer::Tx;
use crate::{message, message_tag, moved, participant, user};

/// The newest first, for an older one of the same number is rather one that was taken for it.
const SENT: &str = "SELECT m.item, t.item FROM conversation_tag t
    CROSS JOIN message_tag m ON m.scope = t.item AND m.pair = ?3
    WHERE t.scope = ?1 AND t.pair = ?2
    ORDER BY m.item DESC";
const SENT_IN: &str = "SELECT item, scope FROM message_tag WHERE scope = ?1 AND pair = ?2
    ORDER BY item DESC";
/// From the side of the person, who is in fewer conversations than a forum has topics.
const TAKES_PART: &str = "SELECT p.conversation FROM participant p
    CROSS JOIN conversation_tag t ON t.scope = ?2 AND t.pair = ?3 AND t.item = p.conversation
    WHERE p.user = ?1";
/// The newest rows only, and of them those that can have been said later: they came later. The last of
/// a conversation are told from its index alone.
const SAID: &str = "SELECT m.tags FROM
        (SELECT id, created_at FROM message WHERE conversation = ?1 AND seq >= 0
            ORDER BY seq DESC LIMIT ?2) n
    CROSS JOIN message m ON m.id = n.id
    WHERE n.created_at >= ?3 AND m.user = ?4 AND m.direction = 0";
const TOLD: &str = "INSERT INTO membership (user, integration, chat, at) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (user, integration, chat) DO UPDATE SET at = excluded.at
    WHERE excluded.at >= membership.at";
const FORGET: &str = "DELETE FROM membership WHERE user = ?1 AND (integration, chat) IN
    (SELECT integration, chat FROM membership WHERE user = ?1 LIMIT ?2)";

/// How far back in a conversation it is looked whether somebody spoke after leaving. A word that is so
/// late that more was said since is believed.
const LOOKED_BACK: i64 = 1000;
/// How much this clock may be behind the channel's, in milliseconds.
const SKEW: i64 = 5 * 60 * 1000;

/// Where the index has conversations of a bot: those with an identity, and those that lost it.
const fn index_scopes(bot: i64) -> [i64; 2] {
    [bot, without_identity(bot)]
}

/// Whether a conversation is one of this chat, under the name that the chat has now.
fn is_of(row: &ConversationRow, scope: Scope<'_>, chat: &Chat) -> bool {
    let tags = &row.value.tags;
    let is_named = tags.get(&chat.tag.0) == Some(chat.tag.1.as_str())
        || (!row.reset && tags.contains(&chat.identity));
    row.integration == scope.home.integration.id
        && row.value.channel == scope.channel
        && is_named
        && chat.without.iter().all(|name| tags.get(name).is_none())
}

/// The chat's own conversation.
fn own(connection: &Connection, scope: Scope<'_>, chat: &Chat) -> Done<Option<ConversationRow>> {
    if chat.identity.is_empty() {
        return Err(conversation::no_identity().into());
    }
    let found = conversation::find(connection, scope, &chat.identity)?;
    Ok(found.filter(|row| is_of(row, scope, chat)))
}

/// All conversations of the chat that an identity means.
fn all(connection: &Connection, scope: Scope<'_>, chat: &Chat) -> Done<Vec<ConversationRow>> {
    let mut found: Vec<_> = own(connection, scope, chat)?.into_iter().collect();
    let own = found.first().map(|row| row.id);
    let pairs = [digest(&chat.tag.0, &chat.tag.1)];
    let mut start = 0;
    while let Some(id) = CONVERSATIONS.first(connection, scope.home.bot.id, &pairs, start)? {
        start = id + 1;
        if Some(id) != own
            && let Some(row) = conversation::by_number(connection, id)?
            && is_of(&row, scope, chat)
        {
            found.push(row);
        }
    }
    Ok(found)
}

/// A message that came in is known by its key; one that went out, by the number that it got.
pub(crate) fn find_message(
    connection: &Connection,
    scope: Scope<'_>,
    integration: IntegrationId,
    about: &About,
) -> Done<Option<(Numbered<Message>, ConversationRow)>> {
    if let Some(once) = about.once
        && let Some(message) = message::brought(connection, integration, once)?
    {
        let id = message::conversation_of(connection, message.id)?;
        let row = conversation::by_number(connection, id)?;
        return Ok(row.map(|row| (message, row)));
    }
    let chat = &about.chat;
    let of_chat = digest(&chat.tag.0, &chat.tag.1);
    let named = digest(&about.message.0, &about.message.1);
    let mut hits: Vec<(i64, i64)> = Vec::new();
    let hit = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    for index in index_scopes(scope.home.bot.id) {
        let keys = [index, of_chat, named];
        hits.extend(rows::all(connection, SENT, keys, hit)?);
    }
    // One that was made with nothing but its id.
    if let Some(own) = own(connection, scope, chat)? {
        hits.extend(rows::all(connection, SENT_IN, [own.id, named], hit)?);
    }
    for (message, conversation) in hits {
        if let Some(message) = message::by_number(connection, message)?
            && let Some(row) = conversation::by_number(connection, conversation)?
            && is_of(&row, scope, chat)
            && went_out_as(connection, &message, &row, about)?
        {
            return Ok(Some((message, row)));
        }
    }
    Ok(None)
}

/// Whether the bot's message has this name in the chat as it is called now. Names may begin anew
/// where a chat moves: then only what came behind something from the new chat is surely from there.
fn went_out_as(
    connection: &Connection,
    message: &Numbered<Message>,
    conversation: &ConversationRow,
    about: &About,
) -> Done<bool> {
    let (name, value) = &about.message;
    let tags = &message.value.tags;
    let is_named = tags.get(name) == Some(value.as_str())
        || parts_of(tags).any(|part| part == (name.as_str(), value.as_str()));
    if !is_named || message.value.direction != Direction::Outgoing {
        return Ok(false);
    }
    let (name, value) = &about.chat.tag;
    let moved = conversation.aliases.iter().any(|alias| alias.0 == *name);
    if !moved {
        return Ok(true);
    }
    let from_there = Tags::from_iter([(name.as_str(), value.as_str())]);
    let first = message_tag::first(connection, conversation.id, &from_there, 0)?;
    Ok(first.is_some_and(|first| first < message.id))
}

/// The message that a channel calls so, for a caller outside a transaction.
pub(crate) fn look(
    connection: &Connection,
    bot: BotId,
    integration: IntegrationId,
    about: &About,
) -> Done<Option<(MessageId, Conversation)>> {
    let Some(home) = rows::home(connection, bot, integration)? else {
        return Ok(None);
    };
    let scope = Scope {
        home: &home,
        channel: &about.chat.channel,
    };
    let found = find_message(connection, scope, integration, about)?;
    Ok(found.map(|(message, row)| (message.value.id, row.value)))
}

impl Intake<'_> {
    /// Does what an event says of a chat.
    pub(crate) fn news(&self, tx: &mut Tx<'_>, news: &ChatNews) -> Done<()> {
        let connection = tx.connection;
        let scope = self.scope(&news.chat.channel);
        if !news.tags.is_empty() {
            for mut row in all(connection, scope, &news.chat)? {
                conversation::note(connection, &mut row, &news.tags, self.now())?;
            }
        }
        if news.left.is_empty() && news.joined.is_empty() {
            return Ok(());
        }
        let own = own(connection, scope, &news.chat)?.map(|own| own.id);
        for who in &news.left {
            if let Some(user) = self.known_user(connection, who)?
                && self.is_last_word(connection, news, user)?
            {
                leave(connection, scope, news, own, user)?;
            }
        }
        for joined in &news.joined {
            let place = match joined.into {
                Some(id) => Some(self.known_conversation(connection, id)?.id),
                None => own.filter(|_| !news.decided),
            };
            let Some(place) = place else {
                continue;
            };
            let (user, _) = self.sender(connection, &joined.who)?;
            if self.is_last_word(connection, news, user.id)? {
                participant::join(connection, place, user.id)?;
            }
        }
        Ok(())
    }

    /// Remembers when something was told of a person, and tells whether nothing newer was before.
    fn is_last_word(&self, connection: &Connection, news: &ChatNews, user: i64) -> Done<bool> {
        let chat = &news.chat.tag.1;
        let keys = params![user, self.integration(), chat, news.at];
        Ok(rows::execute(connection, TOLD, keys)? > 0)
    }

    fn known_user(&self, connection: &Connection, who: &Sender) -> Done<Option<i64>> {
        if who.known.is_some() {
            return Ok(Some(self.sender(connection, who)?.0.id));
        }
        if who.identity.is_empty() {
            return Err(conversation::no_identity().into());
        }
        let found = user::find(connection, self.user_scope(), &who.identity)?;
        Ok(found.map(|user| user.id))
    }
}

/// Makes a user take part in no conversation of the chat, unless they have spoken in one since.
fn leave(
    connection: &Connection,
    scope: Scope<'_>,
    news: &ChatNews,
    own: Option<i64>,
    user: i64,
) -> Done<()> {
    let mut chats = vec![news.chat.clone()];
    if news.decided
        && let Some(was) = moved::was_of(connection, scope.home.integration.id, &news.chat.tag.1)?
    {
        // A conversation learns of a move by the next that is said in it.
        let mut before = news.chat.clone();
        before.tag.1 = was;
        chats.push(before);
    }
    let mut places: Vec<i64> = own.into_iter().collect();
    for chat in &chats {
        let pair = digest(&chat.tag.0, &chat.tag.1);
        for index in index_scopes(scope.home.bot.id) {
            let found = rows::all(connection, TAKES_PART, [user, index, pair], |row| {
                row.get(0)
            })?;
            for conversation in found {
                if let Some(row) = conversation::by_number(connection, conversation)?
                    && is_of(&row, scope, chat)
                {
                    places.push(row.id);
                }
            }
        }
    }
    for place in &places {
        if has_spoken_since(connection, *place, user, news)? {
            return Ok(());
        }
    }
    for place in places {
        if !news.decided || !speaks_elsewhere(connection, place, user, &chats)? {
            participant::leave(connection, place, user)?;
        }
    }
    Ok(())
}

/// Whether something that a user said in a conversation is newer than the news, and from their chat.
fn has_spoken_since(
    connection: &Connection,
    conversation: i64,
    user: i64,
    news: &ChatNews,
) -> Done<bool> {
    let came_after = news.at.saturating_mul(1000).saturating_sub(SKEW);
    let (name, chat) = &news.chat.tag;
    let said = said(connection, conversation, user, came_after)?;
    Ok(said.iter().any(|tags| {
        let date = tags.get(&news.said_at).and_then(|date| date.parse().ok());
        date.is_some_and(|date: i64| date > news.at)
            && tags.get(name).is_none_or(|from| from == chat)
    }))
}

/// Whether something that a user said in a conversation lately came from none of these chats.
fn speaks_elsewhere(
    connection: &Connection,
    conversation: i64,
    user: i64,
    chats: &[Chat],
) -> Done<bool> {
    let is_other = |tags: &Tags| {
        let has = |chat: &Chat| tags.get(&chat.tag.0) == Some(chat.tag.1.as_str());
        let names_one = |chat: &Chat| tags.get(&chat.tag.0).is_some();
        chats.iter().any(names_one) && !chats.iter().any(has)
    };
    let said = said(connection, conversation, user, 0)?;
    Ok(said.iter().any(is_other))
}

/// The tags of what a user said last in a conversation, from this time on.
fn said(connection: &Connection, conversation: i64, user: i64, from: i64) -> Done<Vec<Tags>> {
    let keys = params![conversation, LOOKED_BACK, from, user];
    rows::all(connection, SAID, keys, |row| rows::tags(row, 0))
}

/// Removes about so many of what is remembered of a deleted user; fewer only if there is no more.
pub(crate) fn forget(connection: &Connection, user: i64, limit: i64) -> Done<usize> {
    rows::execute(connection, FORGET, [user, limit])
}
