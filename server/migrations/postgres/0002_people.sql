-- Secrets are kept as hashes only: 32 bytes each.

CREATE TABLE person (
    rowid BIGINT GENERATED ALWAYS AS IDENTITY,
    id              TEXT COLLATE "C" PRIMARY KEY,
    account_id      TEXT COLLATE "C" NOT NULL REFERENCES account (id),
    email           TEXT COLLATE "C" NOT NULL,
    -- The same address in other letters is the same person. In small ones, of every alphabet, not only of ASCII.
    email_key       TEXT COLLATE "C" NOT NULL UNIQUE,
    role            TEXT COLLATE "C" NOT NULL CHECK (role IN ('admin', 'owner')),
    -- argon2id, in the PHC string format.
    password        TEXT COLLATE "C" NOT NULL,
    disabled_at     BIGINT,
    created_at      BIGINT NOT NULL
);

CREATE TABLE session (
    hash        BYTEA PRIMARY KEY CHECK (length(hash) = 32),
    id          TEXT COLLATE "C" NOT NULL UNIQUE,
    user_id     TEXT COLLATE "C" NOT NULL REFERENCES person (id),
    agent       TEXT COLLATE "C" NOT NULL,
    address     TEXT COLLATE "C" NOT NULL,
    created_at  BIGINT NOT NULL,
    seen_at     BIGINT NOT NULL
);

CREATE INDEX session_of_user ON session (user_id);

-- Sign-ins that were tried, for an e-mail address or for a network address. Names are hashed: people type passwords there.
CREATE TABLE attempt (
    hash    BYTEA PRIMARY KEY CHECK (length(hash) = 32),
    count   BIGINT NOT NULL,
    since   BIGINT NOT NULL
);

CREATE INDEX attempt_since ON attempt (since);

CREATE TABLE api_token (
    rowid BIGINT GENERATED ALWAYS AS IDENTITY,
    id              TEXT COLLATE "C" PRIMARY KEY,
    hash            BYTEA NOT NULL UNIQUE CHECK (length(hash) = 32),
    user_id         TEXT COLLATE "C" NOT NULL REFERENCES person (id),
    name            TEXT COLLATE "C" NOT NULL,
    created_at      BIGINT NOT NULL,
    last_used_at    BIGINT
);

CREATE INDEX api_token_user ON api_token (user_id);

-- One-time links. The token in it is sealed with a key that only the link has.
CREATE TABLE share (
    id          BYTEA PRIMARY KEY CHECK (length(id) = 32),
    seat_id     TEXT COLLATE "C" NOT NULL REFERENCES seat (id),
    sealed      BYTEA NOT NULL,
    expires_at  BIGINT NOT NULL
);

CREATE INDEX share_seat ON share (seat_id);

-- Answers to requests that may come again because the first answer was lost. The secret in it is sealed with a key that
-- needs the request's Idempotency-Key and the pepper.
CREATE TABLE remembered (
    hash        BYTEA PRIMARY KEY CHECK (length(hash) = 32),
    -- Of the request that was answered: the same key with another request is a mistake.
    request     BYTEA NOT NULL CHECK (length(request) = 32),
    subject     TEXT COLLATE "C" NOT NULL,
    sealed      BYTEA NOT NULL,
    created_at  BIGINT NOT NULL
);

CREATE INDEX remembered_created ON remembered (created_at);
