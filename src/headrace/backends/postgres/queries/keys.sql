-- name: insert_credential
-- The newest has the highest number.
INSERT INTO headrace.credential (
    id, env, name, hint, digest, scopes, sealed, created, until, revision
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);

-- name: end_credential
-- Never later than it would have ended, and not once more.
UPDATE headrace.credential
SET until = least(until, $3), revision = $5
WHERE id = $2 AND env = $1 AND (until IS NULL OR until > $4)
RETURNING 1;

-- name: forget_sealed
-- With every change: what has ended signs and verifies nothing any more.
UPDATE headrace.credential SET sealed = NULL WHERE until <= $1 AND sealed IS NOT NULL;

-- name: select_credentials
-- Of one environment, newest first.
SELECT id, env, name, hint, digest, scopes, sealed, created, until
FROM headrace.credential WHERE env = $1 ORDER BY no DESC;

-- name: select_current
-- All that open something, newest first.
SELECT id, env, name, hint, digest, scopes, sealed, created, until
FROM headrace.credential WHERE until IS NULL OR until > $1 ORDER BY no DESC;

-- name: select_revision
-- Asked twice a second: one look at the end of an index.
SELECT coalesce(max(revision), 0) FROM headrace.credential;

-- name: forget_uses
-- Of tokens that have ended.
WITH old AS MATERIALIZED (
    SELECT env, token, name FROM headrace.used WHERE until <= $1::bigint FOR UPDATE SKIP LOCKED
)
DELETE FROM headrace.used USING old
WHERE used.env = old.env AND used.token = old.token AND used.name = old.name;

-- name: lock_token
-- Of those who use one token, one at a time; the row is gone again at the end.
INSERT INTO headrace.counter (name, value) VALUES ($1, 0)
ON CONFLICT (name) DO UPDATE SET value = counter.value + 1;

-- name: unlock_token
-- In the transaction that made it.
DELETE FROM headrace.counter WHERE name = $1;

-- name: select_use
-- When the first request of this name came, and how many there were of all names.
SELECT
    (SELECT at FROM headrace.used WHERE env = $1 AND token = $2 AND name = $3),
    (SELECT count(*) FROM headrace.used WHERE env = $1 AND token = $2);

-- name: repeat_use
-- From now on it cannot be given back: another request may have succeeded with it.
UPDATE headrace.used SET requests = requests + 1 WHERE env = $1 AND token = $2 AND name = $3;

-- name: insert_use
-- One more.
INSERT INTO headrace.used (env, token, name, at, until) VALUES ($1, $2, $3, $4, $5);

-- name: delete_use
-- It came to nothing, and nobody has repeated it.
DELETE FROM headrace.used WHERE env = $1 AND token = $2 AND name = $3 AND requests = 1;
