-- Times are Unix seconds, ids are UUIDs as text, hashes are 32 bytes.

CREATE TABLE server (
    one             INTEGER PRIMARY KEY CHECK (one = 1),
    issuer          TEXT NOT NULL,
    root_key        TEXT NOT NULL,
    documentation   TEXT,
    support         TEXT,
    initialised_at  INTEGER NOT NULL
) STRICT;

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
VALUES ('starter', 0, ''), ('pro', 1, ''), ('enterprise', 1, 'cad');

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
    clock_tolerance         INTEGER NOT NULL,
    clock_action            TEXT NOT NULL CHECK (clock_action IN ('freeze', 'lock')),
    terms                   TEXT,
    min_client              TEXT,
    suspended_at            INTEGER,
    expires_at              INTEGER,
    last_manual_release_at  INTEGER,
    created_at              INTEGER NOT NULL
) STRICT;

CREATE INDEX license_account ON license (account_id);

CREATE TABLE seat (
    id                  TEXT PRIMARY KEY,
    license_id          TEXT NOT NULL REFERENCES license (id),
    shared_with         TEXT NOT NULL,
    epoch               INTEGER NOT NULL CHECK (epoch >= 0),
    state               TEXT NOT NULL CHECK (state IN ('never_used', 'in_use', 'released', 'closed')),
    -- The machine that holds the seat, or the one whose lease outlives its hold.
    machine             TEXT,
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
    CHECK (state <> 'in_use' OR (counted = 1 AND machine IS NOT NULL AND since IS NOT NULL
                                 AND last_ping IS NOT NULL AND lease_until IS NOT NULL)),
    CHECK (state IN ('in_use', 'released') OR (counted = 0 AND machine IS NULL))
) STRICT;

-- Lists are read newest first, page by page.
CREATE INDEX seat_listed ON seat (license_id, created_at, id);

CREATE INDEX seat_counted ON seat (license_id, last_ping) WHERE counted = 1;

-- The hash of a token that was replaced or revoked stays for ever: its bearer is told so, whenever he comes back.
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

CREATE TABLE install (
    seat_id      TEXT NOT NULL REFERENCES seat (id),
    id           TEXT NOT NULL,
    presented    BLOB CHECK (length(presented) = 32),
    -- Hashes of 32 bytes, one after the other.
    handed_out   BLOB NOT NULL CHECK (length(handed_out) > 0 AND length(handed_out) % 32 = 0),
    retired      BLOB NOT NULL CHECK (length(retired) % 32 = 0),
    retired_at   INTEGER NOT NULL,
    asked_at     INTEGER NOT NULL,
    PRIMARY KEY (seat_id, id)
) STRICT, WITHOUT ROWID;

-- Each row's hash covers the row and the hash before it: what was changed or taken away afterwards shows.
CREATE TABLE audit (
    id          INTEGER PRIMARY KEY,
    at          INTEGER NOT NULL,
    actor       TEXT NOT NULL CHECK (actor IN ('user', 'console', 'plugin', 'system')),
    actor_name  TEXT,
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

-- Nothing is put in between, or in the place of another row by way of REPLACE.
CREATE TRIGGER audit_at_the_end BEFORE INSERT ON audit WHEN NEW.id <> (SELECT coalesce(max(id), 0) + 1 FROM audit)
BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;

CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;

CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
