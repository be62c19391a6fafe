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
-- For everybody who asks at once. In the order of completion, which is not that of the keys.
SELECT
    asked.place, found.n, found.key, found.kind, found.ending, found.body, found.at,
    found.fingerprint, found.line, found.stream, found.seq, found.deadline
FROM unnest($1::text[], $2::bigint[], $3::bigint[])
    WITH ORDINALITY AS asked (id, start, most, place)
CROSS JOIN LATERAL (
    SELECT n, key, kind, ending, body, at, fingerprint, line, stream, seq, deadline
    FROM headrace.entry
    WHERE entry.run = (SELECT run.no FROM headrace.run WHERE run.id = asked.id)
        AND entry.n >= asked.start
    ORDER BY entry.n LIMIT asked.most
) AS found
ORDER BY asked.place, found.n;
