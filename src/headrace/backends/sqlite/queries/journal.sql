-- name: insert_entry
-- The primary key refuses a second answer under the same key.
INSERT INTO entry (
    run, key, n, kind, ending, body, at, fingerprint, line, stream, seq, deadline
)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12);

-- name: delete_entries
-- Failures at the journal's end, which the next attempt tries again.
DELETE FROM entry WHERE run = ?1 AND n >= ?2;

-- name: drop_entries
-- A snapshot stands for them.
DELETE FROM entry WHERE run = ?1 AND n < ?2;

-- name: upsert_snapshot
-- The newest counts.
INSERT INTO snapshot (run, body, footing) VALUES (?1, ?2, ?3)
ON CONFLICT (run) DO UPDATE SET body = excluded.body, footing = excluded.footing;

-- name: delete_snapshot
-- The run is over.
DELETE FROM snapshot WHERE run = ?1;

-- name: select_snapshot
-- The body, unless it is longer than what is read in the event loop, and its length.
SELECT iif(length(body) <= ?3, body, NULL), length(body)
FROM snapshot WHERE run = (SELECT no FROM run WHERE id = ?1 AND saved = ?2);

-- name: select_footing
-- No row where the worker has not said.
SELECT footing.text
FROM snapshot JOIN footing ON footing.no = snapshot.footing
WHERE snapshot.run = (SELECT no FROM run WHERE id = ?1 AND run.saved = ?2);

-- name: select_footing_number
-- The number of a footing.
SELECT no FROM footing WHERE text = ?1;

-- name: insert_footing
-- On first use.
INSERT INTO footing (text) VALUES (?1) RETURNING no;

-- name: select_journal_length
-- A long journal is not read in the event loop.
SELECT entries, entries - base FROM run WHERE id = ?1;

-- name: select_entries
-- In the order of completion, which is not that of the keys.
SELECT n, key, kind, ending, body, at, fingerprint, line, stream, seq, deadline
FROM entry WHERE run = (SELECT no FROM run WHERE id = ?1) AND n >= ?2
ORDER BY n;
