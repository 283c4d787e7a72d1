-- Version 3. Workflows, and the events that name them.
--
-- No foreign keys to what may go first: the numbers of removed rows are never given again.

CREATE TABLE workflow (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    public BLOB NOT NULL UNIQUE,
    bot INTEGER NOT NULL REFERENCES bot (id),
    name TEXT NOT NULL,
    -- 0 pending, 1 in progress, 2 listening, 3 paused, 4 completed, 5 failed, 6 timed out, 7 cancelled
    status INTEGER NOT NULL,
    input TEXT NOT NULL,
    output TEXT NOT NULL,
    parent INTEGER,
    conversation INTEGER,
    user INTEGER,
    event INTEGER, -- under which it is in progress
    tags TEXT NOT NULL,
    failure_reason TEXT,
    woken INTEGER NOT NULL DEFAULT 0, -- an event named it before it listened
    told INTEGER NOT NULL DEFAULT 0, -- how often the bot was told of it
    told_at INTEGER NOT NULL DEFAULT 0,
    continue_at INTEGER, -- when the bot is to be told to go on
    timeout_at INTEGER NOT NULL,
    completed_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER
) STRICT;
CREATE INDEX workflow_bot ON workflow (bot) WHERE deleted_at IS NULL;
CREATE INDEX workflow_status ON workflow (bot, status) WHERE deleted_at IS NULL;
CREATE INDEX workflow_name ON workflow (bot, name) WHERE deleted_at IS NULL;
CREATE INDEX workflow_parent ON workflow (parent)
    WHERE parent IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX workflow_conversation ON workflow (conversation)
    WHERE conversation IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX workflow_user ON workflow (user) WHERE user IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX workflow_event ON workflow (event) WHERE event IS NOT NULL;
CREATE INDEX workflow_timeout ON workflow (timeout_at) WHERE status < 4 AND deleted_at IS NULL;
CREATE INDEX workflow_continue ON workflow (continue_at) WHERE continue_at IS NOT NULL;

CREATE TABLE workflow_tag (
    scope INTEGER NOT NULL, -- bot while it is active, minus bot once it has ended
    pair INTEGER NOT NULL, -- of a tag, or of the name
    item INTEGER NOT NULL, -- workflow
    PRIMARY KEY (scope, pair, item)
) STRICT, WITHOUT ROWID;

ALTER TABLE event ADD COLUMN workflow INTEGER; -- no foreign key, as for the conversation
CREATE INDEX event_workflow ON event (workflow) WHERE workflow IS NOT NULL;
