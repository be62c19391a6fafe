-- name: stamp_meta
-- With every group commit: whoever opens the file next goes on from here.
UPDATE meta SET at = max(at, ?1) RETURNING at;

-- name: select_last
-- The last instant written by anybody.
SELECT at FROM meta;

-- name: select_start
-- The wall clock as SQLite reads it, but never below the last instant written.
SELECT max(at, CAST(unixepoch('subsec') * 1000 AS INTEGER)) FROM meta;

-- name: select_task_number
-- The number of a task in its environment.
SELECT no FROM task WHERE env = ?1 AND id = ?2;

-- name: insert_task
-- On first use.
INSERT INTO task (env, id) VALUES (?1, ?2) RETURNING no;

-- name: select_stream_number
-- The number of a stream's name.
SELECT no FROM stream WHERE name = ?1;

-- name: insert_stream
-- On first use.
INSERT INTO stream (name) VALUES (?1) RETURNING no;

-- name: select_code_number
-- The number of a version of the code.
SELECT no FROM code WHERE version = ?1;

-- name: insert_code
-- On first use.
INSERT INTO code (version) VALUES (?1) RETURNING no;

-- name: upsert_lease
-- The seat of a worker that was forgotten in between is above all that it had before.
INSERT INTO lease (worker, until, seat) VALUES (?1, ?2, ?2)
ON CONFLICT (worker) DO UPDATE SET
    until = max(until, excluded.until), seat = max(seat + 1, excluded.seat)
RETURNING seat;

-- name: renew_lease
-- A late renewal never shortens the lease; nor does one of an older seat count.
UPDATE lease SET until = max(until, ?2) WHERE worker = ?1 AND seat = ?3 RETURNING until;

-- name: delete_lease
-- Unless the worker has come back.
DELETE FROM lease WHERE worker = ?1 AND until <= ?2;

-- name: select_lease
-- Whether the worker has one.
SELECT 1 FROM lease WHERE worker = ?1;

-- name: select_lapsed
-- Longest ago first; before them whoever holds runs without one: a look-up for each, not for a run.
WITH RECURSIVE holder (worker) AS (
    SELECT min(worker) FROM run WHERE worker IS NOT NULL
    UNION ALL
    SELECT (SELECT min(run.worker) FROM run WHERE run.worker > holder.worker)
    FROM holder WHERE holder.worker IS NOT NULL
)
SELECT worker, 0 AS until FROM holder
WHERE worker IS NOT NULL AND worker NOT IN (SELECT worker FROM lease)
UNION ALL
SELECT worker, until FROM lease WHERE until <= ?1
ORDER BY until, worker;

-- name: extend_leases
-- For who lets time fly.
UPDATE lease SET until = ?1 WHERE until < ?1;

-- name: delete_deploy
-- So that the version which registers again gets the highest number.
DELETE FROM deploy WHERE env = ?1 AND version = ?2;

-- name: insert_deploy
-- The latest has the highest number.
INSERT INTO deploy (no, env, version, at, python, functions)
VALUES ((SELECT coalesce(max(no), 0) + 1 FROM deploy), ?1, ?2, ?3, ?4, ?5);

-- name: forget_functions
-- Of versions that declared no task last: they are many, and nobody asks for them.
UPDATE deploy SET functions = NULL
WHERE env = ?1 AND functions IS NOT NULL
    AND version NOT IN (SELECT version FROM declared WHERE env = ?1 AND kind = 'task');

-- name: select_code
-- Of the version that declared the task last.
SELECT deploy.version, deploy.python, deploy.functions
FROM declared JOIN deploy ON deploy.env = declared.env AND deploy.version = declared.version
WHERE declared.env = ?1 AND declared.kind = 'task' AND declared.name = ?2;

-- name: upsert_declared
-- The latest declaration of a name counts, whichever version made it.
INSERT OR REPLACE INTO declared (env, kind, name, version, spec) VALUES (?1, ?2, ?3, ?4, ?5);

-- name: select_declared
-- One declaration.
SELECT spec FROM declared WHERE env = ?1 AND kind = ?2 AND name = ?3;

-- name: select_all_declared
-- By name.
SELECT spec FROM declared WHERE env = ?1 AND kind = ?2 ORDER BY name;

-- name: select_latest_deploy
-- The version that registered last.
SELECT version FROM deploy WHERE env = ?1 ORDER BY no DESC LIMIT 1;

-- name: upsert_blob
-- The same key again replaces the value.
INSERT INTO blob (key, value, until) VALUES (?1, ?2, ?3)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, until = excluded.until;

-- name: insert_blob
-- For good, unless the key has a value.
INSERT INTO blob (key, value, until) VALUES (?1, ?2, 0) ON CONFLICT (key) DO NOTHING;

-- name: purge_blobs
-- Those whose time is over, longest ago first.
DELETE FROM blob WHERE key IN (
    SELECT key FROM blob WHERE until > 0 AND until <= ?1 ORDER BY until, key LIMIT ?2
);

-- name: keep_blob
-- With the end of the run whose output it is.
UPDATE blob SET until = 0 WHERE key = ?1;

-- name: select_blob
-- One value.
SELECT value FROM blob WHERE key = ?1;

-- name: delete_blob
-- Gone for good.
DELETE FROM blob WHERE key = ?1;
