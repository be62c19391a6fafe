-- name: append_record
-- The run's row first, as for every change of the run: then nobody who reads the log once more, behind
-- a wait that has just become durable, misses a record that is on its way.
WITH held AS (
    SELECT no FROM headrace.run WHERE id = $1::text FOR NO KEY UPDATE
),
repeated AS (
    SELECT record.seq, record.digest FROM headrace.record JOIN held ON held.no = record.run
    WHERE record.stream = $2::bigint AND record.key = $6::bytea
),
appended AS (
    INSERT INTO headrace.record (run, stream, seq, body, at, key, digest, total)
    SELECT held.no, $2::bigint, $3::bigint, $4::bytea, $5::bigint, $6::bytea, $7::bytea,
        CASE WHEN $3::bigint = 0 THEN 0 ELSE before.total END + length($4::bytea)
    FROM held LEFT JOIN headrace.record AS before
        ON before.run = held.no AND before.stream = $2::bigint AND before.seq = $3::bigint - 1
    WHERE NOT EXISTS (SELECT 1 FROM repeated)
)
SELECT repeated.seq, repeated.digest FROM held LEFT JOIN repeated ON true;

-- name: select_records
-- In order, by the primary key.
SELECT seq, body, at, key, digest FROM headrace.record
WHERE run = (SELECT no FROM headrace.run WHERE id = $1)
    AND stream = (SELECT no FROM headrace.stream WHERE name = $2)
    AND seq >= $3
ORDER BY seq LIMIT $4;

-- name: select_known
-- The body is left out: who asks wants to know the number and whether the body was the same.
SELECT seq, ''::bytea, at, key, digest FROM headrace.record
WHERE run = (SELECT no FROM headrace.run WHERE id = $1)
    AND stream = (SELECT no FROM headrace.stream WHERE name = $2)
    AND key = $3;

-- name: select_ends
-- The last record, and the one before number $3: their difference is the backlog.
SELECT last.seq + 1, last.total, coalesce((
    SELECT before.total FROM headrace.record AS before
    WHERE before.run = last.run AND before.stream = last.stream AND before.seq = $3::bigint - 1
), 0)
FROM headrace.record AS last
WHERE last.run = (SELECT no FROM headrace.run WHERE id = $1)
    AND last.stream = (SELECT no FROM headrace.stream WHERE name = $2)
ORDER BY last.seq DESC LIMIT 1;

-- name: select_all_ends
-- From the first record of each stream to its last one, not through those between.
SELECT stream.name, last.seq + 1, last.total
FROM headrace.record AS first
JOIN headrace.stream ON stream.no = first.stream
CROSS JOIN LATERAL (
    SELECT record.seq, record.total FROM headrace.record
    WHERE record.run = first.run AND record.stream = first.stream
    ORDER BY record.seq DESC LIMIT 1
) AS last
WHERE first.run = (SELECT no FROM headrace.run WHERE id = $1) AND first.seq = 0;

-- name: select_tallies
-- The same for many runs. Of the names of streams, those of input begin with "<".
SELECT run.id, sum(last.seq + 1)::bigint
FROM headrace.run
JOIN headrace.record AS first ON first.run = run.no AND first.seq = 0
JOIN headrace.stream ON stream.no = first.stream AND left(stream.name, 1) = '<'
CROSS JOIN LATERAL (
    SELECT record.seq FROM headrace.record
    WHERE record.run = first.run AND record.stream = first.stream
    ORDER BY record.seq DESC LIMIT 1
) AS last
WHERE run.id = ANY ($1::text[])
GROUP BY run.id;
