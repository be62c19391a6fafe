-- name: make_schema
-- First of all. Two who do so at once get into each other's way; both try again.
CREATE SCHEMA IF NOT EXISTS headrace;

-- name: make_ledger
-- `version`: how many migrations have been applied. `least`: code that knows fewer cannot go on.
CREATE TABLE IF NOT EXISTS headrace.ledger (
    one smallint PRIMARY KEY CHECK (one = 1),
    version bigint NOT NULL,
    least bigint NOT NULL
);

-- name: insert_ledger
-- Its only row, whose lock says who migrates.
INSERT INTO headrace.ledger (one, version, least) VALUES (1, 0, 0) ON CONFLICT DO NOTHING;

-- name: select_ledger
-- What is there.
SELECT version, least FROM headrace.ledger;

-- name: lock_ledger
-- Whoever holds it applies the next migration.
SELECT version FROM headrace.ledger WHERE one = 1 FOR UPDATE;

-- name: update_ledger
-- In the transaction of the migration.
UPDATE headrace.ledger SET version = $1::bigint WHERE one = 1;

-- name: stamp_meta
-- After writes: whoever opens the database next goes on from here, whatever its clock says then.
UPDATE headrace.meta SET at = greatest(at, $1::bigint) WHERE one = 1;

-- name: select_start
-- The database's clock in microseconds, but never below the last instant written.
SELECT greatest(at * 1000, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
FROM headrace.meta;

-- name: next_number
-- One by one, and seen in this order: the row is held until the commit.
UPDATE headrace.counter SET value = value + 1 WHERE name = $1 RETURNING value;

-- name: number_tasks
-- Those that there are, and those that are new; what another adds at this moment is found next time.
WITH wanted AS (SELECT * FROM unnest($1::text[], $2::text[]) AS wanted (env, id)),
added AS (
    INSERT INTO headrace.task (env, id)
    SELECT env, id FROM wanted WHERE NOT EXISTS (
        SELECT 1 FROM headrace.task WHERE task.env = wanted.env AND task.id = wanted.id
    )
    ON CONFLICT DO NOTHING RETURNING env, id, no
)
SELECT env, id, no FROM added
UNION ALL
SELECT task.env, task.id, task.no
FROM headrace.task JOIN wanted ON task.env = wanted.env AND task.id = wanted.id;

-- name: number_streams
-- Likewise.
WITH added AS (
    INSERT INTO headrace.stream (name)
    SELECT name FROM unnest($1::text[]) AS wanted (name)
    WHERE NOT EXISTS (SELECT 1 FROM headrace.stream WHERE stream.name = wanted.name)
    ON CONFLICT DO NOTHING RETURNING name, no
)
SELECT name, no FROM added
UNION ALL
SELECT name, no FROM headrace.stream WHERE name = ANY ($1::text[]);

-- name: number_codes
-- Likewise.
WITH added AS (
    INSERT INTO headrace.code (version)
    SELECT version FROM unnest($1::text[]) AS wanted (version)
    WHERE NOT EXISTS (SELECT 1 FROM headrace.code WHERE code.version = wanted.version)
    ON CONFLICT DO NOTHING RETURNING version, no
)
SELECT version, no FROM added
UNION ALL
SELECT version, no FROM headrace.code WHERE version = ANY ($1::text[]);

-- name: number_footings
-- Likewise, by their hashes.
WITH added AS (
    INSERT INTO headrace.footing (hash, text)
    SELECT hash, text FROM unnest($1::bytea[], $2::text[]) AS wanted (hash, text)
    WHERE NOT EXISTS (SELECT 1 FROM headrace.footing WHERE footing.hash = wanted.hash)
    ON CONFLICT DO NOTHING RETURNING text, no
)
SELECT text, no FROM added
UNION ALL
SELECT text, no FROM headrace.footing WHERE hash = ANY ($1::bytea[]);

-- name: select_task_numbers
-- The numbers of those tasks of an environment that have one.
SELECT id, no FROM headrace.task WHERE env = $1 AND id = ANY ($2::text[]);

-- name: upsert_lease
-- The seat of a worker that was forgotten in between is above all that it had before.
INSERT INTO headrace.lease (worker, until, seat) VALUES ($1, $2, $2)
ON CONFLICT (worker) DO UPDATE SET
    until = greatest(lease.until, excluded.until), seat = greatest(lease.seat + 1, excluded.seat)
RETURNING seat, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;

-- name: renew_lease
-- A late renewal never shortens the lease; nor does one of an older seat count. Says what time it is,
-- as every frequent write does.
UPDATE headrace.lease SET until = greatest(until, $2) WHERE worker = $1 AND seat = $3
RETURNING until, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;

-- name: delete_lease
-- Unless the worker has come back. Tells whether it has none: if another has just given it up, that
-- one sees to what follows.
WITH gone AS (
    DELETE FROM headrace.lease WHERE worker = $1 AND until <= $2 RETURNING 1
)
SELECT EXISTS (SELECT 1 FROM gone)
    OR NOT EXISTS (SELECT 1 FROM headrace.lease WHERE worker = $1);

-- name: select_lapsed
-- Longest ago first; before them who holds a run and has no lease. Holders are found one after the
-- other, by as many look-ups in the index: there are few of them, however many runs they hold.
WITH RECURSIVE holder AS (
    SELECT min(run.worker) AS worker FROM headrace.run WHERE run.worker IS NOT NULL
    UNION ALL
    SELECT (SELECT min(run.worker) FROM headrace.run WHERE run.worker > holder.worker)
    FROM holder WHERE holder.worker IS NOT NULL
)
SELECT holder.worker, 0::bigint AS until FROM holder
WHERE holder.worker IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM headrace.lease WHERE lease.worker = holder.worker)
UNION ALL
SELECT worker, until FROM headrace.lease WHERE until <= $1
ORDER BY until, worker;

-- name: extend_leases
-- For who lets time fly; in one order, as everybody does.
WITH short AS MATERIALIZED (
    SELECT worker FROM headrace.lease WHERE until < $1::bigint ORDER BY worker FOR NO KEY UPDATE
)
UPDATE headrace.lease SET until = $1::bigint FROM short WHERE lease.worker = short.worker;

-- name: delete_deploy
-- So that the version which registers again gets the highest number.
DELETE FROM headrace.deploy WHERE env = $1 AND version = $2;

-- name: insert_deploy
-- The latest has the highest number.
INSERT INTO headrace.deploy (no, env, version, at, python, functions)
VALUES ($1, $2, $3, $4, $5, $6);

-- name: forget_functions
-- Of versions that declared no task last: they are many, and nobody asks for them.
UPDATE headrace.deploy SET functions = NULL
WHERE env = $1 AND functions IS NOT NULL
    AND version NOT IN (
        SELECT version FROM headrace.declared WHERE declared.env = $1 AND kind = 'task'
    );

-- name: select_code
-- Of the version that declared the task last.
SELECT deploy.version, deploy.python, deploy.functions
FROM headrace.declared
JOIN headrace.deploy ON deploy.env = declared.env AND deploy.version = declared.version
WHERE declared.env = $1 AND declared.kind = 'task' AND declared.name = $2;

-- name: upsert_declared
-- The latest declaration of a name counts, whichever version made it.
INSERT INTO headrace.declared (env, kind, name, version, spec)
SELECT $1::text, declared.kind, declared.name, $2::text, declared.spec
FROM unnest($3::text[], $4::text[], $5::bytea[]) AS declared (kind, name, spec)
ON CONFLICT (env, kind, name) DO UPDATE SET version = excluded.version, spec = excluded.spec;

-- name: select_declared
-- One declaration.
SELECT spec FROM headrace.declared WHERE env = $1 AND kind = $2 AND name = $3;

-- name: select_all_declared
-- By name, as bytes are compared: the same everywhere.
SELECT spec FROM headrace.declared WHERE env = $1 AND kind = $2 ORDER BY name COLLATE "C";

-- name: select_latest_deploy
-- The version that registered last.
SELECT version FROM headrace.deploy WHERE env = $1 ORDER BY no DESC LIMIT 1;

-- name: upsert_blob
-- The same key again replaces the value.
INSERT INTO headrace.blob (key, value, until) VALUES ($1, $2, $3)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, until = excluded.until;

-- name: insert_blob
-- For good, unless the key has a value.
INSERT INTO headrace.blob (key, value, until) VALUES ($1, $2, 0) ON CONFLICT (key) DO NOTHING;

-- name: purge_blobs
-- Those whose time is over, longest ago first.
WITH old AS MATERIALIZED (
    SELECT key FROM headrace.blob
    WHERE until > 0 AND until <= $1::bigint ORDER BY until, key LIMIT $2::bigint
    FOR UPDATE SKIP LOCKED
)
DELETE FROM headrace.blob USING old WHERE blob.key = old.key
RETURNING 1;

-- name: keep_blobs
-- With the ends of the runs whose outputs they are.
UPDATE headrace.blob SET until = 0 WHERE key = ANY ($1::text[]) RETURNING key;

-- name: select_blob
-- One value.
SELECT value FROM headrace.blob WHERE key = $1;

-- name: delete_blob
-- Gone for good.
DELETE FROM headrace.blob WHERE key = $1;

-- name: upsert_listener
-- For a while: who is gone without a word is forgotten.
INSERT INTO headrace.listener (id, until) VALUES ($1, $2)
ON CONFLICT (id) DO UPDATE SET until = excluded.until;

-- name: delete_listeners
-- One that leaves in order, and those that have been gone for long.
DELETE FROM headrace.listener WHERE id = $1 OR until < $2;

-- name: select_others
-- Whether there is anybody to be told, and what time it is.
SELECT
    EXISTS (SELECT 1 FROM headrace.listener WHERE id <> $1 AND until > $2),
    (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;

-- name: select_settings
-- What holds in this session.
SELECT asked.name, current_setting(asked.name, true) FROM unnest($1::text[]) AS asked (name);

-- name: notify
-- Many hints in few messages: a message holds 8,000 bytes, and each commit of one waits for the others'.
SELECT pg_notify('headrace', message) FROM unnest($1::text[]) AS message;

-- name: drop_idle
-- Connections whose owner waits for the database, and the database for the owner: they end.
SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity
WHERE pid = ANY($1::int[])
    AND wait_event = 'ClientRead'
    AND clock_timestamp() - state_change > $2::int * interval '1 millisecond';
