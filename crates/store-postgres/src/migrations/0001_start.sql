-- Version 1. Runs in the schema `switchboard`, which the runner has made.
--
-- Integer references inside, the 16-byte public id in a unique column beside, as on SQLite: eight
-- bytes instead of sixteen in each index, and what is new lies together at the end of each. Numbers
-- grow in the order of making wherever that decides something: who makes a conversation or user
-- holds the lock of its scope, who enqueues holds the row of its conversation. A number that a
-- transaction took and rolled back is not given again.
--
-- Texts that are looked up compare bytewise. Payloads are text: jsonb would reorder keys and change
-- numbers. `user` is a reserved word, hence `users` and `user_id`.

CREATE SEQUENCE node_number AS integer CYCLE;

CREATE TABLE bot (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public uuid NOT NULL UNIQUE,
    name text NOT NULL,
    created_at bigint NOT NULL
);

CREATE TABLE integration (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public uuid NOT NULL UNIQUE,
    bot bigint NOT NULL REFERENCES bot (id),
    alias text COLLATE "C" NOT NULL,
    platform text NOT NULL,
    webhook_id text COLLATE "C" NOT NULL UNIQUE,
    active boolean NOT NULL,
    secret bytea,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    UNIQUE (bot, alias)
);

CREATE TABLE token (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public uuid NOT NULL UNIQUE,
    bot bigint NOT NULL REFERENCES bot (id),
    integration bigint REFERENCES integration (id),
    label text NOT NULL,
    hint text NOT NULL,
    hash bytea NOT NULL UNIQUE,
    created_at bigint NOT NULL,
    revoked_at bigint
);
CREATE INDEX token_bot ON token (bot);

CREATE TABLE conversation (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public uuid NOT NULL UNIQUE,
    bot bigint NOT NULL REFERENCES bot (id),
    integration bigint NOT NULL REFERENCES integration (id),
    channel text COLLATE "C" NOT NULL,
    tags text NOT NULL,
    -- Pairs that a re-key replaced, as [[name, value], …]; they go on matching.
    aliases text,
    next_seq bigint NOT NULL DEFAULT 1,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    -- Since when no identity means it any more; the index has its tags under the negative number of
    -- its bot.
    reset_at bigint,
    deleted_at bigint
);
CREATE INDEX conversation_created ON conversation (bot, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX conversation_updated ON conversation (bot, updated_at, id) WHERE deleted_at IS NULL;

CREATE TABLE users (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public uuid NOT NULL UNIQUE,
    bot bigint NOT NULL REFERENCES bot (id),
    integration bigint REFERENCES integration (id),
    tags text NOT NULL,
    name text,
    picture_url text,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    deleted_at bigint
);
CREATE INDEX users_created ON users (bot, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX users_updated ON users (bot, updated_at, id) WHERE deleted_at IS NULL;

-- The first 8 bytes of the digest of each pair of name and value. What they find is checked against
-- the row itself, so that two pairs with one digest are no mistake, only a detour.
CREATE TABLE tag (
    kind smallint NOT NULL, -- 0 conversations of a bot, 1 users of a bot, 2 messages of a conversation
    scope bigint NOT NULL,
    pair bigint NOT NULL,
    item bigint NOT NULL,
    PRIMARY KEY (kind, scope, pair, item)
);

-- The first item from `start` on that has all pairs: seek in the first list, seek in the next from
-- there on, go round until all agree. The cost follows the rarest pair. It is STABLE, so that all its
-- seeks see the one snapshot of the statement that calls it.
CREATE FUNCTION first_tagged(of_kind smallint, in_scope bigint, pairs bigint[], start bigint)
RETURNS bigint LANGUAGE plpgsql STABLE STRICT AS $$
DECLARE
    reached bigint := start;
    next_item bigint;
    many integer := cardinality(pairs);
    place integer := 0;
    agreeing integer := 0;
BEGIN
    IF many = 0 THEN
        RETURN NULL;
    END IF;
    LOOP
        SELECT t.item INTO next_item FROM switchboard.tag t
            WHERE t.kind = of_kind AND t.scope = in_scope AND t.pair = pairs[place + 1]
                AND t.item >= reached
            ORDER BY t.item LIMIT 1;
        IF next_item IS NULL THEN
            RETURN NULL;
        END IF;
        IF next_item > reached THEN
            reached := next_item;
            agreeing := 0;
        END IF;
        agreeing := agreeing + 1;
        IF agreeing = many THEN
            RETURN reached;
        END IF;
        place := (place + 1) % many;
    END LOOP;
END
$$;

-- All items that have all pairs, or NULL where they are too many to be worth listing, or too far
-- apart to be worth looking for.
CREATE FUNCTION all_tagged(of_kind smallint, scopes bigint[], pairs bigint[], most integer, steps integer)
RETURNS bigint[] LANGUAGE plpgsql STABLE STRICT AS $$
DECLARE
    found bigint[] := '{}';
    in_scope bigint;
    reached bigint;
    next_item bigint;
    many integer := cardinality(pairs);
    place integer;
    agreeing integer;
    taken integer := 0;
BEGIN
    IF many = 0 THEN
        RETURN NULL;
    END IF;
    FOREACH in_scope IN ARRAY scopes LOOP
        reached := 0;
        place := 0;
        agreeing := 0;
        LOOP
            taken := taken + 1;
            IF taken > steps THEN
                RETURN NULL;
            END IF;
            SELECT t.item INTO next_item FROM switchboard.tag t
                WHERE t.kind = of_kind AND t.scope = in_scope AND t.pair = pairs[place + 1]
                    AND t.item >= reached
                ORDER BY t.item LIMIT 1;
            EXIT WHEN next_item IS NULL;
            IF next_item > reached THEN
                reached := next_item;
                agreeing := 0;
            END IF;
            agreeing := agreeing + 1;
            IF agreeing = many THEN
                IF cardinality(found) >= most THEN
                    RETURN NULL;
                END IF;
                found := found || reached;
                reached := reached + 1;
                agreeing := 0;
            END IF;
            place := (place + 1) % many;
        END LOOP;
    END LOOP;
    RETURN found;
END
$$;

CREATE TABLE participant (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- the order of joining
    conversation bigint NOT NULL REFERENCES conversation (id),
    user_id bigint NOT NULL REFERENCES users (id),
    UNIQUE (conversation, user_id)
);
CREATE INDEX participant_conversation ON participant (conversation, id);
CREATE INDEX participant_user ON participant (user_id);

CREATE TABLE message (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public uuid NOT NULL UNIQUE,
    bot bigint NOT NULL REFERENCES bot (id),
    conversation bigint NOT NULL REFERENCES conversation (id),
    user_id bigint NOT NULL REFERENCES users (id),
    outgoing boolean NOT NULL,
    kind text NOT NULL,
    payload text NOT NULL,
    tags text NOT NULL,
    synthetic boolean NOT NULL,
    seq bigint NOT NULL,
    once uuid,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    -- A deleted message stays as a row without payload: it is what a redelivery is recognised by.
    deleted_at bigint
);
CREATE UNIQUE INDEX message_once ON message (once) WHERE once IS NOT NULL;
CREATE UNIQUE INDEX message_seq ON message (conversation, seq);
CREATE INDEX message_bot ON message (bot, id) WHERE deleted_at IS NULL;

CREATE TABLE idempotency (
    bot bigint NOT NULL REFERENCES bot (id),
    key uuid NOT NULL,
    request uuid NOT NULL,
    message uuid NOT NULL, -- public id: the key outlives the message
    at bigint NOT NULL,
    PRIMARY KEY (bot, key)
);
CREATE INDEX idempotency_at ON idempotency (at);

-- Once keys of what a sweep has removed.
CREATE TABLE once_kept (
    key uuid NOT NULL PRIMARY KEY,
    at bigint NOT NULL
);
CREATE INDEX once_kept_at ON once_kept (at);

CREATE TABLE event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public uuid NOT NULL UNIQUE,
    bot bigint NOT NULL REFERENCES bot (id),
    kind text COLLATE "C" NOT NULL,
    payload text, -- none: it announces the message
    -- No foreign key: its check at a deletion would need the full index that is saved below.
    conversation bigint,
    user_id bigint REFERENCES users (id),
    message bigint REFERENCES message (id),
    once uuid,
    created_at bigint NOT NULL
);
CREATE UNIQUE INDEX event_once ON event (once) WHERE once IS NOT NULL;
CREATE INDEX event_bot ON event (bot, id);
CREATE INDEX event_message ON event (message) WHERE message IS NOT NULL;
-- Those that announce a message are found by it: an index over them would cost each ingest a page.
CREATE INDEX event_conversation ON event (conversation, id)
    WHERE payload IS NOT NULL AND conversation IS NOT NULL;

CREATE TABLE state (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public uuid NOT NULL UNIQUE,
    bot bigint NOT NULL REFERENCES bot (id),
    owner bigint NOT NULL, -- 0: the bot, else the integration
    kind smallint NOT NULL, -- 0 conversation, 1 user, 2 bot, 3 integration
    subject bigint NOT NULL,
    name text COLLATE "C" NOT NULL,
    payload text NOT NULL,
    expiry bigint, -- milliseconds from each write
    expires_at bigint,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    UNIQUE (kind, subject, owner, name)
);
CREATE INDEX state_expires ON state (expires_at) WHERE expires_at IS NOT NULL;

-- A replay moves a delivery to the end of its line by a new number, hence BY DEFAULT.
CREATE TABLE delivery (
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, -- the order within a line
    public uuid NOT NULL UNIQUE,
    bot bigint NOT NULL REFERENCES bot (id),
    destination bigint NOT NULL, -- 0: the bot, else the integration
    conversation bigint, -- no foreign key, as in event
    event bigint REFERENCES event (id),
    message bigint REFERENCES message (id),
    -- 0 behind another of its line, 1 ready, 2 in flight, 3 delivered, 4 uncertain, 5 dead
    status smallint NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    -- By the database's clock, as is the lease.
    due_at bigint NOT NULL,
    leased_until bigint,
    -- The node that has it in flight.
    holder integer,
    epoch bigint NOT NULL DEFAULT 0,
    trying_since bigint,
    uncertain integer NOT NULL DEFAULT 0, -- tries that may have been taken
    progress text,
    error text,
    created_at bigint NOT NULL
);
-- Only the head of a line is ready, so that a claim costs what it takes and not what waits. What was
-- never tried lies apart: a crowd of retries must not be searched for it.
CREATE INDEX delivery_first ON delivery (destination, due_at, id)
    WHERE status = 1 AND trying_since IS NULL;
CREATE INDEX delivery_again ON delivery (destination, due_at, id)
    WHERE status = 1 AND trying_since IS NOT NULL;
CREATE INDEX delivery_leased ON delivery (destination, leased_until) WHERE status = 2;
CREATE INDEX delivery_line ON delivery (destination, conversation, id)
    WHERE status < 3 AND conversation IS NOT NULL;
CREATE UNIQUE INDEX delivery_in_flight ON delivery (destination, conversation)
    WHERE status = 2 AND conversation IS NOT NULL;
CREATE INDEX delivery_failed ON delivery (bot, id) WHERE status > 3;
CREATE INDEX delivery_bot ON delivery (bot, id);
CREATE INDEX delivery_event ON delivery (event, id) WHERE event IS NOT NULL;
CREATE INDEX delivery_message ON delivery (message, id) WHERE message IS NOT NULL;

CREATE TABLE poll_position (
    integration bigint NOT NULL REFERENCES integration (id),
    account text COLLATE "C" NOT NULL,
    next bigint NOT NULL,
    at bigint NOT NULL,
    PRIMARY KEY (integration, account)
);

-- What is deleted but not yet removed: kind as in state.
CREATE TABLE deleted (
    kind smallint NOT NULL,
    subject bigint NOT NULL,
    PRIMARY KEY (kind, subject)
);

-- Written to find out whether writes get through.
CREATE TABLE probe (
    id bigint PRIMARY KEY,
    count bigint NOT NULL
);
