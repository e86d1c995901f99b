-- The same tables as those of SQLite. Ids are text here too, and texts are compared byte by byte, so that both databases
-- sort and match alike; "rowid" tells what came first within a second.

-- Times are Unix seconds, ids are UUIDs as text, hashes are 32 bytes.

CREATE TABLE server (
    one             BIGINT PRIMARY KEY CHECK (one = 1),
    issuer          TEXT COLLATE "C" NOT NULL,
    root_key        TEXT COLLATE "C" NOT NULL,
    documentation   TEXT COLLATE "C",
    support         TEXT COLLATE "C",
    initialised_at  BIGINT NOT NULL
);

CREATE TABLE key_set (
    seq         BIGINT PRIMARY KEY,
    jws         TEXT COLLATE "C" NOT NULL,
    created_at  BIGINT NOT NULL
);

-- Who holds licenses.
CREATE TABLE account (
    rowid BIGINT GENERATED ALWAYS AS IDENTITY,
    id          TEXT COLLATE "C" PRIMARY KEY,
    name        TEXT COLLATE "C" NOT NULL,
    created_at  BIGINT NOT NULL
);

CREATE TABLE plan (
    name            TEXT COLLATE "C" PRIMARY KEY,
    carries_seats   BOOLEAN NOT NULL,
    entitlements    TEXT COLLATE "C" NOT NULL
);

INSERT INTO plan (name, carries_seats, entitlements)
VALUES ('starter', false, ''), ('pro', true, ''), ('enterprise', true, 'cad');

CREATE TABLE license (
    rowid BIGINT GENERATED ALWAYS AS IDENTITY,
    id                      TEXT COLLATE "C" PRIMARY KEY,
    account_id              TEXT COLLATE "C" NOT NULL REFERENCES account (id),
    plan                    TEXT COLLATE "C" NOT NULL REFERENCES plan (name),
    -- Those that were bought beside the plan's own.
    entitlements            TEXT COLLATE "C" NOT NULL,
    products                TEXT COLLATE "C" NOT NULL,
    seats_max               BIGINT NOT NULL CHECK (seats_max >= 0),
    -- Above seats_max only after it was lowered below what was in use.
    in_use_ceiling          BIGINT NOT NULL CHECK (in_use_ceiling >= seats_max),
    in_use                  BIGINT NOT NULL CHECK (in_use BETWEEN 0 AND in_use_ceiling),
    tokens                  BIGINT NOT NULL CHECK (tokens >= 0),
    offline_ttl             BIGINT NOT NULL,
    airgap_ttl              BIGINT NOT NULL,
    auto_release            BIGINT NOT NULL,
    renew                   BIGINT NOT NULL,
    warn                    BIGINT NOT NULL,
    release_window          BIGINT NOT NULL,
    release_mode            TEXT COLLATE "C" NOT NULL CHECK (release_mode IN ('immediate', 'drain')),
    relaunch_rebinds        BOOLEAN NOT NULL,
    clone_policy            TEXT COLLATE "C" NOT NULL CHECK (clone_policy IN ('flag', 'enforce')),
    clock_tolerance         BIGINT NOT NULL,
    clock_action            TEXT COLLATE "C" NOT NULL CHECK (clock_action IN ('freeze', 'lock')),
    terms                   TEXT COLLATE "C",
    min_client              TEXT COLLATE "C",
    suspended_at            BIGINT,
    expires_at              BIGINT,
    last_manual_release_at  BIGINT,
    created_at              BIGINT NOT NULL
);

CREATE INDEX license_account ON license (account_id);

CREATE TABLE seat (
    id                  TEXT COLLATE "C" PRIMARY KEY,
    license_id          TEXT COLLATE "C" NOT NULL REFERENCES license (id),
    shared_with         TEXT COLLATE "C" NOT NULL,
    epoch               BIGINT NOT NULL CHECK (epoch >= 0),
    state               TEXT COLLATE "C" NOT NULL CHECK (state IN ('never_used', 'in_use', 'released', 'closed')),
    -- The machine that holds the seat, or the one whose lease outlives its hold.
    machine             TEXT COLLATE "C",
    since               BIGINT,
    last_ping           BIGINT,
    lease_until         BIGINT,
    counted             BOOLEAN NOT NULL,
    last_used_at        BIGINT,
    -- Last use without the server, as far as reported.
    last_offline_at     BIGINT,
    launches            BIGINT NOT NULL,
    terms               TEXT COLLATE "C",
    clone_suspected_at  BIGINT,
    created_at          BIGINT NOT NULL,
    CHECK (state <> 'in_use' OR (counted AND machine IS NOT NULL AND since IS NOT NULL
                                 AND last_ping IS NOT NULL AND lease_until IS NOT NULL)),
    CHECK (state IN ('in_use', 'released') OR (NOT counted AND machine IS NULL))
) WITH (fillfactor = 70);

-- Lists are read newest first, page by page.
CREATE INDEX seat_listed ON seat (license_id, created_at, id);

CREATE INDEX seat_counted ON seat (license_id, last_ping) WHERE counted;

-- The hash of a token that was replaced or revoked stays for ever: its bearer is told so, whenever he comes back.
CREATE TABLE token (
    hash        BYTEA PRIMARY KEY CHECK (length(hash) = 32),
    -- What leases and request files say of the token.
    public_hash BYTEA NOT NULL CHECK (length(public_hash) = 16),
    seat_id     TEXT COLLATE "C" NOT NULL REFERENCES seat (id),
    created_at  BIGINT NOT NULL,
    revoked_at  BIGINT
);

CREATE INDEX token_public ON token (public_hash);

CREATE UNIQUE INDEX token_live ON token (seat_id) WHERE revoked_at IS NULL;

CREATE TABLE install (
    seat_id      TEXT COLLATE "C" NOT NULL REFERENCES seat (id),
    id           TEXT COLLATE "C" NOT NULL,
    presented    BYTEA CHECK (length(presented) = 32),
    -- Hashes of 32 bytes, one after the other.
    handed_out   BYTEA NOT NULL CHECK (length(handed_out) > 0 AND length(handed_out) % 32 = 0),
    retired      BYTEA NOT NULL CHECK (length(retired) % 32 = 0),
    retired_at   BIGINT NOT NULL,
    asked_at     BIGINT NOT NULL,
    PRIMARY KEY (seat_id, id)
);

-- Each row's hash covers the row and the hash before it: what was changed or taken away afterwards shows.
CREATE TABLE audit (
    id          BIGINT PRIMARY KEY,
    at          BIGINT NOT NULL,
    actor       TEXT COLLATE "C" NOT NULL CHECK (actor IN ('user', 'console', 'plugin', 'system')),
    actor_name  TEXT COLLATE "C",
    event       TEXT COLLATE "C" NOT NULL,
    account_id  TEXT COLLATE "C" NOT NULL,
    license_id  TEXT COLLATE "C",
    seat_id     TEXT COLLATE "C",
    epoch       BIGINT,
    machine     TEXT COLLATE "C",
    detail      TEXT COLLATE "C",
    hash        BYTEA NOT NULL CHECK (length(hash) = 32)
);

CREATE INDEX audit_seat ON audit (seat_id, id);

CREATE INDEX audit_account ON audit (account_id, id);

CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the audit trail is append-only'; END $$;

CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

-- The last row of the trail. Whoever adds one locks it first, so that the trail has one order whoever writes.
CREATE TABLE audit_head (
    one     BIGINT PRIMARY KEY CHECK (one = 1),
    id      BIGINT NOT NULL,
    hash    BYTEA NOT NULL CHECK (length(hash) = 32)
);

INSERT INTO audit_head (one, id, hash) VALUES (1, 0, decode(repeat('00', 32), 'hex'));

-- Nothing is put in between, or far behind the end: what is added follows the last row without a gap.
CREATE FUNCTION audit_follow() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
    IF NOT EXISTS (SELECT 1 FROM added) THEN
        RETURN NULL;
    END IF;
    UPDATE audit_head h SET (id, hash) = (SELECT added.id, added.hash FROM added ORDER BY added.id DESC LIMIT 1)
    WHERE (SELECT min(added.id) FROM added) = h.id + 1
    AND (SELECT max(added.id) FROM added) = h.id + (SELECT count(*) FROM added);
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the audit trail is append-only';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER audit_moves_on AFTER INSERT ON audit REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION audit_follow();
