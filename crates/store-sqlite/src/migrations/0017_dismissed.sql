-- Version 17. What a person has seen to is dismissed: 6 was uncertain, 7 was dead.

-- In the words of the lists. Those that were dismissed lie together, and beside what waits for a person.
DROP INDEX delivery_failed;
CREATE INDEX delivery_failed ON delivery (bot, min(status, 6)) WHERE status > 3;
