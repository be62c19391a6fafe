-- Values that are awaited by any number of runs. `callback` is a hash; `output` is JSON text.
CREATE TABLE waitpoint (
    no INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE CHECK (id <> ''),
    env TEXT NOT NULL,
    created INTEGER NOT NULL,
    deadline INTEGER,
    callback BLOB NOT NULL,
    tags TEXT,                              -- a JSON array
    key TEXT,
    key_until INTEGER NOT NULL,             -- 0: for ever
    completed INTEGER,
    output BLOB,
    CHECK ((completed IS NULL) = (output IS NULL)),
    CHECK (completed IS NULL OR deadline IS NULL OR completed < deadline)
) STRICT;

CREATE INDEX waitpoint_env ON waitpoint (env, no);

-- Idempotency keys, as hashes: the makers', and those of the client's retries.
CREATE TABLE waitpoint_key (
    env TEXT NOT NULL,
    space TEXT NOT NULL CHECK (space IN ('caller', 'request')),
    key BLOB NOT NULL CHECK (length(key) = 16),
    waitpoint INTEGER NOT NULL,
    until INTEGER NOT NULL,                 -- 0: for ever
    PRIMARY KEY (env, space, key)
) STRICT, WITHOUT ROWID;

-- Which runs wait durably for a waitpoint; what is `owed` has its value already.
CREATE TABLE waiter (
    waitpoint INTEGER NOT NULL,
    run INTEGER NOT NULL,
    owed INTEGER NOT NULL CHECK (owed IN (0, 1)),
    PRIMARY KEY (waitpoint, run)
) STRICT, WITHOUT ROWID;

CREATE INDEX waiter_owed ON waiter (owed) WHERE owed = 1;
