-- Version 19. What a channel numbers is recognised by a key that begins with the number. Messages and
-- events of before keep theirs.

-- At most one row: until when an ingest asks for keys of the earlier form, too. No clock is at hand but
-- this one; a month is so long that it need not be right to the day.
CREATE TABLE once_digest (until INTEGER NOT NULL);
INSERT INTO once_digest (until)
SELECT (unixepoch() + 30 * 86400) * 1000
WHERE EXISTS (SELECT 1 FROM message) OR EXISTS (SELECT 1 FROM event)
    OR EXISTS (SELECT 1 FROM once_kept);
