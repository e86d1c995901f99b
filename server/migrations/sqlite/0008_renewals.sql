-- Renewal secrets are numbers with a tag, made with the pepper, so a row of numbers is all that is remembered of an
-- installation. What was known of their hashes ends here: each installation's next call is taken as its first.
DROP TABLE install;

CREATE TABLE install (
    seat_id           TEXT NOT NULL REFERENCES seat (id),
    id                TEXT NOT NULL,
    presented         INTEGER,
    first_handed_out  INTEGER NOT NULL,
    newest_handed_out INTEGER NOT NULL CHECK (newest_handed_out >= first_handed_out),
    retired_from      INTEGER NOT NULL CHECK (retired_from <= first_handed_out),
    retired_at        INTEGER NOT NULL,
    asked_at          INTEGER NOT NULL,
    PRIMARY KEY (seat_id, id)
) STRICT, WITHOUT ROWID;
