-- Version 2. Conversations count their messages.

ALTER TABLE conversation ADD COLUMN message_count integer NOT NULL DEFAULT 0;
UPDATE conversation SET message_count =
    (SELECT count(*) FROM message m WHERE m.conversation = conversation.id AND m.deleted_at IS NULL);
