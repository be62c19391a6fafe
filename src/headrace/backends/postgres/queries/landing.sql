-- name: land
-- Every change of a group, with its entries, records and snapshots, in one statement: one round trip.
-- The rows are locked first and in one order, so that no two groups wait for each other, and nobody
-- reads a log while it is being appended to; a version is then compared with the newest there is.
-- A record whose predecessor is missing has no total, which its table refuses: all is undone.
-- `ready` is a step of its own, so that many changes are matched by their places, not one by one.
WITH wanted AS (
    SELECT wanted.id, wanted.version, wanted.place
    FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS wanted (id, version, place)
),
held AS (
    SELECT run.no, run.id, run.version FROM headrace.run
    WHERE run.id = ANY ($1::text[]) ORDER BY run.no FOR NO KEY UPDATE
),
passed AS (
    SELECT wanted.place, held.no FROM wanted JOIN held ON held.id = wanted.id
    WHERE wanted.version IS NULL OR wanted.version = held.version
),
ready AS MATERIALIZED (
    SELECT passed.no, change.*
    FROM unnest(
        $3::bigint[], $4::bigint[], $5::text[], $6::bigint[], $7::text[], $8::text[], $9::bytea[],
        $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[],
        $16::bigint[], $17::bigint[], $18::bigint[], $19::bigint[], $20::text[], $21::bytea[],
        $22::bytea[], $23::bytea[], $24::bigint[], $25::bigint[], $26::bigint[], $27::bigint[],
        $28::bigint[], $29::bigint[]
    ) AS change (
        place, version, state, moment, worker, outcome, detail, epoch, attempt, failures, lost,
        entries, updated, started, resumed, ran_ms, stop_by, stop_outcome, cursors, waits,
        deadlines, wait_due, saved, base, code, max_attempts, max_duration_ms
    )
    JOIN passed ON passed.place = change.place
),
changed AS (
    UPDATE headrace.run SET
        version = ready.version, state = ready.state, moment = ready.moment,
        worker = ready.worker, outcome = ready.outcome, detail = ready.detail,
        epoch = ready.epoch, attempt = ready.attempt, failures = ready.failures,
        lost = ready.lost, entries = ready.entries, updated = ready.updated,
        started = ready.started, resumed = ready.resumed, ran_ms = ready.ran_ms,
        stop_by = ready.stop_by, stop_outcome = ready.stop_outcome, cursors = ready.cursors,
        waits = ready.waits, deadlines = ready.deadlines, wait_due = ready.wait_due,
        saved = ready.saved, base = ready.base, code = ready.code,
        max_attempts = ready.max_attempts, max_duration_ms = ready.max_duration_ms
    FROM ready WHERE run.no = ready.no
),
remembered AS (
    INSERT INTO headrace.entry (
        run, key, n, kind, ending, body, at, fingerprint, line, stream, seq, deadline
    )
    SELECT
        passed.no, entry.key, entry.n, entry.kind, entry.ending, entry.body, entry.at,
        entry.fingerprint, entry.line, entry.stream, entry.seq, entry.deadline
    FROM unnest(
        $30::bigint[], $31::text[], $32::bigint[], $33::text[], $34::text[], $35::bytea[],
        $36::bigint[], $37::text[], $38::text[], $39::text[], $40::bigint[], $41::bigint[]
    ) AS entry (
        place, key, n, kind, ending, body, at, fingerprint, line, stream, seq, deadline
    )
    JOIN passed ON passed.place = entry.place
),
appended AS (
    INSERT INTO headrace.record (run, stream, seq, body, at, key, digest, total)
    SELECT
        passed.no, draft.stream, draft.seq, draft.body, draft.at, draft.key, draft.digest,
        CASE WHEN draft.start = 0 THEN draft.upto ELSE before.total + draft.upto END
    FROM unnest(
        $42::bigint[], $43::bigint[], $44::bigint[], $45::bytea[], $46::bigint[], $47::bytea[],
        $48::bytea[], $49::bigint[], $50::bigint[]
    ) AS draft (place, stream, seq, body, at, key, digest, start, upto)
    JOIN passed ON passed.place = draft.place
    LEFT JOIN LATERAL (
        SELECT record.total FROM headrace.record
        WHERE record.run = passed.no AND record.stream = draft.stream
            AND record.seq = draft.start - 1
        LIMIT 1
    ) AS before ON true
),
saved AS (
    INSERT INTO headrace.snapshot (run, body, footing)
    SELECT passed.no, snapshot.body, snapshot.footing
    FROM unnest($51::bigint[], $52::bytea[], $53::bigint[]) AS snapshot (place, body, footing)
    JOIN passed ON passed.place = snapshot.place
    ON CONFLICT (run) DO UPDATE SET body = excluded.body, footing = excluded.footing
),
begun AS (
    DELETE FROM headrace.taken USING
        unnest($54::bigint[]) AS begun (place) JOIN passed ON passed.place = begun.place
    WHERE taken.run = passed.no AND taken.space = 'debounce'
)
SELECT passed.place, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint FROM passed;

-- name: lock_waitpoints
-- Before the runs that wait for them, as a completion does: who completes one waits for us, or we see
-- its value.
SELECT id, completed IS NOT NULL FROM headrace.waitpoint
WHERE id = ANY ($1::text[]) ORDER BY no FOR NO KEY UPDATE;

-- name: delete_entries
-- Failures at the journal's end, which the next attempt tries again.
DELETE FROM headrace.entry USING
    unnest($1::text[], $2::bigint[]) AS undone (id, n)
    CROSS JOIN LATERAL (SELECT no FROM headrace.run WHERE run.id = undone.id LIMIT 1) AS own
WHERE entry.run = own.no AND entry.n >= undone.n;

-- name: drop_entries
-- A snapshot stands for them.
DELETE FROM headrace.entry USING
    unnest($1::text[], $2::bigint[]) AS dropped (id, n)
    CROSS JOIN LATERAL (SELECT no FROM headrace.run WHERE run.id = dropped.id LIMIT 1) AS own
WHERE entry.run = own.no AND entry.n < dropped.n;

-- name: delete_snapshots
-- The runs are over, or begin again.
DELETE FROM headrace.snapshot
WHERE run IN (SELECT no FROM headrace.run WHERE id = ANY ($1::text[]));

-- name: insert_waiters
-- With the wait itself; the value may be there already, of which the decision did not know.
INSERT INTO headrace.waiter (waitpoint, run, owed)
SELECT awaited.no, own.no, awaited.completed IS NOT NULL
FROM unnest($1::text[], $2::text[]) AS waiting (id, run)
CROSS JOIN LATERAL (
    SELECT no, completed FROM headrace.waitpoint WHERE waitpoint.id = waiting.id LIMIT 1
) AS awaited
CROSS JOIN LATERAL (SELECT no FROM headrace.run WHERE run.id = waiting.run LIMIT 1) AS own
ON CONFLICT DO NOTHING;

-- name: delete_waiters
-- With the end of the wait.
DELETE FROM headrace.waiter USING
    unnest($1::text[], $2::text[]) AS ended (id, run)
    CROSS JOIN LATERAL (
        SELECT no FROM headrace.waitpoint WHERE waitpoint.id = ended.id LIMIT 1
    ) AS awaited
    CROSS JOIN LATERAL (SELECT no FROM headrace.run WHERE run.id = ended.run LIMIT 1) AS own
WHERE waiter.waitpoint = awaited.no AND waiter.run = own.no;
