-- Secrets are kept as hashes only: 32 bytes each.

CREATE TABLE person (
    id              TEXT PRIMARY KEY,
    account_id      TEXT NOT NULL REFERENCES account (id),
    email           TEXT NOT NULL,
    -- The same address in other letters is the same person. In small ones, of every alphabet, not only of ASCII.
    email_key       TEXT NOT NULL UNIQUE,
    role            TEXT NOT NULL CHECK (role IN ('admin', 'owner')),
    -- argon2id, in the PHC string format.
    password        TEXT NOT NULL,
    disabled_at     INTEGER,
    created_at      INTEGER NOT NULL
) STRICT;

CREATE TABLE session (
    hash        BLOB PRIMARY KEY CHECK (length(hash) = 32),
    id          TEXT NOT NULL UNIQUE,
    user_id     TEXT NOT NULL REFERENCES person (id),
    agent       TEXT NOT NULL,
    address     TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    seen_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX session_user ON session (user_id);

-- Sign-ins that were tried, for an e-mail address or for a network address. Names are hashed: people type passwords there.
CREATE TABLE attempt (
    hash    BLOB PRIMARY KEY CHECK (length(hash) = 32),
    count   INTEGER NOT NULL,
    since   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX attempt_since ON attempt (since);

CREATE TABLE api_token (
    id              TEXT PRIMARY KEY,
    hash            BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    user_id         TEXT NOT NULL REFERENCES person (id),
    name            TEXT NOT NULL,
    created_at      INTEGER NOT NULL,
    last_used_at    INTEGER
) STRICT;

CREATE INDEX api_token_user ON api_token (user_id);

-- One-time links. The token in it is sealed with a key that only the link has.
CREATE TABLE share (
    id          BLOB PRIMARY KEY CHECK (length(id) = 32),
    seat_id     TEXT NOT NULL REFERENCES seat (id),
    sealed      BLOB NOT NULL,
    expires_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX share_seat ON share (seat_id);

-- Answers to requests that may come again because the first answer was lost. The secret in it is sealed with a key that
-- needs the request's Idempotency-Key and the pepper.
CREATE TABLE remembered (
    hash        BLOB PRIMARY KEY CHECK (length(hash) = 32),
    -- Of the request that was answered: the same key with another request is a mistake.
    request     BLOB NOT NULL CHECK (length(request) = 32),
    subject     TEXT NOT NULL,
    sealed      BLOB NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX remembered_created ON remembered (created_at);
