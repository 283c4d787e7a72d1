-- Version 8. The values of tags, counted, so that listing them walks through nothing.
--
-- A count is that of the rows up to the mark of their kind whose tags hold the value now. What is
-- new lies behind the mark and costs its writer nothing: it is gathered while nobody writes, or when
-- somebody asks. What a database holds already is gathered in the same way, from its first row on.

CREATE TABLE tag_name (
    id INTEGER PRIMARY KEY,
    bot INTEGER NOT NULL REFERENCES bot (id),
    kind INTEGER NOT NULL, -- 0 conversation, 1 user, 2 message
    name TEXT NOT NULL,
    integration INTEGER NOT NULL, -- 0: none
    UNIQUE (bot, kind, name, integration)
) STRICT;

CREATE TABLE tag_value (
    name INTEGER NOT NULL REFERENCES tag_name (id),
    value TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (name, value)
) STRICT, WITHOUT ROWID;

CREATE TABLE tag_mark (
    kind INTEGER PRIMARY KEY,
    upto INTEGER NOT NULL -- number of a row
) STRICT;
INSERT INTO tag_mark (kind, upto) VALUES (0, 0), (1, 0), (2, 0);
