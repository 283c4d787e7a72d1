-- Version 18. Edits that came before the message that they change: while they wait, the message's once
-- key is kept, and has not been taken.

ALTER TABLE once_kept ADD COLUMN edits TEXT; -- a JSON array, the newest last
