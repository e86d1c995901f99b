-- Times are Unix seconds, ids are UUIDs as text, hashes are 32 bytes. Secrets are kept as hashes
-- only. The tables are those of the other database; a test compares the two files.

-- Texts are compared byte by byte, as SQLite does, so that both sort and match alike; "rowid" tells
-- what came first within a second. Pages of seats and installations have room: the new row of a
-- ping goes to the page of the old one, and no index changes (a heap-only tuple).

-- Two functions of SQLite, so that statements are the same. The clock is that as a statement
-- begins: that of the transaction stands still while it waits for a lock.
CREATE FUNCTION unixepoch() RETURNS BIGINT LANGUAGE sql STABLE AS
$$ SELECT CAST(floor(extract(epoch FROM statement_timestamp())) AS BIGINT) $$;

CREATE FUNCTION instr(text TEXT, part TEXT) RETURNS INTEGER LANGUAGE sql IMMUTABLE AS
$$ SELECT strpos(text, part) $$;

CREATE TABLE server (
    one             BIGINT PRIMARY KEY CHECK (one = 1),
    issuer          TEXT COLLATE "C" NOT NULL,
    root_key        TEXT COLLATE "C" NOT NULL,
    documentation   TEXT COLLATE "C",
    support         TEXT COLLATE "C",
    initialised_at  BIGINT NOT NULL,
    -- A value that only the right pepper gives: two servers with two peppers would each know the
    -- half of all tokens.
    pepper_check    BYTEA CHECK (length(pepper_check) = 32)
);

-- The latest time at which a server was at work, to the minute: a clock that shows less was set
-- back.
CREATE TABLE clock (
    one     BIGINT PRIMARY KEY CHECK (one = 1),
    mark    BIGINT
);

INSERT INTO clock (one, mark) VALUES (1, NULL);

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
VALUES ('starter', FALSE, ''), ('pro', TRUE, ''), ('enterprise', TRUE, 'cad');

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
    supplied_ids            TEXT COLLATE "C" NOT NULL CHECK (supplied_ids IN ('allow', 'flag', 'forbid')),
    installs_max            BIGINT NOT NULL CHECK (installs_max BETWEEN 1 AND 64),
    clock_tolerance         BIGINT NOT NULL,
    clock_action            TEXT COLLATE "C" NOT NULL CHECK (clock_action IN ('freeze', 'lock')),
    terms                   TEXT COLLATE "C",
    -- Of the vendor's plug-in.
    min_plugin              TEXT COLLATE "C",
    suspended_at            BIGINT,
    expires_at              BIGINT,
    -- May end before the subscription does.
    updates_until           BIGINT,
    -- The vendor's own: a JSON object.
    data                    TEXT COLLATE "C",
    last_manual_release_at  BIGINT,
    created_at              BIGINT NOT NULL
);

CREATE INDEX license_account ON license (account_id);

-- A ping changes last_ping, so no index has it.
CREATE TABLE seat (
    id                  TEXT COLLATE "C" PRIMARY KEY,
    license_id          TEXT COLLATE "C" NOT NULL REFERENCES license (id),
    shared_with         TEXT COLLATE "C" NOT NULL,
    -- Whom it belongs to whose user signs in. Its row in `token` has a hash of the identity, and
    -- works as a token's.
    issuer              TEXT COLLATE "C",
    subject             TEXT COLLATE "C",
    epoch               BIGINT NOT NULL CHECK (epoch >= 0),
    state               TEXT COLLATE "C" NOT NULL CHECK (state IN ('never_used', 'in_use', 'released', 'closed')),
    -- The machine that holds the seat, or the one whose lease outlives its hold.
    machine             TEXT COLLATE "C",
    -- Where that machine's id came from.
    machine_source      TEXT COLLATE "C" CHECK (machine_source IN ('os', 'supplied')),
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
    CHECK (state IN ('in_use', 'released') OR (NOT counted AND machine IS NULL)),
    CHECK ((machine IS NULL) = (machine_source IS NULL))
) WITH (fillfactor = 70);

-- Lists are read newest first, page by page: of one license, or of all.
CREATE INDEX seat_listed ON seat (license_id, created_at, id);

CREATE INDEX seat_newest ON seat (created_at, id);

-- The hash of a token that was replaced or revoked stays for ever: its bearer is told so, whenever
-- they come back.
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

-- Renewal secrets are numbers with a tag, made with the pepper, so a row of numbers is all that is
-- remembered of an installation.
CREATE TABLE install (
    seat_id           TEXT COLLATE "C" NOT NULL REFERENCES seat (id),
    id                TEXT COLLATE "C" NOT NULL,
    presented         BIGINT,
    first_handed_out  BIGINT NOT NULL,
    newest_handed_out BIGINT NOT NULL CHECK (newest_handed_out >= first_handed_out),
    retired_from      BIGINT NOT NULL CHECK (retired_from <= first_handed_out),
    retired_at        BIGINT NOT NULL,
    asked_at          BIGINT NOT NULL,
    -- How the present round of requests began, and how often two memories showed.
    round_first       BIGINT,
    round_newest      BIGINT NOT NULL,
    splits            BIGINT NOT NULL,
    PRIMARY KEY (seat_id, id)
) WITH (fillfactor = 70);

-- Leases that may be alive on machines that hold the seat no more.
CREATE TABLE outliving (
    seat_id  TEXT COLLATE "C" NOT NULL REFERENCES seat (id),
    machine  TEXT COLLATE "C" NOT NULL,
    until    BIGINT NOT NULL,
    PRIMARY KEY (seat_id, machine)
);

-- Each row's hash covers the row and the hash before it: what was changed or taken away afterwards
-- shows.
CREATE TABLE audit (
    id          BIGINT PRIMARY KEY,
    at          BIGINT NOT NULL,
    actor       TEXT COLLATE "C" NOT NULL CHECK (actor IN ('user', 'console', 'plugin', 'system')),
    -- A user's e-mail address, and the name of the API token that they showed, as they were then.
    actor_name  TEXT COLLATE "C",
    api_token   TEXT COLLATE "C",
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

CREATE INDEX audit_recovered ON audit (at) WHERE event = 'recovered';

-- What the audit trail was, signed: the newest such statement, and the one that stands where old
-- entries were cut off.
CREATE TABLE audit_checkpoint (
    cut      BOOLEAN PRIMARY KEY,
    last_id  BIGINT NOT NULL CHECK (last_id > 0),
    head     BYTEA NOT NULL CHECK (length(head) = 32),
    jws      TEXT COLLATE "C" NOT NULL
);

-- A backup that took the place of the database. Leases that were signed from known_until to at need
-- not be known.
CREATE TABLE restored (
    one          BIGINT PRIMARY KEY CHECK (one = 1),
    known_until  BIGINT NOT NULL,
    at           BIGINT NOT NULL,
    -- When the last such lease ends.
    until        BIGINT NOT NULL
);

CREATE TABLE person (
    rowid BIGINT GENERATED ALWAYS AS IDENTITY,
    id              TEXT COLLATE "C" PRIMARY KEY,
    account_id      TEXT COLLATE "C" NOT NULL REFERENCES account (id),
    email           TEXT COLLATE "C" NOT NULL,
    -- The same address in other letters is the same person. In small ones, of every alphabet, not
    -- only of ASCII.
    email_key       TEXT COLLATE "C" NOT NULL UNIQUE,
    role            TEXT COLLATE "C" NOT NULL CHECK (role IN ('admin', 'owner')),
    -- argon2id, in the PHC string format.
    password        TEXT COLLATE "C" NOT NULL,
    disabled_at     BIGINT,
    created_at      BIGINT NOT NULL
);

-- Issuers whose access tokens are accepted (OAuth 2.0, OpenID Connect).
CREATE TABLE issuer (
    -- `iss`, letter by letter.
    url             TEXT COLLATE "C" PRIMARY KEY,
    name            TEXT COLLATE "C" NOT NULL,
    audience        TEXT COLLATE "C" NOT NULL,
    client_id       TEXT COLLATE "C",
    -- Sealed: the key needs the pepper.
    client_secret   BYTEA,
    -- Who is admitted where, as JSON: rules, of which the first that fits counts.
    admissions      TEXT COLLATE "C" NOT NULL,
    created_at      BIGINT NOT NULL,
    CHECK (client_secret IS NULL OR client_id IS NOT NULL)
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

-- Sign-ins that were tried, for an e-mail address or for a network address. Names are hashed:
-- people type passwords there.
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

-- Answers to requests that may come again because the first answer was lost. The secret in it is
-- sealed with a key that needs the request's Idempotency-Key and the pepper.
CREATE TABLE remembered (
    hash        BYTEA PRIMARY KEY CHECK (length(hash) = 32),
    -- Of the request that was answered: the same key with another request is a mistake.
    request     BYTEA NOT NULL CHECK (length(request) = 32),
    subject     TEXT COLLATE "C" NOT NULL,
    sealed      BYTEA NOT NULL,
    created_at  BIGINT NOT NULL
);

CREATE INDEX remembered_created ON remembered (created_at);

CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the audit trail is append-only'; END $$;

CREATE TRIGGER audit_append_only BEFORE UPDATE OR TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

-- Entries go from the beginning only, and only with a statement in their place.
CREATE FUNCTION audit_keep() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
    IF EXISTS (SELECT 1 FROM removed
               WHERE id > coalesce((SELECT last_id FROM audit_checkpoint WHERE cut), 0)) THEN
        RAISE EXCEPTION 'the audit trail is append-only';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER audit_no_delete AFTER DELETE ON audit REFERENCING OLD TABLE AS removed
FOR EACH STATEMENT EXECUTE FUNCTION audit_keep();

-- The last row of the trail. A writer locks it before it adds one, so that the trail has one order
-- for all of them.
CREATE TABLE audit_head (
    one     BIGINT PRIMARY KEY CHECK (one = 1),
    id      BIGINT NOT NULL,
    hash    BYTEA NOT NULL CHECK (length(hash) = 32)
);

INSERT INTO audit_head (one, id, hash) VALUES (1, 0, decode(repeat('00', 32), 'hex'));

-- Nothing is put in between, or far behind the end: what is added follows the last row without a
-- gap.
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

-- A trail that is brought in without its beginning goes on from the statement in its place.
CREATE FUNCTION audit_go_on() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
    UPDATE audit_head SET id = NEW.last_id, hash = NEW.head WHERE id = 0;
    RETURN NULL;
END $$;

CREATE TRIGGER audit_goes_on AFTER INSERT ON audit_checkpoint
FOR EACH ROW WHEN (NEW.cut) EXECUTE FUNCTION audit_go_on();
