-- Version 4. A conversation that became part of another stays as a row that says which; what a
-- message said before a channel changed it.

ALTER TABLE conversation ADD COLUMN merged_into INTEGER;
CREATE INDEX conversation_merged ON conversation (merged_into) WHERE merged_into IS NOT NULL;

CREATE TABLE message_version (
    message INTEGER NOT NULL REFERENCES message (id),
    number INTEGER NOT NULL,
    payload TEXT NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (message, number)
) STRICT, WITHOUT ROWID;
