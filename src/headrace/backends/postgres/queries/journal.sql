-- name: select_snapshot
-- By its number, so that who knows an older story of the run gets nothing.
SELECT snapshot.body
FROM headrace.snapshot JOIN headrace.run ON run.no = snapshot.run
WHERE run.id = $1 AND run.saved = $2;

-- name: select_footing
-- No row where the worker has not said.
SELECT footing.text
FROM headrace.run
JOIN headrace.snapshot ON snapshot.run = run.no
JOIN headrace.footing ON footing.no = snapshot.footing
WHERE run.id = $1 AND run.saved = $2;

-- name: select_entries
-- In the order of completion, which is not that of the keys.
SELECT n, key, kind, ending, body, at, fingerprint, line, stream, seq, deadline
FROM headrace.entry
WHERE run = (SELECT no FROM headrace.run WHERE id = $1) AND n >= $2
ORDER BY n;
