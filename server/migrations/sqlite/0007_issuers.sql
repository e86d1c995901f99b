-- Issuers whose access tokens are accepted (OAuth 2.0, OpenID Connect).
CREATE TABLE issuer (
    -- `iss`, letter by letter.
    url             TEXT PRIMARY KEY,
    name            TEXT NOT NULL,
    audience        TEXT NOT NULL,
    client_id       TEXT,
    -- Sealed: the key needs the pepper.
    client_secret   BLOB,
    -- Who is admitted where, as JSON: rules, of which the first that fits counts.
    admissions      TEXT NOT NULL,
    created_at      INTEGER NOT NULL,
    CHECK (client_secret IS NULL OR client_id IS NOT NULL)
) STRICT;

-- Whom a seat belongs to whose user signs in. Its row in `token` has a hash of the identity, and works as a token's.
ALTER TABLE seat ADD COLUMN issuer TEXT;
ALTER TABLE seat ADD COLUMN subject TEXT;
