-- A ping changes "last_ping". Without an index on it the new row goes to the page of the old one, and no index changes
-- (a heap-only tuple), as long as pages have room for that.
DROP INDEX seat_counted;

ALTER TABLE install SET (fillfactor = 70);
