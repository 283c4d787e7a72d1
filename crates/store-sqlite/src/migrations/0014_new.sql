-- Version 14. What is enqueued is new until a claim has looked at its line: an enqueue appends, and
-- enters no index that is ordered by lines.

-- -1 new: nobody has looked yet at what is before it in its line. In the order of their coming.
CREATE INDEX delivery_new ON delivery (destination) WHERE status = -1;
DROP INDEX delivery_line;
CREATE INDEX delivery_line ON delivery (destination, conversation)
    WHERE status BETWEEN 0 AND 2 AND conversation IS NOT NULL;
