-- Version 10. When it was last told of a person whether they are in a chat: an older word that comes
-- later changes nothing. No foreign key, as for conversations: numbers are never given again.

CREATE TABLE membership (
    user INTEGER NOT NULL,
    integration INTEGER NOT NULL,
    chat TEXT NOT NULL, -- external
    at INTEGER NOT NULL, -- in seconds, as the channel says
    PRIMARY KEY (user, integration, chat)
) STRICT, WITHOUT ROWID;
