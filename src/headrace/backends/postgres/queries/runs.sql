-- name: create_runs
-- Every run of a group, unless its id or one of its keys is taken; with what stands beside it. A key
-- that somebody took after this statement had looked for it gets no end, which its table refuses:
-- all is undone, and whoever tries again finds it. A key to debounce is good while its run is delayed.
WITH draft AS (
    SELECT * FROM unnest(
        $1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
        $7::text[], $8::text[], $9::bytea[], $10::boolean[], $11::bytea[], $12::bytea[],
        $13::bigint[], $14::text[], $15::bigint[], $16::text[], $17::text[], $18::bytea[],
        $19::bigint[], $20::bigint[], $21::bigint[], $22::bigint[], $23::bigint[], $24::bigint[],
        $25::bigint[], $26::bigint[], $27::bigint[], $28::bigint[], $29::text[], $30::bytea[],
        $31::bytea[], $32::bytea[], $33::bigint[], $34::bigint[], $35::bigint[], $36::bigint[]
    ) WITH ORDINALITY AS draft (
        id, task, created, max_attempts, ttl_ms, max_duration_ms, tags, parent, keys, test,
        payload, metadata, version, state, moment, worker, outcome, detail, epoch, attempt,
        failures, lost, entries, updated, started, resumed, ran_ms, stop_by, stop_outcome, cursors,
        waits, deadlines, wait_due, saved, base, code, place
    )
),
asked AS (
    SELECT
        asked.place, asked.space, asked.key, asked.until, asked.since, draft.task, draft.created
    FROM unnest($37::bigint[], $38::text[], $39::bytea[], $40::bigint[], $41::bigint[])
        AS asked (place, space, key, until, since)
    JOIN draft ON draft.place = asked.place
),
older AS (
    SELECT asked.place, asked.space, older.run, older.is_good
    FROM asked CROSS JOIN LATERAL (
        SELECT taken.run, CASE
            WHEN taken.space <> 'debounce' THEN taken.until = 0 OR taken.until > asked.created
            ELSE (
                SELECT run.state = 'delayed' AND run.created >= asked.since
                FROM headrace.run WHERE run.no = taken.run
            )
        END AS is_good
        FROM headrace.taken
        WHERE taken.task = asked.task AND taken.space = asked.space AND taken.key = asked.key
        LIMIT 1
    ) AS older
),
standing AS (
    SELECT place, space, run FROM older WHERE is_good
),
offered AS (
    SELECT * FROM unnest($42::bigint[], $43::bytea[], $44::bigint[]) AS offered (place, token, until)
),
spent AS (
    SELECT offered.place FROM offered CROSS JOIN LATERAL (
        SELECT 1 FROM headrace.ticket WHERE ticket.token = offered.token LIMIT 1
    ) AS ticket
),
added AS (
    INSERT INTO headrace.run (
        id, task, created, max_attempts, ttl_ms, max_duration_ms, tags, parent, keys, test,
        payload, metadata, version, state, moment, worker, outcome, detail, epoch, attempt,
        failures, lost, entries, updated, started, resumed, ran_ms, stop_by, stop_outcome, cursors,
        waits, deadlines, wait_due, saved, base, code
    )
    SELECT
        id, task, created, max_attempts, ttl_ms, max_duration_ms, tags, parent, keys, test,
        payload, metadata, version, state, moment, worker, outcome, detail, epoch, attempt,
        failures, lost, entries, updated, started, resumed, ran_ms, stop_by, stop_outcome, cursors,
        waits, deadlines, wait_due, saved, base, code
    FROM draft
    WHERE place NOT IN (SELECT place FROM standing) AND place NOT IN (SELECT place FROM spent)
    ORDER BY place
    ON CONFLICT (id) DO NOTHING
    RETURNING no, id
),
born AS (
    SELECT draft.place, added.no, draft.created FROM added JOIN draft ON draft.id = added.id
),
kept AS (
    INSERT INTO headrace.taken (task, space, key, run, until)
    SELECT asked.task, asked.space, asked.key, born.no, asked.until
    FROM asked JOIN born ON born.place = asked.place
    ORDER BY asked.task, asked.space, asked.key
    ON CONFLICT (task, space, key) DO UPDATE SET
        run = excluded.run,
        until = CASE
            WHEN taken.run IN (SELECT older.run FROM older WHERE NOT older.is_good)
            THEN excluded.until
        END
),
used AS (
    INSERT INTO headrace.ticket (token, run, until)
    SELECT offered.token, born.no, offered.until
    FROM offered JOIN born ON born.place = offered.place
),
put_aside AS (
    INSERT INTO headrace.large (run, part, body)
    SELECT born.no, large.part, large.body
    FROM unnest($45::bigint[], $46::text[], $47::bytea[]) AS large (place, part, body)
    JOIN born ON born.place = large.place
),
labelled AS (
    INSERT INTO headrace.tagged (tag, created, run)
    SELECT label.tag, born.created, born.no
    FROM unnest($48::bigint[], $49::text[]) AS label (place, tag)
    JOIN born ON born.place = label.place
)
SELECT
    place, 'born', NULL::text, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint FROM born
UNION ALL
SELECT standing.place, standing.space, run.id, NULL::bigint
FROM standing JOIN headrace.run ON run.no = standing.run
UNION ALL
SELECT place, 'spent', NULL::text, NULL::bigint FROM spent;

-- name: delete_taken
-- Keys of a run that is to have none any more: only while they still stand for it, of its own task.
DELETE FROM headrace.taken USING
    unnest($2::text[], $3::bytea[]) AS freed (space, key) CROSS JOIN headrace.run
WHERE run.id = $1::text AND taken.task = run.task AND taken.run = run.no
    AND taken.space = freed.space AND taken.key = freed.key;

-- name: select_run
-- For everybody who asks at once, by the public id. Columns are named, since a newer schema may have
-- more.
SELECT
    asked.place,
    own.no, own.id, own.env, own.task, own.created, own.version, own.state, own.moment, own.worker,
    own.outcome, own.detail, own.epoch, own.attempt, own.failures, own.lost, own.entries,
    own.updated, own.started, own.resumed, own.ran_ms, own.stop_by, own.stop_outcome,
    own.max_attempts, own.ttl_ms, own.max_duration_ms, own.cursors, own.waits, own.deadlines,
    own.saved, own.base, own.code
FROM unnest($1::text[]) WITH ORDINALITY AS asked (id, place)
CROSS JOIN LATERAL (
    SELECT
        no, run_row.id, env, task, created, version, state, moment, worker, outcome, detail, epoch,
        attempt, failures, lost, entries, updated, started, resumed, ran_ms, stop_by, stop_outcome,
        max_attempts, ttl_ms, max_duration_ms, cursors, waits, deadlines, saved, base, code
    FROM headrace.run_row WHERE run_row.id = asked.id LIMIT 1
) AS own;

-- name: select_order
-- For everybody who asks at once. An empty body and one that is too big look alike in `run`; `large`
-- tells them apart. A payload of more than `most` bytes is left out, which the last column tells.
SELECT
    asked.place,
    CASE WHEN asked.most IS NULL OR length(given.payload) <= asked.most THEN given.payload
        ELSE '' END,
    coalesce(
        own.metadata,
        (SELECT body FROM headrace.large WHERE large.run = own.no AND part = 'metadata'),
        ''
    ),
    own.tags, own.parent, own.keys, own.test, coalesce(length(given.payload) > asked.most, false)
FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS asked (id, most, place)
CROSS JOIN LATERAL (
    SELECT run.no, run.payload, run.metadata, run.tags, run.parent, run.keys, run.test
    FROM headrace.run WHERE run.id = asked.id LIMIT 1
) AS own
CROSS JOIN LATERAL (
    SELECT coalesce(
        own.payload,
        (SELECT body FROM headrace.large WHERE large.run = own.no AND part = 'payload'),
        ''
    ) AS payload
) AS given;

-- name: claim_runs
-- The set-based form of machine.decide(run, Claim, now); the contract shows that they agree. The
-- oldest of each task that are machine.is_ready, and of those the oldest: what another claims at this
-- moment is passed over, not waited for.
WITH found AS (
    SELECT ready.no, ready.moment
    FROM unnest($1::bigint[]) AS wanted (task)
    CROSS JOIN LATERAL (
        SELECT run.no, run.moment FROM headrace.run
        WHERE run.state = 'queued' AND run.task = wanted.task
            AND (run.started IS NOT NULL OR run.ttl_ms IS NULL OR run.moment + run.ttl_ms > $2::bigint)
        ORDER BY run.moment, run.no LIMIT $3::bigint
        FOR NO KEY UPDATE SKIP LOCKED
    ) AS ready
    ORDER BY ready.moment, ready.no LIMIT $3::bigint
),
claimed AS (
    UPDATE headrace.run SET
        state = 'running', moment = NULL, worker = $4::text, resumed = $2::bigint, epoch = run.epoch + 1,
        attempt = run.failures + 1, started = coalesce(run.started, $2::bigint),
        version = run.version + 1, updated = $2::bigint,
        code = CASE WHEN run.entries = 0 THEN coalesce(run.code, $5::bigint) ELSE run.code END
    FROM found
    WHERE run.no = found.no
    RETURNING found.moment AS since, run.*
)
SELECT
    claimed.no, claimed.id, task.env, task.id AS task, claimed.created, claimed.version,
    claimed.state, claimed.moment, claimed.worker, claimed.outcome, claimed.detail,
    claimed.epoch, claimed.attempt, claimed.failures, claimed.lost, claimed.entries,
    claimed.updated, claimed.started, claimed.resumed, claimed.ran_ms, claimed.stop_by,
    claimed.stop_outcome, claimed.max_attempts, claimed.ttl_ms, claimed.max_duration_ms,
    claimed.cursors, claimed.waits, claimed.deadlines, claimed.saved, claimed.base,
    (SELECT version FROM headrace.code WHERE code.no = claimed.code) AS code
FROM claimed JOIN headrace.task ON task.no = claimed.task
ORDER BY claimed.since, claimed.no;

-- name: select_due
-- The column `due` repeats machine.due; the contract shows that they agree.
SELECT due, id FROM headrace.run WHERE due <= $1 ORDER BY due, no LIMIT $2;

-- name: select_held
-- Running or warm: a lost worker's runs.
SELECT id FROM headrace.run WHERE worker = $1 ORDER BY no;

-- name: select_metadata
-- What was set last, else what the run was started with.
SELECT coalesce(
    metadata.value,
    run.metadata,
    (SELECT body FROM headrace.large WHERE large.run = run.no AND part = 'metadata'),
    ''
)
FROM headrace.run LEFT JOIN headrace.metadata ON metadata.run = run.no
WHERE run.id = $1;

-- name: upsert_metadata
-- Apart from the run, and counted there: setting it is no change of the run's state.
WITH revised AS (
    UPDATE headrace.run SET revision = revision + 1 WHERE id = $1 RETURNING no
)
INSERT INTO headrace.metadata (run, value) SELECT no, $2::bytea FROM revised
ON CONFLICT (run) DO UPDATE SET value = excluded.value
RETURNING value;

-- name: select_notes
-- For everybody who asks at once. As `select_metadata`, with the rest of what is said about the run.
SELECT
    asked.place, own.tags,
    coalesce(
        noted.value,
        own.metadata,
        (SELECT body FROM headrace.large WHERE large.run = own.no AND part = 'metadata'),
        ''
    ),
    own.revision, noted.applied
FROM unnest($1::text[]) WITH ORDINALITY AS asked (id, place)
CROSS JOIN LATERAL (
    SELECT run.no, run.tags, run.metadata, run.revision
    FROM headrace.run WHERE run.id = asked.id LIMIT 1
) AS own
LEFT JOIN LATERAL (
    SELECT metadata.value, metadata.applied
    FROM headrace.metadata WHERE metadata.run = own.no LIMIT 1
) AS noted ON true;

-- name: select_tags_of_run
-- Whoever changes them holds the row meanwhile, and writes `tagged`, too.
SELECT no, created, tags FROM headrace.run WHERE id = $1 AND revision = $2 FOR NO KEY UPDATE;

-- name: update_notes
-- Only if nobody else has changed them since they were read; with what makes a change count once.
WITH revised AS (
    UPDATE headrace.run SET tags = $3::text, revision = $2::bigint + 1
    WHERE id = $1::text AND revision = $2::bigint
    RETURNING no
)
INSERT INTO headrace.metadata (run, value, applied)
SELECT no, $4::bytea, $5::bytea FROM revised
ON CONFLICT (run) DO UPDATE SET value = excluded.value, applied = excluded.applied;

-- name: delete_tagged
-- Tags that the run had.
DELETE FROM headrace.tagged WHERE run = $1 AND created = $2 AND tag = ANY ($3::text[]);

-- name: insert_tagged
-- Tags that the run has.
INSERT INTO headrace.tagged (tag, created, run) SELECT tag, $2::bigint, $1::bigint FROM unnest($3::text[]) AS tag
ON CONFLICT DO NOTHING;

-- name: update_tags
-- Of a run whose row is held; `tagged` is written with it.
UPDATE headrace.run SET tags = $2 WHERE no = $1;

-- name: purge_tickets
-- Nobody accepts them any more. Chosen in a step of its own: else that may be done again for each row,
-- and finds more.
WITH old AS MATERIALIZED (
    SELECT token FROM headrace.ticket WHERE until <= $1::bigint ORDER BY until LIMIT $2::bigint
)
DELETE FROM headrace.ticket USING old WHERE ticket.token = old.token
RETURNING 1;

-- name: purge_taken
-- Keys that are free again, however long; those without an end stay. What a run has just taken anew
-- is passed over.
WITH old AS MATERIALIZED (
    SELECT task, space, key FROM headrace.taken
    WHERE until > 0 AND until <= $1::bigint ORDER BY until LIMIT $2::bigint FOR UPDATE SKIP LOCKED
)
DELETE FROM headrace.taken USING old
WHERE taken.task = old.task AND taken.space = old.space AND taken.key = old.key
RETURNING 1;

-- name: free_taken
-- A caller's key of a task, unless it is free by itself; with the run that stood under it.
WITH freed AS (
    DELETE FROM headrace.taken
    WHERE task = (SELECT no FROM headrace.task WHERE env = $1 AND id = $2)
        AND space = 'caller' AND key = $3::bytea AND (until = 0 OR until > $4::bigint)
    RETURNING run
)
SELECT run.id FROM freed JOIN headrace.run ON run.no = freed.run;

-- name: find_newest
-- A page from the newest on, or from a run on towards the older ones.
SELECT
    run_row.no, run_row.id, run_row.env, run_row.task, run_row.created, run_row.version,
    run_row.state, run_row.moment, run_row.worker, run_row.outcome, run_row.detail,
    run_row.epoch, run_row.attempt, run_row.failures, run_row.lost, run_row.entries,
    run_row.updated, run_row.started, run_row.resumed, run_row.ran_ms, run_row.stop_by,
    run_row.stop_outcome, run_row.max_attempts, run_row.ttl_ms, run_row.max_duration_ms,
    run_row.cursors, run_row.waits, run_row.deadlines, run_row.saved, run_row.base, run_row.code
FROM headrace.run JOIN headrace.run_row ON run_row.no = run.no
WHERE run.task IN (SELECT no FROM headrace.task WHERE env = $1)
    AND ($2::text IS NULL OR run.no < (SELECT no FROM headrace.run WHERE id = $2))
    AND ($3::text IS NULL OR run.no > (SELECT no FROM headrace.run WHERE id = $3))
    AND ($4::text IS NULL OR run.state IN (SELECT json_array_elements_text($4::json))
        OR run.outcome IN (SELECT json_array_elements_text($4::json)))
    AND ($5::text IS NULL OR run_row.task IN (SELECT json_array_elements_text($5::json)))
    AND ($6::text IS NULL OR EXISTS (
        SELECT 1 FROM json_array_elements_text(run.tags::json) AS tag
        WHERE tag IN (SELECT json_array_elements_text($6::json))
    ))
    AND (NOT $7::boolean OR run.waits IS NOT NULL)
    AND ($9::text IS NULL OR run_row.code IN (SELECT json_array_elements_text($9::json)))
    AND ($10::bigint IS NULL OR run.created >= $10)
    AND ($11::bigint IS NULL OR run.created <= $11)
    AND ($12::boolean IS NULL OR run.test = $12)
ORDER BY run.no DESC LIMIT $8;

-- name: find_before
-- The page that ends where a known page begins: found from there upwards, turned by the caller.
SELECT
    run_row.no, run_row.id, run_row.env, run_row.task, run_row.created, run_row.version,
    run_row.state, run_row.moment, run_row.worker, run_row.outcome, run_row.detail,
    run_row.epoch, run_row.attempt, run_row.failures, run_row.lost, run_row.entries,
    run_row.updated, run_row.started, run_row.resumed, run_row.ran_ms, run_row.stop_by,
    run_row.stop_outcome, run_row.max_attempts, run_row.ttl_ms, run_row.max_duration_ms,
    run_row.cursors, run_row.waits, run_row.deadlines, run_row.saved, run_row.base, run_row.code
FROM headrace.run JOIN headrace.run_row ON run_row.no = run.no
WHERE run.task IN (SELECT no FROM headrace.task WHERE env = $1)
    AND ($2::text IS NULL OR run.no < (SELECT no FROM headrace.run WHERE id = $2))
    AND ($3::text IS NULL OR run.no > (SELECT no FROM headrace.run WHERE id = $3))
    AND ($4::text IS NULL OR run.state IN (SELECT json_array_elements_text($4::json))
        OR run.outcome IN (SELECT json_array_elements_text($4::json)))
    AND ($5::text IS NULL OR run_row.task IN (SELECT json_array_elements_text($5::json)))
    AND ($6::text IS NULL OR EXISTS (
        SELECT 1 FROM json_array_elements_text(run.tags::json) AS tag
        WHERE tag IN (SELECT json_array_elements_text($6::json))
    ))
    AND (NOT $7::boolean OR run.waits IS NOT NULL)
    AND ($9::text IS NULL OR run_row.code IN (SELECT json_array_elements_text($9::json)))
    AND ($10::bigint IS NULL OR run.created >= $10)
    AND ($11::bigint IS NULL OR run.created <= $11)
    AND ($12::boolean IS NULL OR run.test = $12)
ORDER BY run.no LIMIT $8;
