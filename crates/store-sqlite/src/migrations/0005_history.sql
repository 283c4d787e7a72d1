-- Version 5. Messages of the past and of the future, and lists that cost what they show.
--
-- An imported message shares the place (seq) of the message it comes behind, and is told apart there
-- by its time: hence the time in the index, where the message that took the place is the first. What
-- waits for its time has the negative of its number for a place.

ALTER TABLE message ADD COLUMN imported INTEGER NOT NULL DEFAULT 0;
DROP INDEX message_seq;
CREATE INDEX message_place ON message (conversation, seq, created_at);
-- Of the whole bot: by time, so that a list between two dates begins where they do.
DROP INDEX message_bot;
CREATE INDEX message_bot ON message (bot, created_at) WHERE deleted_at IS NULL AND seq >= 0;

ALTER TABLE conversation ADD COLUMN message_count INTEGER NOT NULL DEFAULT 0;
UPDATE conversation SET message_count =
    (SELECT count(*) FROM message m WHERE m.conversation = conversation.id AND m.deleted_at IS NULL);

-- What waits for its time. A canceled event stays, without a time.
CREATE TABLE schedule (
    id INTEGER PRIMARY KEY,
    bot INTEGER NOT NULL REFERENCES bot (id),
    event INTEGER,
    message INTEGER,
    delivery BLOB NOT NULL, -- the public ids of what is made when its time comes
    announcement BLOB,
    due_at INTEGER
) STRICT;
CREATE INDEX schedule_due ON schedule (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX schedule_bot ON schedule (bot, event) WHERE event IS NOT NULL;
CREATE UNIQUE INDEX schedule_event ON schedule (event) WHERE event IS NOT NULL;
CREATE UNIQUE INDEX schedule_message ON schedule (message) WHERE message IS NOT NULL;

-- Events that announce no message, by what they are asked for: an ingest enters none of these.
CREATE INDEX event_kind ON event (bot, kind) WHERE payload IS NOT NULL;
CREATE INDEX event_user ON event (user) WHERE payload IS NOT NULL AND user IS NOT NULL;
