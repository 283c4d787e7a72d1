-- Version 8. Threads that had another name: what a script is asked by, too.

CREATE TABLE moved_thread (
    integration INTEGER NOT NULL REFERENCES integration (id),
    thread TEXT NOT NULL,
    was TEXT NOT NULL,
    PRIMARY KEY (integration, thread)
) STRICT, WITHOUT ROWID;
