-- Version 11. What a bot changes after sending: deliveries that edit or delete a message.
--
-- What the channel has of a message is in the progress of its deliveries, of which the last counts.

-- 0 sends, 1 edits, 2 deletes
ALTER TABLE delivery ADD COLUMN action INTEGER NOT NULL DEFAULT 0;
