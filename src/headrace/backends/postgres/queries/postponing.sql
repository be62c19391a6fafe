-- name: select_taken
-- Whether a key is taken: by whom does not matter.
SELECT 1 FROM headrace.taken
WHERE task = $1 AND space = $2 AND key = $3 AND (until = 0 OR until > $4);

-- name: insert_ticket
-- Unless it was used before.
INSERT INTO headrace.ticket (token, run, until) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
RETURNING 1;

-- name: keep_taken
-- A key that another has taken meanwhile is left to it.
INSERT INTO headrace.taken (task, space, key, run, until) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (task, space, key) DO UPDATE SET run = excluded.run, until = excluded.until
WHERE taken.until > 0 AND taken.until <= $6::bigint;

-- name: select_held_run
-- A run whose row the change before has locked.
SELECT no, created, tags, task FROM headrace.run WHERE id = $1;

-- name: replace_payload
-- What is big goes to `large`.
UPDATE headrace.run SET payload = $2, revision = revision + 1 WHERE no = $1;

-- name: replace_metadata
-- That of the order; what is big goes to `large`.
UPDATE headrace.run SET metadata = $2 WHERE no = $1;

-- name: replace_edited
-- What was set after the start counts no more.
UPDATE headrace.metadata SET value = $2 WHERE run = $1;

-- name: add_large
-- Of a run whose number is known.
INSERT INTO headrace.large (run, part, body) VALUES ($1, $2, $3);

-- name: delete_large
-- Another body comes in its place, or none.
DELETE FROM headrace.large WHERE run = $1 AND part = $2;
