-- The latest time at which a server was at work, to the minute: a clock that shows less was set back.
CREATE TABLE clock (
    one     BIGINT PRIMARY KEY CHECK (one = 1),
    mark    BIGINT
);

INSERT INTO clock (one, mark)
SELECT 1, max(at) FROM (SELECT max(at) AS at FROM audit UNION ALL SELECT max(last_ping) FROM seat) AS known;

-- A value that only the right pepper gives: two servers with two peppers would each know the half of all tokens.
ALTER TABLE server ADD COLUMN pepper_check BYTEA CHECK (length(pepper_check) = 32);

-- An administrator's list of the seats of all licenses.
CREATE INDEX seat_newest ON seat (created_at, id);
