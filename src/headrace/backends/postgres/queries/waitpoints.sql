-- name: insert_waitpoint
-- Ids are unpredictable: one that is there already is a bug.
INSERT INTO headrace.waitpoint (
    id, env, created, deadline, callback, tags, key, key_until, run, stream, seq
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
RETURNING no;

-- name: select_waitpoint
-- One of them.
SELECT id, env, created, deadline, callback, tags, key, key_until, completed, output,
    run, stream, seq, came
FROM headrace.waitpoint WHERE id = $1;

-- name: select_waitpoint_key
-- Which stands under an idempotency key, unless the key is free again.
SELECT waitpoint.id, waitpoint.env, waitpoint.created, waitpoint.deadline, waitpoint.callback,
    waitpoint.tags, waitpoint.key, waitpoint.key_until, waitpoint.completed, waitpoint.output,
    waitpoint.run, waitpoint.stream, waitpoint.seq, waitpoint.came
FROM headrace.waitpoint_key JOIN headrace.waitpoint ON waitpoint.no = waitpoint_key.waitpoint
WHERE waitpoint_key.env = $1 AND waitpoint_key.space = $2 AND waitpoint_key.key = $3
    AND (waitpoint_key.until = 0 OR waitpoint_key.until > $4);

-- name: insert_waitpoint_key
-- An expired key is replaced; no row: somebody has taken it at this moment.
INSERT INTO headrace.waitpoint_key (env, space, key, waitpoint, until)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (env, space, key) DO UPDATE SET waitpoint = excluded.waitpoint, until = excluded.until
WHERE waitpoint_key.until > 0 AND waitpoint_key.until <= $6::bigint
RETURNING 1;

-- name: complete_waitpoint
-- Once, and not after the deadline by the database's own clock, which is behind nobody's: whoever has
-- seen the deadline pass sees no value after it. The row is locked before this statement begins, so
-- that its time is later than whatever was waited for. Only tests say what time it is. What awaits a
-- record is the log's to complete.
UPDATE headrace.waitpoint SET completed = clock.now, output = $3::bytea
FROM (
    SELECT coalesce($2::bigint, (extract(epoch FROM statement_timestamp()) * 1000)::bigint) AS now
) AS clock
WHERE id = $1::text AND completed IS NULL AND seq IS NULL
    AND (deadline IS NULL OR deadline > clock.now)
RETURNING no;

-- name: settle_waitpoint
-- Once: what one server has told of it holds for all. Who comes second waits for the row, and reads
-- what the first has written.
UPDATE headrace.waitpoint SET came = coalesce(came, $2::bigint)
WHERE id = $1 AND seq IS NOT NULL
RETURNING came;

-- name: owe_waiters
-- In the transaction of the completion, so that none is forgotten if nobody lives to tell them.
UPDATE headrace.waiter SET owed = true WHERE waitpoint = $1;

-- name: select_waiters
-- In no order.
SELECT run.id FROM headrace.waiter JOIN headrace.run ON run.no = waiter.run
WHERE waiter.waitpoint = (SELECT no FROM headrace.waitpoint WHERE id = $1);

-- name: select_owed
-- By an index that holds nothing else: most of those that wait are owed nothing.
SELECT run.id, waitpoint.id
FROM headrace.waiter
JOIN headrace.run ON run.no = waiter.run
JOIN headrace.waitpoint ON waitpoint.no = waiter.waitpoint
WHERE waiter.owed LIMIT $1;

-- name: find_waitpoints
-- A page from the newest on, or from one on towards the older ones.
SELECT id, env, created, deadline, callback, tags, key, key_until, completed, output,
    run, stream, seq, came
FROM headrace.waitpoint
WHERE env = $1
    AND ($2::text IS NULL OR no < (SELECT no FROM headrace.waitpoint WHERE id = $2))
    AND ($3::text IS NULL OR no > (SELECT no FROM headrace.waitpoint WHERE id = $3))
    AND ($4::text IS NULL OR seq IS NOT NULL OR CASE
        WHEN completed IS NOT NULL THEN 'COMPLETED'
        WHEN deadline <= $5::bigint THEN 'TIMED_OUT'
        ELSE 'WAITING'
    END IN (SELECT json_array_elements_text($4::json)))
    AND ($6::text IS NULL OR EXISTS (
        SELECT 1 FROM json_array_elements_text(tags::json) AS tag
        WHERE tag IN (SELECT json_array_elements_text($6::json))
    ))
    AND ($7::text IS NULL OR key = $7)
    AND ($8::bigint IS NULL OR created >= $8)
    AND ($9::bigint IS NULL OR created <= $9)
ORDER BY no DESC LIMIT $10;

-- name: find_waitpoints_before
-- The page that ends where a known page begins: found from there upwards, turned by the caller.
SELECT id, env, created, deadline, callback, tags, key, key_until, completed, output,
    run, stream, seq, came
FROM headrace.waitpoint
WHERE env = $1
    AND ($2::text IS NULL OR no < (SELECT no FROM headrace.waitpoint WHERE id = $2))
    AND ($3::text IS NULL OR no > (SELECT no FROM headrace.waitpoint WHERE id = $3))
    AND ($4::text IS NULL OR seq IS NOT NULL OR CASE
        WHEN completed IS NOT NULL THEN 'COMPLETED'
        WHEN deadline <= $5::bigint THEN 'TIMED_OUT'
        ELSE 'WAITING'
    END IN (SELECT json_array_elements_text($4::json)))
    AND ($6::text IS NULL OR EXISTS (
        SELECT 1 FROM json_array_elements_text(tags::json) AS tag
        WHERE tag IN (SELECT json_array_elements_text($6::json))
    ))
    AND ($7::text IS NULL OR key = $7)
    AND ($8::bigint IS NULL OR created >= $8)
    AND ($9::bigint IS NULL OR created <= $9)
ORDER BY no LIMIT $10;
