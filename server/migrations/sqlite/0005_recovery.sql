-- A backup that took the place of the database. Leases that were signed from known_until to at need not be known.
CREATE TABLE restored (
    one          INTEGER PRIMARY KEY CHECK (one = 1),
    known_until  INTEGER NOT NULL,
    at           INTEGER NOT NULL,
    -- When the last such lease ends.
    until        INTEGER NOT NULL
) STRICT;

CREATE INDEX audit_recovered ON audit (at) WHERE event = 'recovered';

-- What the audit trail was, signed: the newest such statement, and the one that stands where old entries were cut off.
CREATE TABLE audit_checkpoint (
    cut      INTEGER PRIMARY KEY CHECK (cut IN (0, 1)),
    last_id  INTEGER NOT NULL CHECK (last_id > 0),
    head     BLOB NOT NULL CHECK (length(head) = 32),
    jws      TEXT NOT NULL
) STRICT;

DROP TRIGGER audit_at_the_end;

CREATE TRIGGER audit_at_the_end BEFORE INSERT ON audit
WHEN NEW.id <> coalesce((SELECT max(id) FROM audit), (SELECT last_id FROM audit_checkpoint WHERE cut = 1), 0) + 1
BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;

-- Entries go from the beginning only, and only with a statement in their place.
DROP TRIGGER audit_no_delete;

CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
WHEN OLD.id > coalesce((SELECT last_id FROM audit_checkpoint WHERE cut = 1), 0)
BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
