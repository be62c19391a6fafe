-- name: insert_credential
-- The newest has the highest number.
INSERT INTO credential (id, env, name, hint, digest, scopes, sealed, created, until, revision)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,
    (SELECT coalesce(max(revision), 0) + 1 FROM credential));

-- name: end_credential
-- Never later than it would have ended, and not once more.
UPDATE credential
SET until = iif(until IS NULL, ?3, min(until, ?3)),
    revision = (SELECT max(revision) + 1 FROM credential)
WHERE id = ?2 AND env = ?1 AND (until IS NULL OR until > ?4);

-- name: forget_sealed
-- With every change: what has ended signs and verifies nothing any more.
UPDATE credential SET sealed = NULL WHERE until <= ?1 AND sealed IS NOT NULL;

-- name: select_credentials
-- Of one environment, newest first.
SELECT id, env, name, hint, digest, scopes, sealed, created, until
FROM credential WHERE env = ?1 ORDER BY no DESC;

-- name: select_current
-- All that open something, newest first; the plus keeps the index of their ends in use.
SELECT id, env, name, hint, digest, scopes, sealed, created, until
FROM credential WHERE until IS NULL OR until > ?1 ORDER BY +no DESC;

-- name: select_revision
-- Asked twice a second: one look at the end of an index.
SELECT coalesce(max(revision), 0) FROM credential;

-- name: forget_uses
-- Of tokens that have ended.
DELETE FROM used WHERE until <= ?1;

-- name: select_use
-- When the first request of this name came.
SELECT at FROM used WHERE env = ?1 AND token = ?2 AND name = ?3;

-- name: repeat_use
-- From now on it cannot be given back: another request may have succeeded with it.
UPDATE used SET requests = requests + 1 WHERE env = ?1 AND token = ?2 AND name = ?3;

-- name: count_uses
-- Of one token.
SELECT count(*) FROM used WHERE env = ?1 AND token = ?2;

-- name: insert_use
-- One more.
INSERT INTO used (env, token, name, at, until) VALUES (?1, ?2, ?3, ?4, ?5);

-- name: delete_use
-- It came to nothing, and nobody has repeated it.
DELETE FROM used WHERE env = ?1 AND token = ?2 AND name = ?3 AND requests = 1;
