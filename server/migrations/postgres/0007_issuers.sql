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

-- Whom a seat belongs to whose user signs in. Its row in `token` has a hash of the identity, and works as a token's.
ALTER TABLE seat ADD COLUMN issuer TEXT COLLATE "C";
ALTER TABLE seat ADD COLUMN subject TEXT COLLATE "C";
