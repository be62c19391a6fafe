-- What is said about runs and changes beside their state, and single-use tokens.
ALTER TABLE run ADD COLUMN test INTEGER NOT NULL DEFAULT 0 CHECK (test IN (0, 1));

ALTER TABLE run ADD COLUMN revision INTEGER NOT NULL DEFAULT 0 CHECK (revision >= 0);

ALTER TABLE metadata ADD COLUMN applied BLOB;

CREATE INDEX taken_until ON taken (until) WHERE until > 0;

-- Single-use tokens that have created a run, as hashes. A token names its environment itself.
CREATE TABLE ticket (
    token BLOB PRIMARY KEY CHECK (length(token) = 32),
    run INTEGER NOT NULL,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX ticket_until ON ticket (until);

ALTER TABLE blob ADD COLUMN until INTEGER NOT NULL DEFAULT 0;

CREATE INDEX blob_until ON blob (until) WHERE until > 0;
