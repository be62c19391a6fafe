-- name: insert_waitpoint
-- Ids are unpredictable: one that is there already is a bug.
INSERT INTO waitpoint
    (id, env, created, deadline, callback, tags, key, key_until, run, stream, seq)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11);

-- name: select_waitpoint
-- One of them.
SELECT id, env, created, deadline, callback, tags, key, key_until, completed, output,
    run, stream, seq, came
FROM waitpoint WHERE id = ?1;

-- name: select_waitpoint_key
-- Which stands under an idempotency key, unless the key is free again.
SELECT waitpoint.id, waitpoint.env, waitpoint.created, waitpoint.deadline, waitpoint.callback,
    waitpoint.tags, waitpoint.key, waitpoint.key_until, waitpoint.completed, waitpoint.output,
    waitpoint.run, waitpoint.stream, waitpoint.seq, waitpoint.came
FROM waitpoint_key JOIN waitpoint ON waitpoint.no = waitpoint_key.waitpoint
WHERE waitpoint_key.env = ?1 AND waitpoint_key.space = ?2 AND waitpoint_key.key = ?3
    AND (waitpoint_key.until = 0 OR waitpoint_key.until > ?4);

-- name: insert_waitpoint_key
-- An expired key is replaced.
INSERT OR REPLACE INTO waitpoint_key (env, space, key, waitpoint, until)
SELECT ?2, ?3, ?4, no, ?5 FROM waitpoint WHERE id = ?1;

-- name: complete_waitpoint
-- Once, and not after the deadline; what awaits a record is the log's to complete.
UPDATE waitpoint SET completed = ?2, output = ?3
WHERE id = ?1 AND completed IS NULL AND seq IS NULL AND (deadline IS NULL OR deadline > ?2);

-- name: settle_waitpoint
-- Once: what one server has told of it holds for all.
UPDATE waitpoint SET came = ?2 WHERE id = ?1 AND came IS NULL AND seq IS NOT NULL;

-- name: select_settled
-- What was settled first.
SELECT came FROM waitpoint WHERE id = ?1 AND came IS NOT NULL;

-- name: owe_waiters
-- In the transaction of the completion, so that none is forgotten if nobody lives to tell them.
UPDATE waiter SET owed = 1 WHERE waitpoint = (SELECT no FROM waitpoint WHERE id = ?1);

-- name: select_completed
-- Whether the waitpoint has its value: a wait for it does not time out any more.
SELECT 1 FROM waitpoint WHERE id = ?1 AND completed IS NOT NULL;

-- name: insert_waiter
-- With the wait itself; the value may be there already, of which the decision did not know.
INSERT OR IGNORE INTO waiter (waitpoint, run, owed)
SELECT no, ?2, completed IS NOT NULL FROM waitpoint WHERE id = ?1;

-- name: delete_waiter
-- With the end of the wait.
DELETE FROM waiter WHERE run = ?2 AND waitpoint = (SELECT no FROM waitpoint WHERE id = ?1);

-- name: select_waiters
-- In no order.
SELECT run.id FROM waiter JOIN run ON run.no = waiter.run
WHERE waiter.waitpoint = (SELECT no FROM waitpoint WHERE id = ?1);

-- name: select_owed
-- By an index that holds nothing else: most of those that wait are owed nothing.
SELECT run.id, waitpoint.id
FROM waiter INDEXED BY waiter_owed
JOIN run ON run.no = waiter.run
JOIN waitpoint ON waitpoint.no = waiter.waitpoint
WHERE waiter.owed = 1 LIMIT ?1;

-- name: find_waitpoints
-- A page from the newest on, or from one on towards the older ones.
SELECT id, env, created, deadline, callback, tags, key, key_until, completed, output,
    run, stream, seq, came
FROM waitpoint
WHERE env = ?1
    AND no < iif(?2 IS NULL, 9223372036854775807, (SELECT no FROM waitpoint WHERE id = ?2))
    AND no > iif(?3 IS NULL, 0, (SELECT no FROM waitpoint WHERE id = ?3))
    AND (?4 IS NULL OR seq IS NOT NULL OR CASE
        WHEN completed IS NOT NULL THEN 'COMPLETED'
        WHEN deadline <= ?5 THEN 'TIMED_OUT'
        ELSE 'WAITING'
    END IN (SELECT value FROM json_each(?4)))
    AND (?6 IS NULL OR EXISTS (
        SELECT 1 FROM json_each(tags) WHERE value IN (SELECT value FROM json_each(?6))
    ))
    AND (?7 IS NULL OR key = ?7)
    AND (?8 IS NULL OR created >= ?8)
    AND (?9 IS NULL OR created <= ?9)
ORDER BY no DESC LIMIT ?10;

-- name: find_waitpoints_before
-- The page that ends where a known page begins: found from there upwards, turned by the caller.
SELECT id, env, created, deadline, callback, tags, key, key_until, completed, output,
    run, stream, seq, came
FROM waitpoint
WHERE env = ?1
    AND no < iif(?2 IS NULL, 9223372036854775807, (SELECT no FROM waitpoint WHERE id = ?2))
    AND no > iif(?3 IS NULL, 0, (SELECT no FROM waitpoint WHERE id = ?3))
    AND (?4 IS NULL OR seq IS NOT NULL OR CASE
        WHEN completed IS NOT NULL THEN 'COMPLETED'
        WHEN deadline <= ?5 THEN 'TIMED_OUT'
        ELSE 'WAITING'
    END IN (SELECT value FROM json_each(?4)))
    AND (?6 IS NULL OR EXISTS (
        SELECT 1 FROM json_each(tags) WHERE value IN (SELECT value FROM json_each(?6))
    ))
    AND (?7 IS NULL OR key = ?7)
    AND (?8 IS NULL OR created >= ?8)
    AND (?9 IS NULL OR created <= ?9)
ORDER BY no LIMIT ?10;
