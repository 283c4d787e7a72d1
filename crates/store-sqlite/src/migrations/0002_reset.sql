-- Version 2. Conversations that were reset: no identity means them any more. The index has their tags
-- under the negative number of their bot.

ALTER TABLE conversation ADD COLUMN reset_at INTEGER;
