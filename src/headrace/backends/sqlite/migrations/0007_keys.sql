-- Secret keys of environments: what finds them; the root keys sealed as well. No row holds a secret.
CREATE TABLE credential (
    no INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    env TEXT NOT NULL,
    name TEXT NOT NULL,
    hint TEXT NOT NULL,
    digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    scopes BLOB,                            -- NULL: a root key
    sealed BLOB,                            -- NULL: restricted, or ended
    created INTEGER NOT NULL,
    until INTEGER,                          -- NULL: it holds for good
    revision INTEGER NOT NULL,              -- grows with every change of any key
    CHECK (scopes IS NULL OR sealed IS NULL)
) STRICT;

CREATE INDEX credential_env ON credential (env, no);
CREATE INDEX credential_until ON credential (until);
CREATE INDEX credential_revision ON credential (revision);

-- Uses of public tokens that have a number of them: the hash of the token, that of the request.
CREATE TABLE used (
    env TEXT NOT NULL,
    token BLOB NOT NULL CHECK (length(token) = 32),
    name BLOB NOT NULL CHECK (length(name) = 16),
    at INTEGER NOT NULL,
    until INTEGER NOT NULL,
    requests INTEGER NOT NULL DEFAULT 1 CHECK (requests > 0),
    PRIMARY KEY (env, token, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX used_until ON used (until);
