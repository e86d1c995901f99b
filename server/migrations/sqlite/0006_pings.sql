-- A ping changes "last_ping", so that each had to move an entry of this index.
DROP INDEX seat_counted;

-- The list of all accounts' seats, newest first.
CREATE INDEX IF NOT EXISTS seat_newest ON seat (created_at, id);
