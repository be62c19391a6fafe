-- The present form of the database: what all migrations together make. CHECKs repeat the laws.
-- Small numbers stand for what many rows share: `run.task` for (environment, task), `run.code` for a
-- version, `record.stream` for a stream's name, `snapshot.footing` for a footing. No foreign keys: one writer writes what belongs together in one transaction.

CREATE TABLE meta (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    at INTEGER NOT NULL                     -- the last instant written; time never goes below it
) STRICT;

CREATE TABLE task (
    no INTEGER PRIMARY KEY,
    env TEXT NOT NULL,
    id TEXT NOT NULL,
    UNIQUE (env, id)
) STRICT;

CREATE TABLE stream (
    no INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

-- A state is a name and what is true in it: `moment` (until, since, at), `worker`, `outcome`.
-- `detail` is what a run returned or why it failed or is blocked; it is written once.
CREATE TABLE run (
    no INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE CHECK (id <> ''),
    task INTEGER NOT NULL,
    created INTEGER NOT NULL,
    version INTEGER NOT NULL CHECK (version >= 0),
    state TEXT NOT NULL CHECK (
        state IN ('delayed', 'queued', 'retrying', 'running', 'waiting', 'blocked', 'over')
    ),
    moment INTEGER,
    worker TEXT,
    outcome TEXT CHECK (
        outcome IN ('completed', 'failed', 'canceled', 'crashed', 'expired', 'timed_out')
    ),
    epoch INTEGER NOT NULL CHECK (epoch >= 0),
    attempt INTEGER NOT NULL CHECK (attempt >= 0),
    failures INTEGER NOT NULL CHECK (failures >= 0),
    lost INTEGER NOT NULL CHECK (lost >= 0),
    entries INTEGER NOT NULL CHECK (entries >= 0),
    updated INTEGER NOT NULL,
    started INTEGER,
    resumed INTEGER,
    ran_ms INTEGER NOT NULL,
    stop_by INTEGER,
    stop_outcome TEXT CHECK (stop_outcome IN ('canceled', 'timed_out')),
    wait_due INTEGER,                       -- the earliest deadline among `waits`
    max_attempts INTEGER NOT NULL,
    ttl_ms INTEGER,
    max_duration_ms INTEGER,
    cursors BLOB,
    waits BLOB,
    deadlines BLOB,
    tags TEXT,                              -- a JSON array
    parent TEXT,
    keys BLOB,
    payload BLOB,                           -- what is big stands in `large`
    metadata BLOB,
    detail BLOB,
    due INTEGER AS (                        -- machine.due: when `Elapse` has something to do
        CASE
            WHEN state = 'over' THEN NULL
            WHEN stop_by IS NOT NULL THEN stop_by
            WHEN state IN ('delayed', 'retrying') THEN moment
            WHEN state = 'blocked' THEN NULL
            ELSE nullif(
                min(
                    coalesce(wait_due, 9223372036854775807),
                    CASE
                        WHEN state = 'queued' AND started IS NULL
                        THEN coalesce(moment + ttl_ms, 9223372036854775807)
                        ELSE 9223372036854775807
                    END,
                    coalesce(resumed + max_duration_ms - ran_ms, 9223372036854775807)
                ),
                9223372036854775807
            )
        END
    ) VIRTUAL,
    base INTEGER NOT NULL DEFAULT 0         -- entries below it are gone: a snapshot stands for them
        CHECK (base BETWEEN 0 AND entries),
    saved INTEGER                           -- `entries` when the snapshot was taken; NULL: there is none
        CHECK (saved IS NULL OR (saved BETWEEN base AND entries AND state <> 'over')),
    code INTEGER                            -- what it started on
        CHECK (code IS NULL OR epoch > 0),
    test INTEGER NOT NULL DEFAULT 0         -- whether its starter called it a test
        CHECK (test IN (0, 1)),
    revision INTEGER NOT NULL DEFAULT 0     -- counts the changes of tags and metadata
        CHECK (revision >= 0),
    CHECK ((moment IS NOT NULL) = (state IN ('delayed', 'queued', 'retrying', 'over'))),
    CHECK ((worker IS NOT NULL) >= (state = 'running')),
    CHECK (worker IS NULL OR state IN ('running', 'waiting')),
    CHECK ((outcome IS NOT NULL) = (state = 'over')),
    CHECK ((resumed IS NOT NULL) = (state = 'running')),
    CHECK ((stop_by IS NULL) = (stop_outcome IS NULL)),
    CHECK (attempt BETWEEN failures AND failures + 1),
    CHECK (epoch >= attempt),
    CHECK ((started IS NULL) = (epoch = 0)),
    CHECK (wait_due IS NULL OR waits IS NOT NULL),
    CHECK (state <> 'over' OR (waits IS NULL AND deadlines IS NULL AND stop_by IS NULL))
) STRICT;

CREATE INDEX run_ready ON run (task, moment) WHERE state = 'queued';
CREATE INDEX run_due ON run (due) WHERE due IS NOT NULL;
CREATE INDEX run_worker ON run (worker) WHERE worker IS NOT NULL;

-- A run as `rows.py` reads it.
CREATE VIEW run_row AS
SELECT
    run.no, run.id, task.env, task.id AS task, run.created, run.version,
    run.state, run.moment, run.worker, run.outcome, run.detail,
    run.epoch, run.attempt, run.failures, run.lost, run.entries,
    run.updated, run.started, run.resumed, run.ran_ms, run.stop_by, run.stop_outcome,
    run.max_attempts, run.ttl_ms, run.max_duration_ms,
    run.cursors, run.waits, run.deadlines,
    run.saved, run.base, (SELECT version FROM code WHERE code.no = run.code) AS code
FROM run JOIN task ON task.no = run.task;

-- Versions of code that runs have started on.
CREATE TABLE code (
    no INTEGER PRIMARY KEY,
    version TEXT NOT NULL UNIQUE
) STRICT;

-- The state of a run's code, as its worker sealed it. It stands for the entries below `run.saved`.
CREATE TABLE snapshot (
    run INTEGER PRIMARY KEY,
    body BLOB NOT NULL,
    footing INTEGER                         -- NULL: its worker has not said
) STRICT;

-- What snapshots stand on, in words, so that those can tell who cannot open them.
CREATE TABLE footing (
    no INTEGER PRIMARY KEY,
    text TEXT NOT NULL UNIQUE
) STRICT;

-- What of an order is too big for a row that is written again with every change of the run.
CREATE TABLE large (
    run INTEGER NOT NULL,
    part TEXT NOT NULL CHECK (part IN ('payload', 'metadata')),
    body BLOB NOT NULL,
    PRIMARY KEY (run, part)
) STRICT, WITHOUT ROWID;

-- Metadata that was set after the start.
CREATE TABLE metadata (
    run INTEGER PRIMARY KEY,
    value BLOB NOT NULL,
    applied BLOB                            -- which requests made the last changes
) STRICT;

-- Runs by tag, kept by triggers: whoever writes a run's tags need not know.
CREATE TABLE tagged (
    tag TEXT NOT NULL,
    created INTEGER NOT NULL,
    run INTEGER NOT NULL,
    PRIMARY KEY (tag, created, run)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER run_tagged AFTER INSERT ON run WHEN NEW.tags IS NOT NULL
BEGIN
    INSERT OR IGNORE INTO tagged SELECT value, NEW.created, NEW.no FROM json_each(NEW.tags);
END;

CREATE TRIGGER run_retagged AFTER UPDATE OF tags ON run WHEN OLD.tags IS NOT NEW.tags
BEGIN
    DELETE FROM tagged
    WHERE run = NEW.no AND created = NEW.created
        AND tag IN (SELECT value FROM json_each(coalesce(OLD.tags, '[]')));
    INSERT OR IGNORE INTO tagged
    SELECT value, NEW.created, NEW.no FROM json_each(coalesce(NEW.tags, '[]'));
END;

-- Idempotency keys, as hashes: the caller's, and those of the client's retries; and the keys under
-- which a run is delayed, as long as it is.
CREATE TABLE taken (
    task INTEGER NOT NULL,
    space TEXT NOT NULL CHECK (space IN ('caller', 'request', 'debounce')),
    key BLOB NOT NULL CHECK (length(key) = 16),
    run INTEGER NOT NULL,
    until INTEGER NOT NULL,                 -- 0: for ever
    PRIMARY KEY (task, space, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX taken_until ON taken (until) WHERE until > 0;
CREATE INDEX taken_debounce ON taken (run) WHERE space = 'debounce';

-- Single-use tokens that have created a run, as hashes. A token names its environment itself.
CREATE TABLE ticket (
    token BLOB PRIMARY KEY CHECK (length(token) = 32),
    run INTEGER NOT NULL,
    until INTEGER NOT NULL                  -- it has expired by then: nobody accepts it any more
) STRICT, WITHOUT ROWID;

CREATE INDEX ticket_until ON ticket (until);

-- One answer for each key of a run's journal; `n` is its place in the order of completion.
-- `skip` and `insert` answer nothing: they say how a replay is to read the others.
CREATE TABLE entry (
    run INTEGER NOT NULL,
    key TEXT NOT NULL,
    n INTEGER NOT NULL CHECK (n >= 0),
    kind TEXT NOT NULL CHECK (
        kind IN (
            'step', 'take', 'timer', 'trigger', 'send', 'peek', 'handled', 'rejected', 'output',
            'skip', 'insert'
        )
    ),
    ending TEXT NOT NULL CHECK (ending IN ('value', 'failure', 'timeout', 'cancelled')),
    body BLOB NOT NULL,
    at INTEGER NOT NULL,
    fingerprint TEXT NOT NULL,
    line TEXT NOT NULL,
    stream TEXT,
    seq INTEGER NOT NULL CHECK (seq >= -1),
    deadline INTEGER,
    PRIMARY KEY (run, key)
) STRICT, WITHOUT ROWID;

-- A log for each (run, stream): numbers from 0 without gaps, one record for each key.
-- `total` is the size of all bodies up to this one, so that any backlog is a subtraction.
CREATE TABLE record (
    run INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    seq INTEGER NOT NULL CHECK (seq >= 0),
    body BLOB NOT NULL,
    at INTEGER NOT NULL,
    key BLOB CHECK (key <> x''),
    digest BLOB,
    total INTEGER NOT NULL CHECK (total >= length(body)),
    PRIMARY KEY (run, stream, seq)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX record_key ON record (run, stream, key) WHERE key IS NOT NULL;

-- How far a run has come as it is seen from outside: by itself, and by what stands beside it.
CREATE VIEW revision AS
SELECT
    run.no, run.id, run.task, run.version,
    run.revision + (
        -- From one stream to the next by the primary key, not through all the records.
        WITH RECURSIVE found (stream) AS (
            SELECT (SELECT min(stream) FROM record WHERE record.run = run.no)
            UNION ALL
            SELECT (
                SELECT min(stream) FROM record
                WHERE record.run = run.no AND record.stream > found.stream
            )
            FROM found WHERE stream IS NOT NULL
        )
        SELECT count(*) FROM found JOIN stream ON stream.no = found.stream
        WHERE substr(stream.name, 1, 1) = '>'
    ) AS beside
FROM run;

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
    run TEXT,                               -- these three: the record that it awaits, if any
    stream TEXT,
    seq INTEGER CHECK (
        (seq IS NULL) = (run IS NULL) AND (seq IS NULL) = (stream IS NULL)
        AND (seq IS NULL OR completed IS NULL)
    ),
    came INTEGER CHECK (came IS NULL OR seq IS NOT NULL),  -- once it is settled; 0: not in time
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

-- `seat` counts up whenever the worker sits down: who has an older one does not renew the lease.
CREATE TABLE lease (
    worker TEXT PRIMARY KEY,
    until INTEGER NOT NULL,
    seat INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- Every version of the code that ever registered; the latest has the highest number.
CREATE TABLE deploy (
    no INTEGER PRIMARY KEY,
    env TEXT NOT NULL,
    version TEXT NOT NULL,
    at INTEGER NOT NULL,
    python TEXT NOT NULL DEFAULT '',        -- '': its worker has not said
    functions BLOB,                         -- fingerprints by name; NULL: no task is of this version
    UNIQUE (env, version)
) STRICT;

CREATE TABLE declared (
    env TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('task', 'stream')),
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    spec BLOB NOT NULL,
    PRIMARY KEY (env, kind, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE blob (
    key TEXT PRIMARY KEY,
    value BLOB NOT NULL,
    until INTEGER NOT NULL DEFAULT 0        -- 0: for ever
) STRICT;

CREATE INDEX blob_until ON blob (until) WHERE until > 0;

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
