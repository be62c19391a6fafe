-- name: keep_taken
-- A key that another has taken meanwhile is left to it.
INSERT INTO taken (task, space, key, run, until) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (task, space, key) DO UPDATE SET run = excluded.run, until = excluded.until
WHERE taken.until > 0 AND taken.until <= ?6;

-- name: replace_payload
-- What is big goes to `large`.
UPDATE run SET payload = ?2, revision = revision + 1 WHERE no = ?1;

-- name: replace_metadata
-- That of the order; what is big goes to `large`.
UPDATE run SET metadata = ?2 WHERE no = ?1;

-- name: replace_edited
-- What was set after the start counts no more.
UPDATE metadata SET value = ?2 WHERE run = ?1;

-- name: replace_tags
-- They are kept by tag as well: see the triggers.
UPDATE run SET tags = ?2 WHERE no = ?1;

-- name: add_large
-- Of a run whose number is known.
INSERT INTO large (run, part, body) VALUES (?1, ?2, ?3);

-- name: delete_large
-- Another body comes in its place, or none.
DELETE FROM large WHERE run = ?1 AND part = ?2;
