-- name: insert_run
-- An id that is there already is the same run, whose creation was asked for again.
INSERT INTO run (
    id, task, created, max_attempts, ttl_ms, max_duration_ms, tags, parent, keys, test, payload,
    metadata, version, state, moment, worker, outcome, detail, epoch, attempt, failures, lost, entries,
    updated, started, resumed, ran_ms, stop_by, stop_outcome, cursors, waits, deadlines, wait_due,
    saved, base, code
)
VALUES (
    ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20,
    ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36
)
ON CONFLICT (id) DO NOTHING;

-- name: insert_large
-- Beside the run, so that its changes never write the body again.
INSERT INTO large (run, part, body) SELECT no, ?2, ?3 FROM run WHERE id = ?1;

-- name: select_run
-- By its public id.
SELECT * FROM run_row WHERE id = ?1;

-- name: select_runs_by_number
-- What a claim has just changed; the caller knows the order.
SELECT * FROM run_row WHERE no IN (SELECT value FROM json_each(?1));

-- name: select_order
-- An empty body and one that is too big look alike in `run`; `large` tells them apart.
SELECT
    coalesce(
        iif(
            ?2 IS NULL OR length(coalesce(run.payload, big.body)) <= ?2,
            coalesce(run.payload, big.body), NULL
        ),
        x''
    ),
    coalesce(run.metadata, (SELECT body FROM large WHERE run = run.no AND part = 'metadata'), x''),
    run.tags, run.parent, run.keys, run.test, coalesce(length(coalesce(run.payload, big.body)) > ?2, 0)
FROM run LEFT JOIN large AS big ON big.run = run.no AND big.part = 'payload'
WHERE run.id = ?1;

-- name: update_run
-- Everything that can change, if the run is still at the version that was decided on.
UPDATE run SET
    version = ?3, state = ?4, moment = ?5, worker = ?6, outcome = ?7, detail = ?8, epoch = ?9,
    attempt = ?10, failures = ?11, lost = ?12, entries = ?13, updated = ?14, started = ?15,
    resumed = ?16, ran_ms = ?17, stop_by = ?18, stop_outcome = ?19, cursors = ?20, waits = ?21,
    deadlines = ?22, wait_due = ?23, saved = ?24, base = ?25, code = ?26,
    max_attempts = ?27, max_duration_ms = ?28
WHERE id = ?1 AND version = ?2
RETURNING no;

-- name: update_run_in_place
-- The frequent case: a run goes on as it was and remembers more. No index is touched.
UPDATE run SET version = ?3, lost = ?4, entries = ?5, updated = ?6, cursors = ?7, waits = ?8
WHERE id = ?1 AND version = ?2
RETURNING no;

-- name: check_run
-- A change without a difference still demands that nobody else changed the run.
SELECT no FROM run WHERE id = ?1 AND version = ?2;

-- name: select_ready
-- The oldest of one task that are machine.is_ready; a claim merges those of several tasks.
SELECT moment, no FROM run
WHERE state = 'queued' AND task = ?1
    AND (started IS NOT NULL OR ttl_ms IS NULL OR moment + ttl_ms > ?3)
ORDER BY moment, no LIMIT ?2;

-- name: claim_runs
-- The set-based form of machine.decide(run, Claim, now); the contract shows that they agree.
UPDATE run SET
    state = 'running', moment = NULL, worker = ?1, resumed = ?2, epoch = epoch + 1,
    attempt = failures + 1, started = coalesce(started, ?2), version = version + 1, updated = ?2,
    code = iif(entries = 0, coalesce(code, ?4), code)
WHERE no IN (SELECT value FROM json_each(?3)) AND state = 'queued';

-- name: select_due
-- The column `due` repeats machine.due; the contract shows that they agree.
SELECT due, id FROM run WHERE due <= ?1 ORDER BY due, no LIMIT ?2;

-- name: select_held
-- Running or warm: a lost worker's runs.
SELECT id FROM run WHERE worker = ?1 ORDER BY no;

-- name: select_metadata
-- What was set last, else what the run was started with.
SELECT coalesce(
    (SELECT value FROM metadata WHERE run = run.no),
    run.metadata,
    (SELECT body FROM large WHERE run = run.no AND part = 'metadata'),
    x''
)
FROM run WHERE run.id = ?1;

-- name: upsert_metadata
-- Apart from the run: setting it is no change of the run's state.
INSERT INTO metadata (run, value) SELECT no, ?2 FROM run WHERE id = ?1
ON CONFLICT (run) DO UPDATE SET value = excluded.value;

-- name: revise_run
-- What is said about the run is another now; its state is not.
UPDATE run SET revision = revision + 1 WHERE id = ?1;

-- name: select_notes
-- As `select_metadata`, with the rest of what is said about the run.
SELECT
    run.tags,
    coalesce(
        metadata.value,
        run.metadata,
        (SELECT body FROM large WHERE run = run.no AND part = 'metadata'),
        x''
    ),
    run.revision, metadata.applied
FROM run LEFT JOIN metadata ON metadata.run = run.no
WHERE run.id = ?1;

-- name: update_notes
-- Only if nobody else has changed them since they were read.
UPDATE run SET tags = ?3, revision = ?2 + 1 WHERE id = ?1 AND revision = ?2;

-- name: upsert_notes
-- With what makes a change count once.
INSERT INTO metadata (run, value, applied) SELECT no, ?2, ?3 FROM run WHERE id = ?1
ON CONFLICT (run) DO UPDATE SET value = excluded.value, applied = excluded.applied;

-- name: select_ticket
-- Whether it has created a run.
SELECT 1 FROM ticket WHERE token = ?1;

-- name: insert_ticket
-- In the transaction that creates the run.
INSERT INTO ticket (token, run, until) SELECT ?1, no, ?3 FROM run WHERE id = ?2;

-- name: purge_tickets
-- Nobody accepts them any more.
DELETE FROM ticket WHERE token IN (
    SELECT token FROM ticket WHERE until <= ?1 ORDER BY until LIMIT ?2
);

-- name: purge_taken
-- Keys that are free again, however long; those without an end stay.
DELETE FROM taken WHERE (task, space, key) IN (
    SELECT task, space, key FROM taken
    WHERE until > 0 AND until <= ?1 ORDER BY until LIMIT ?2
);

-- name: select_task_taken
-- Which run stands under a caller's key of a task.
SELECT run.id FROM taken JOIN run ON run.no = taken.run
WHERE taken.task = (SELECT no FROM task WHERE env = ?1 AND id = ?2)
    AND taken.space = 'caller' AND taken.key = ?3
    AND (taken.until = 0 OR taken.until > ?4);

-- name: select_taken
-- Which run stands under an idempotency key, unless the key is free again.
SELECT run.id FROM taken JOIN run ON run.no = taken.run
WHERE taken.task = ?1 AND taken.space = ?2 AND taken.key = ?3
    AND (taken.until = 0 OR taken.until > ?4);

-- name: insert_taken
-- An expired key is replaced.
INSERT OR REPLACE INTO taken (task, space, key, run, until)
SELECT ?2, ?3, ?4, no, ?5 FROM run WHERE id = ?1;

-- name: select_delayed
-- Which run is put off by whoever comes with a debounce key.
SELECT run.id FROM taken JOIN run ON run.no = taken.run
WHERE taken.task = ?1 AND taken.space = 'debounce' AND taken.key = ?2
    AND run.state = 'delayed' AND run.created >= ?3;

-- name: delete_debounced
-- It is delayed no more: who comes now starts another.
DELETE FROM taken WHERE space = 'debounce' AND run = ?1;

-- name: delete_taken
-- Only while it still stands for this run: its task is that of the run.
DELETE FROM taken
WHERE space = ?2 AND key = ?3
    AND (task, run) = (SELECT task, no FROM run WHERE id = ?1);

-- name: find_newest
-- A page from the newest on, or from a run on towards the older ones.
SELECT run_row.* FROM run JOIN run_row ON run_row.no = run.no
WHERE run.task IN (SELECT no FROM task WHERE env = ?1)
    AND run.no < iif(?2 IS NULL, 9223372036854775807, (SELECT no FROM run WHERE id = ?2))
    AND run.no > iif(?3 IS NULL, 0, (SELECT no FROM run WHERE id = ?3))
    AND (?4 IS NULL OR run.state IN (SELECT value FROM json_each(?4))
        OR run.outcome IN (SELECT value FROM json_each(?4)))
    AND (?5 IS NULL OR run_row.task IN (SELECT value FROM json_each(?5)))
    AND (?6 IS NULL OR EXISTS (
        SELECT 1 FROM json_each(run.tags) WHERE value IN (SELECT value FROM json_each(?6))
    ))
    AND (NOT ?7 OR run.waits IS NOT NULL)
    AND (?9 IS NULL OR run_row.code IN (SELECT value FROM json_each(?9)))
    AND (?10 IS NULL OR run.created >= ?10)
    AND (?11 IS NULL OR run.created <= ?11)
    AND (?12 IS NULL OR run.test = ?12)
ORDER BY run.no DESC LIMIT ?8;

-- name: find_before
-- The page that ends where a known page begins: found from there upwards, turned by the caller.
SELECT run_row.* FROM run JOIN run_row ON run_row.no = run.no
WHERE run.task IN (SELECT no FROM task WHERE env = ?1)
    AND run.no < iif(?2 IS NULL, 9223372036854775807, (SELECT no FROM run WHERE id = ?2))
    AND run.no > iif(?3 IS NULL, 0, (SELECT no FROM run WHERE id = ?3))
    AND (?4 IS NULL OR run.state IN (SELECT value FROM json_each(?4))
        OR run.outcome IN (SELECT value FROM json_each(?4)))
    AND (?5 IS NULL OR run_row.task IN (SELECT value FROM json_each(?5)))
    AND (?6 IS NULL OR EXISTS (
        SELECT 1 FROM json_each(run.tags) WHERE value IN (SELECT value FROM json_each(?6))
    ))
    AND (NOT ?7 OR run.waits IS NOT NULL)
    AND (?9 IS NULL OR run_row.code IN (SELECT value FROM json_each(?9)))
    AND (?10 IS NULL OR run.created >= ?10)
    AND (?11 IS NULL OR run.created <= ?11)
    AND (?12 IS NULL OR run.test = ?12)
ORDER BY run.no LIMIT ?8;
