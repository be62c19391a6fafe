ALTER TABLE run ADD COLUMN base INTEGER NOT NULL DEFAULT 0
    CHECK (base BETWEEN 0 AND entries);

ALTER TABLE run ADD COLUMN saved INTEGER
    CHECK (saved IS NULL OR (saved BETWEEN base AND entries AND state <> 'over'));

ALTER TABLE run ADD COLUMN code INTEGER
    CHECK (code IS NULL OR epoch > 0);

-- Versions of code that runs have started on.
CREATE TABLE code (
    no INTEGER PRIMARY KEY,
    version TEXT NOT NULL UNIQUE
) STRICT;

-- The state of a run's code, as its worker sealed it. It stands for the entries below `run.saved`.
CREATE TABLE snapshot (
    run INTEGER PRIMARY KEY,
    body BLOB NOT NULL
) STRICT;

DROP VIEW run_row;

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
