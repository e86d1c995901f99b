-- A backup that took the place of the database. Leases that were signed from known_until to at need not be known.
CREATE TABLE restored (
    one          BIGINT PRIMARY KEY CHECK (one = 1),
    known_until  BIGINT NOT NULL,
    at           BIGINT NOT NULL,
    -- When the last such lease ends.
    until        BIGINT NOT NULL
);

CREATE INDEX audit_recovered ON audit (at) WHERE event = 'recovered';

-- What the audit trail was, signed: the newest such statement, and the one that stands where old entries were cut off.
CREATE TABLE audit_checkpoint (
    cut      BOOLEAN PRIMARY KEY,
    last_id  BIGINT NOT NULL CHECK (last_id > 0),
    head     BYTEA NOT NULL CHECK (length(head) = 32),
    jws      TEXT COLLATE "C" NOT NULL
);

-- Entries go from the beginning only, and only with a statement in their place.
DROP TRIGGER audit_append_only ON audit;

CREATE TRIGGER audit_append_only BEFORE UPDATE OR TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

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

-- A trail that is brought in without its beginning goes on from the statement in its place.
CREATE FUNCTION audit_go_on() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
    UPDATE audit_head SET id = NEW.last_id, hash = NEW.head WHERE id = 0;
    RETURN NULL;
END $$;

CREATE TRIGGER audit_goes_on AFTER INSERT ON audit_checkpoint
FOR EACH ROW WHEN (NEW.cut) EXECUTE FUNCTION audit_go_on();
