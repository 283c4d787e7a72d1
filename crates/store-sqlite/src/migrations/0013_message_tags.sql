-- Version 13. The newest messages of a conversation enter the index of tags together, not one by one.

-- Up to which place the index has the tags of the conversation's messages, whoever said them.
ALTER TABLE conversation ADD COLUMN tagged INTEGER NOT NULL DEFAULT 0;
UPDATE conversation SET tagged = next_seq - 1;

-- And up to which row it has those of all conversations.
INSERT INTO tag_mark (kind, upto) SELECT 3, coalesce(max(id), 0) FROM message;
