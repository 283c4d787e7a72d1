-- Version 1. No older program works with it.
--
-- Integer references inside, the 16-byte public id in a unique column beside: short indexes are
-- what an ingest costs. Integer ids grow in the order of making, which decides between several
-- matches of an identity. AUTOINCREMENT wherever rows are removed and something refers to their
-- numbers, a page's cursor too: no number is ever given again.

CREATE TABLE bot (
    id INTEGER PRIMARY KEY,
    public BLOB NOT NULL UNIQUE,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE integration (
    id INTEGER PRIMARY KEY,
    public BLOB NOT NULL UNIQUE,
    bot INTEGER NOT NULL REFERENCES bot (id),
    alias TEXT NOT NULL,
    platform TEXT NOT NULL,
    webhook_id TEXT NOT NULL UNIQUE,
    active INTEGER NOT NULL,
    secret BLOB,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (bot, alias)
) STRICT;

CREATE TABLE token (
    id INTEGER PRIMARY KEY,
    public BLOB NOT NULL UNIQUE,
    bot INTEGER NOT NULL REFERENCES bot (id),
    integration INTEGER REFERENCES integration (id),
    label TEXT NOT NULL,
    hint TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;
CREATE INDEX token_bot ON token (bot);

CREATE TABLE conversation (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    public BLOB NOT NULL UNIQUE,
    bot INTEGER NOT NULL REFERENCES bot (id),
    integration INTEGER NOT NULL REFERENCES integration (id),
    channel TEXT NOT NULL,
    tags TEXT NOT NULL,
    -- Pairs that a re-key replaced, as [[name, value], …]; they go on matching.
    aliases TEXT,
    next_seq INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER
) STRICT;
CREATE INDEX conversation_created ON conversation (bot, created_at) WHERE deleted_at IS NULL;
CREATE INDEX conversation_updated ON conversation (bot, updated_at) WHERE deleted_at IS NULL;

-- Tag indexes hold the first 8 bytes of each pair's digest. What they find is checked against the
-- row itself, so that two pairs with one digest are no mistake, only a detour.
CREATE TABLE conversation_tag (
    scope INTEGER NOT NULL, -- bot
    pair INTEGER NOT NULL,
    item INTEGER NOT NULL, -- conversation
    PRIMARY KEY (scope, pair, item)
) STRICT, WITHOUT ROWID;

CREATE TABLE user (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    public BLOB NOT NULL UNIQUE,
    bot INTEGER NOT NULL REFERENCES bot (id),
    integration INTEGER REFERENCES integration (id),
    tags TEXT NOT NULL,
    name TEXT,
    picture_url TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER
) STRICT;
CREATE INDEX user_created ON user (bot, created_at) WHERE deleted_at IS NULL;
CREATE INDEX user_updated ON user (bot, updated_at) WHERE deleted_at IS NULL;

CREATE TABLE user_tag (
    scope INTEGER NOT NULL, -- bot
    pair INTEGER NOT NULL,
    item INTEGER NOT NULL, -- user
    PRIMARY KEY (scope, pair, item)
) STRICT, WITHOUT ROWID;

CREATE TABLE participant (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- the order of joining
    conversation INTEGER NOT NULL REFERENCES conversation (id),
    user INTEGER NOT NULL REFERENCES user (id),
    UNIQUE (conversation, user)
) STRICT;
CREATE INDEX participant_conversation ON participant (conversation);
CREATE INDEX participant_user ON participant (user);

CREATE TABLE message (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    public BLOB NOT NULL UNIQUE,
    bot INTEGER NOT NULL REFERENCES bot (id),
    conversation INTEGER NOT NULL REFERENCES conversation (id),
    user INTEGER NOT NULL REFERENCES user (id),
    direction INTEGER NOT NULL, -- 0 incoming, 1 outgoing
    kind TEXT NOT NULL,
    payload TEXT NOT NULL,
    tags TEXT NOT NULL,
    synthetic INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    once BLOB,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    -- A deleted message stays as a row without payload: it is what a redelivery is recognised by.
    deleted_at INTEGER
) STRICT;
CREATE UNIQUE INDEX message_once ON message (once) WHERE once IS NOT NULL;
CREATE UNIQUE INDEX message_seq ON message (conversation, seq);
CREATE INDEX message_bot ON message (bot) WHERE deleted_at IS NULL;

CREATE TABLE message_tag (
    scope INTEGER NOT NULL, -- conversation
    pair INTEGER NOT NULL,
    item INTEGER NOT NULL, -- message
    PRIMARY KEY (scope, pair, item)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency (
    bot INTEGER NOT NULL REFERENCES bot (id),
    key BLOB NOT NULL,
    request BLOB NOT NULL,
    message BLOB NOT NULL, -- public id: the key outlives the message
    at INTEGER NOT NULL,
    PRIMARY KEY (bot, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_at ON idempotency (at);

-- Once keys of what a sweep has removed.
CREATE TABLE once_kept (
    key BLOB NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX once_kept_at ON once_kept (at);

CREATE TABLE event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    public BLOB NOT NULL UNIQUE,
    bot INTEGER NOT NULL REFERENCES bot (id),
    kind TEXT NOT NULL,
    payload TEXT, -- none: it announces the message
    -- No foreign key: its check at a deletion would need the full index that is saved below.
    conversation INTEGER,
    user INTEGER REFERENCES user (id),
    message INTEGER REFERENCES message (id),
    once BLOB,
    created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX event_once ON event (once) WHERE once IS NOT NULL;
CREATE INDEX event_bot ON event (bot);
CREATE INDEX event_message ON event (message) WHERE message IS NOT NULL;
-- Those that announce a message are found by it: an index over them would cost each ingest a page.
CREATE INDEX event_conversation ON event (conversation)
    WHERE payload IS NOT NULL AND conversation IS NOT NULL;

CREATE TABLE state (
    id INTEGER PRIMARY KEY,
    public BLOB NOT NULL UNIQUE,
    bot INTEGER NOT NULL REFERENCES bot (id),
    owner INTEGER NOT NULL, -- 0: the bot, else the integration
    kind INTEGER NOT NULL, -- 0 conversation, 1 user, 2 bot, 3 integration
    subject INTEGER NOT NULL,
    name TEXT NOT NULL,
    payload TEXT NOT NULL,
    expiry INTEGER, -- milliseconds from each write
    expires_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (kind, subject, owner, name)
) STRICT;
CREATE INDEX state_expires ON state (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE delivery (
    id INTEGER PRIMARY KEY, -- the order within a line; nothing refers to it
    public BLOB NOT NULL UNIQUE,
    bot INTEGER NOT NULL REFERENCES bot (id),
    destination INTEGER NOT NULL, -- 0: the bot, else the integration
    conversation INTEGER, -- no foreign key, as in event
    event INTEGER REFERENCES event (id),
    message INTEGER REFERENCES message (id),
    -- 0 behind another of its line, 1 ready, 2 in flight, 3 delivered, 4 uncertain, 5 dead
    status INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at INTEGER NOT NULL,
    leased_until INTEGER,
    epoch INTEGER NOT NULL DEFAULT 0,
    trying_since INTEGER,
    uncertain INTEGER NOT NULL DEFAULT 0, -- tries that may have been taken
    progress TEXT,
    error TEXT,
    created_at INTEGER NOT NULL
) STRICT;
-- Only the head of a line is ready, so that a claim costs what it takes and not what waits. What was
-- never tried lies apart: a crowd of retries must not be searched for it.
CREATE INDEX delivery_first ON delivery (destination, due_at)
    WHERE status = 1 AND trying_since IS NULL;
CREATE INDEX delivery_again ON delivery (destination, due_at)
    WHERE status = 1 AND trying_since IS NOT NULL;
CREATE INDEX delivery_leased ON delivery (destination, leased_until) WHERE status = 2;
CREATE INDEX delivery_line ON delivery (destination, conversation)
    WHERE status < 3 AND conversation IS NOT NULL;
CREATE UNIQUE INDEX delivery_in_flight ON delivery (destination, conversation)
    WHERE status = 2 AND conversation IS NOT NULL;
CREATE INDEX delivery_failed ON delivery (bot) WHERE status > 3;
CREATE INDEX delivery_bot ON delivery (bot);
CREATE INDEX delivery_event ON delivery (event) WHERE event IS NOT NULL;
CREATE INDEX delivery_message ON delivery (message) WHERE message IS NOT NULL;

CREATE TABLE poll_position (
    integration INTEGER NOT NULL REFERENCES integration (id),
    account TEXT NOT NULL,
    next INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (integration, account)
) STRICT, WITHOUT ROWID;

-- What is deleted but not yet removed: kind as in state.
CREATE TABLE deleted (
    kind INTEGER NOT NULL,
    subject INTEGER NOT NULL,
    PRIMARY KEY (kind, subject)
) STRICT, WITHOUT ROWID;

-- Written to find out whether writes get through.
CREATE TABLE probe (
    id INTEGER PRIMARY KEY,
    count INTEGER NOT NULL
) STRICT;
