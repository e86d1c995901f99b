-- Times are Unix seconds, ids are UUIDs as text, hashes are 32 bytes. Secrets are kept as hashes
-- only. The tables are those of the other database; a test compares the two files.

CREATE TABLE server (
    one             INTEGER PRIMARY KEY CHECK (one = 1),
    issuer          TEXT NOT NULL,
    root_key        TEXT NOT NULL,
    documentation   TEXT,
    support         TEXT,
    initialised_at  INTEGER NOT NULL,
    -- A value that only the right pepper gives: two servers with two peppers would each know the
    -- half of all tokens.
    pepper_check    BLOB CHECK (length(pepper_check) = 32)
) STRICT;

-- The latest time at which a server was at work, to the minute: a clock that shows less was set
-- back.
CREATE TABLE clock (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    mark    INTEGER
) STRICT;

INSERT INTO clock (one, mark) VALUES (1, NULL);

CREATE TABLE key_set (
    seq         INTEGER PRIMARY KEY,
    jws         TEXT NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;

-- Who holds licenses.
CREATE TABLE account (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE plan (
    name            TEXT PRIMARY KEY,
    carries_seats   INTEGER NOT NULL CHECK (carries_seats IN (0, 1)),
    entitlements    TEXT NOT NULL
) STRICT;

INSERT INTO plan (name, carries_seats, entitlements)
VALUES ('starter', FALSE, ''), ('pro', TRUE, ''), ('enterprise', TRUE, 'cad');

CREATE TABLE license (
    id                      TEXT PRIMARY KEY,
    account_id              TEXT NOT NULL REFERENCES account (id),
    plan                    TEXT NOT NULL REFERENCES plan (name),
    -- Those that were bought beside the plan's own.
    entitlements            TEXT NOT NULL,
    products                TEXT NOT NULL,
    seats_max               INTEGER NOT NULL CHECK (seats_max >= 0),
    -- Above seats_max only after it was lowered below what was in use.
    in_use_ceiling          INTEGER NOT NULL CHECK (in_use_ceiling >= seats_max),
    in_use                  INTEGER NOT NULL CHECK (in_use BETWEEN 0 AND in_use_ceiling),
    tokens                  INTEGER NOT NULL CHECK (tokens >= 0),
    offline_ttl             INTEGER NOT NULL,
    airgap_ttl              INTEGER NOT NULL,
    auto_release            INTEGER NOT NULL,
    renew                   INTEGER NOT NULL,
    warn                    INTEGER NOT NULL,
    release_window          INTEGER NOT NULL,
    release_mode            TEXT NOT NULL CHECK (release_mode IN ('immediate', 'drain')),
    relaunch_rebinds        INTEGER NOT NULL CHECK (relaunch_rebinds IN (0, 1)),
    clone_policy            TEXT NOT NULL CHECK (clone_policy IN ('flag', 'enforce')),
    supplied_ids            TEXT NOT NULL CHECK (supplied_ids IN ('allow', 'flag', 'forbid')),
    installs_max            INTEGER NOT NULL CHECK (installs_max BETWEEN 1 AND 64),
    clock_tolerance         INTEGER NOT NULL,
    clock_action            TEXT NOT NULL CHECK (clock_action IN ('freeze', 'lock')),
    terms                   TEXT,
    -- Of the vendor's plug-in.
    min_plugin              TEXT,
    suspended_at            INTEGER,
    expires_at              INTEGER,
    -- May end before the subscription does.
    updates_until           INTEGER,
    -- The vendor's own: a JSON object.
    data                    TEXT,
    last_manual_release_at  INTEGER,
    created_at              INTEGER NOT NULL
) STRICT;

CREATE INDEX license_account ON license (account_id);

-- A ping changes last_ping, so no index has it.
CREATE TABLE seat (
    id                  TEXT PRIMARY KEY,
    license_id          TEXT NOT NULL REFERENCES license (id),
    shared_with         TEXT NOT NULL,
    -- Whom it belongs to whose user signs in. Its row in `token` has a hash of the identity, and
    -- works as a token's.
    issuer              TEXT,
    subject             TEXT,
    epoch               INTEGER NOT NULL CHECK (epoch >= 0),
    state               TEXT NOT NULL CHECK (state IN ('never_used', 'in_use', 'released', 'closed')),
    -- The machine that holds the seat, or the one whose lease outlives its hold.
    machine             TEXT,
    -- Where that machine's id came from.
    machine_source      TEXT CHECK (machine_source IN ('os', 'supplied')),
    since               INTEGER,
    last_ping           INTEGER,
    lease_until         INTEGER,
    counted             INTEGER NOT NULL CHECK (counted IN (0, 1)),
    last_used_at        INTEGER,
    -- Last use without the server, as far as reported.
    last_offline_at     INTEGER,
    launches            INTEGER NOT NULL,
    terms               TEXT,
    clone_suspected_at  INTEGER,
    created_at          INTEGER NOT NULL,
    CHECK (state <> 'in_use' OR (counted AND machine IS NOT NULL AND since IS NOT NULL
                                 AND last_ping IS NOT NULL AND lease_until IS NOT NULL)),
    CHECK (state IN ('in_use', 'released') OR (NOT counted AND machine IS NULL)),
    CHECK ((machine IS NULL) = (machine_source IS NULL))
) STRICT;

-- Lists are read newest first, page by page: of one license, or of all.
CREATE INDEX seat_listed ON seat (license_id, created_at, id);

CREATE INDEX seat_newest ON seat (created_at, id);

-- The hash of a token that was replaced or revoked stays for ever: its bearer is told so, whenever
-- they come back.
CREATE TABLE token (
    hash        BLOB PRIMARY KEY CHECK (length(hash) = 32),
    -- What leases and request files say of the token.
    public_hash BLOB NOT NULL CHECK (length(public_hash) = 16),
    seat_id     TEXT NOT NULL REFERENCES seat (id),
    created_at  INTEGER NOT NULL,
    revoked_at  INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX token_public ON token (public_hash);

CREATE UNIQUE INDEX token_live ON token (seat_id) WHERE revoked_at IS NULL;

-- Renewal secrets are numbers with a tag, made with the pepper, so a row of numbers is all that is
-- remembered of an installation.
CREATE TABLE install (
    seat_id           TEXT NOT NULL REFERENCES seat (id),
    id                TEXT NOT NULL,
    presented         INTEGER,
    first_handed_out  INTEGER NOT NULL,
    newest_handed_out INTEGER NOT NULL CHECK (newest_handed_out >= first_handed_out),
    retired_from      INTEGER NOT NULL CHECK (retired_from <= first_handed_out),
    retired_at        INTEGER NOT NULL,
    asked_at          INTEGER NOT NULL,
    -- How the present round of requests began, and how often two memories showed.
    round_first       INTEGER,
    round_newest      INTEGER NOT NULL,
    splits            INTEGER NOT NULL,
    PRIMARY KEY (seat_id, id)
) STRICT, WITHOUT ROWID;

-- Leases that may be alive on machines that hold the seat no more.
CREATE TABLE outliving (
    seat_id  TEXT NOT NULL REFERENCES seat (id),
    machine  TEXT NOT NULL,
    until    INTEGER NOT NULL,
    PRIMARY KEY (seat_id, machine)
) STRICT, WITHOUT ROWID;

-- Each row's hash covers the row and the hash before it: what was changed or taken away afterwards
-- shows.
CREATE TABLE audit (
    id          INTEGER PRIMARY KEY,
    at          INTEGER NOT NULL,
    actor       TEXT NOT NULL CHECK (actor IN ('user', 'console', 'plugin', 'system')),
    -- A user's e-mail address, and the name of the API token that they showed, as they were then.
    actor_name  TEXT,
    api_token   TEXT,
    event       TEXT NOT NULL,
    account_id  TEXT NOT NULL,
    license_id  TEXT,
    seat_id     TEXT,
    epoch       INTEGER,
    machine     TEXT,
    detail      TEXT,
    hash        BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE INDEX audit_seat ON audit (seat_id, id);

CREATE INDEX audit_account ON audit (account_id, id);

CREATE INDEX audit_recovered ON audit (at) WHERE event = 'recovered';

-- What the audit trail was, signed: the newest such statement, and the one that stands where old
-- entries were cut off.
CREATE TABLE audit_checkpoint (
    cut      INTEGER PRIMARY KEY CHECK (cut IN (0, 1)),
    last_id  INTEGER NOT NULL CHECK (last_id > 0),
    head     BLOB NOT NULL CHECK (length(head) = 32),
    jws      TEXT NOT NULL
) STRICT;

-- A backup that took the place of the database. Leases that were signed from known_until to at need
-- not be known.
CREATE TABLE restored (
    one          INTEGER PRIMARY KEY CHECK (one = 1),
    known_until  INTEGER NOT NULL,
    at           INTEGER NOT NULL,
    -- When the last such lease ends.
    until        INTEGER NOT NULL
) STRICT;

CREATE TABLE person (
    id              TEXT PRIMARY KEY,
    account_id      TEXT NOT NULL REFERENCES account (id),
    email           TEXT NOT NULL,
    -- The same address in other letters is the same person. In small ones, of every alphabet, not
    -- only of ASCII.
    email_key       TEXT NOT NULL UNIQUE,
    role            TEXT NOT NULL CHECK (role IN ('admin', 'owner')),
    -- argon2id, in the PHC string format.
    password        TEXT NOT NULL,
    disabled_at     INTEGER,
    created_at      INTEGER NOT NULL
) STRICT;

-- Issuers whose access tokens are accepted (OAuth 2.0, OpenID Connect).
CREATE TABLE issuer (
    -- `iss`, letter by letter.
    url             TEXT PRIMARY KEY,
    name            TEXT NOT NULL,
    audience        TEXT NOT NULL,
    client_id       TEXT,
    -- Sealed: the key needs the pepper.
    client_secret   BLOB,
    -- Who is admitted where, as JSON: rules, of which the first that fits counts.
    admissions      TEXT NOT NULL,
    created_at      INTEGER NOT NULL,
    CHECK (client_secret IS NULL OR client_id IS NOT NULL)
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

CREATE INDEX session_of_user ON session (user_id);

-- Sign-ins that were tried, for an e-mail address or for a network address. Names are hashed:
-- people type passwords there.
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

-- Answers to requests that may come again because the first answer was lost. The secret in it is
-- sealed with a key that needs the request's Idempotency-Key and the pepper.
CREATE TABLE remembered (
    hash        BLOB PRIMARY KEY CHECK (length(hash) = 32),
    -- Of the request that was answered: the same key with another request is a mistake.
    request     BLOB NOT NULL CHECK (length(request) = 32),
    subject     TEXT NOT NULL,
    sealed      BLOB NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX remembered_created ON remembered (created_at);

-- The last row of the trail.
CREATE VIEW audit_head AS SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1;

-- Nothing is put in between, or in the place of another row by way of REPLACE.
CREATE TRIGGER audit_at_the_end BEFORE INSERT ON audit
WHEN NEW.id <> coalesce((SELECT max(id) FROM audit), (SELECT last_id FROM audit_checkpoint WHERE cut), 0) + 1
BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;

CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;

-- Entries go from the beginning only, and only with a statement in their place.
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
WHEN OLD.id > coalesce((SELECT last_id FROM audit_checkpoint WHERE cut), 0)
BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
