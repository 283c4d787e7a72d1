-- Version 16. A conversation's row is not written with each message, only when some are settled: then
-- they enter the index of tags together, and are counted. Behind `settled` each place is one message
-- that is not deleted, and the last place is told by the index of places.

ALTER TABLE conversation RENAME COLUMN tagged TO settled;
UPDATE conversation SET message_count = message_count - (next_seq - 1 - settled)
    WHERE next_seq - 1 <> settled;
ALTER TABLE conversation DROP COLUMN next_seq;
