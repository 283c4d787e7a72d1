-- Version 15. An incoming message is what the event that announces it is made of: it has no row.
--
-- Such an event has its message's public id, and the message's negative number where the number of an
-- event is kept. Its delivery names the message. Messages from before have their rows, as have those
-- that were scheduled: they are announced later than they are made.

ALTER TABLE message ADD COLUMN announced INTEGER NOT NULL DEFAULT 0;
-- Whether it is announced lies in the index, so that a list of events passes over the others there.
DROP INDEX message_bot;
CREATE INDEX message_bot ON message (bot, created_at, announced)
    WHERE deleted_at IS NULL AND seq >= 0;

-- By time, in which both kinds are listed together. An ingest of messages enters none of these.
DROP INDEX event_bot;
CREATE INDEX event_bot ON event (bot, created_at);
DROP INDEX event_kind;
CREATE INDEX event_kind ON event (bot, kind, created_at);
DROP INDEX event_user;
CREATE INDEX event_user ON event (user, created_at) WHERE user IS NOT NULL;
DROP INDEX event_conversation;
CREATE INDEX event_conversation ON event (conversation, created_at)
    WHERE conversation IS NOT NULL;
DROP INDEX event_workflow;
CREATE INDEX event_workflow ON event (workflow, created_at) WHERE workflow IS NOT NULL;
