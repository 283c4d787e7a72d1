-- Version 7. Updates that no script could place: events that wait to be taken once one can.
--
-- A table of its own: what waits is found at the cost of what waits, whatever was taken before.

CREATE TABLE unmapped (
    integration INTEGER NOT NULL REFERENCES integration (id),
    event INTEGER NOT NULL REFERENCES event (id),
    thread TEXT, -- external; unknown of what was kept before this version
    PRIMARY KEY (integration, event)
) STRICT, WITHOUT ROWID;
CREATE INDEX unmapped_thread ON unmapped (integration, thread, event) WHERE thread IS NOT NULL;
-- What looks after the foreign key when an event goes.
CREATE INDEX unmapped_event ON unmapped (event);

INSERT INTO unmapped (integration, event)
SELECT i.id, e.id FROM integration i
    CROSS JOIN event e ON e.bot = i.bot AND e.kind = i.alias || ':unmapped'
WHERE i.script IS NOT NULL AND e.payload IS NOT NULL AND e.once IS NOT NULL;
