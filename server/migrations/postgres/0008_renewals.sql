-- Renewal secrets are numbers with a tag, made with the pepper, so a row of numbers is all that is remembered of an
-- installation. What was known of their hashes ends here: each installation's next call is taken as its first.
DROP TABLE install;

CREATE TABLE install (
    seat_id           TEXT COLLATE "C" NOT NULL REFERENCES seat (id),
    id                TEXT COLLATE "C" NOT NULL,
    presented         BIGINT,
    first_handed_out  BIGINT NOT NULL,
    newest_handed_out BIGINT NOT NULL CHECK (newest_handed_out >= first_handed_out),
    retired_from      BIGINT NOT NULL CHECK (retired_from <= first_handed_out),
    retired_at        BIGINT NOT NULL,
    asked_at          BIGINT NOT NULL,
    PRIMARY KEY (seat_id, id)
) WITH (fillfactor = 70);
