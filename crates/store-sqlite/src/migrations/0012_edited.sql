-- Version 12. An edit can change a message's type, and one that comes late changes nothing.

-- By the channel's date, in seconds.
ALTER TABLE message ADD COLUMN edited_at INTEGER;

ALTER TABLE message_version ADD COLUMN kind TEXT NOT NULL DEFAULT 'text';
UPDATE message_version SET kind = (SELECT m.kind FROM message m WHERE m.id = message_version.message);
