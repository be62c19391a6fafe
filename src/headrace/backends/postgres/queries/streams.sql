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
-- For everybody who asks at once. In order, by the primary key.
SELECT asked.place, found.seq, found.body, found.at, found.key, found.digest
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[])
    WITH ORDINALITY AS asked (id, name, start, most, place)
CROSS JOIN LATERAL (
    SELECT record.seq, record.body, record.at, record.key, record.digest FROM headrace.record
    WHERE record.run = (SELECT run.no FROM headrace.run WHERE run.id = asked.id)
        AND record.stream = (SELECT stream.no FROM headrace.stream WHERE stream.name = asked.name)
        AND record.seq >= asked.start
    ORDER BY record.seq LIMIT asked.most
) AS found
ORDER BY asked.place, found.seq;

-- name: select_known
-- For everybody who asks at once. The body is left out: who asks wants to know the number and whether
-- the body was the same.
SELECT asked.place, found.seq, ''::bytea, found.at, found.key, found.digest
FROM unnest($1::text[], $2::text[], $3::bytea[])
    WITH ORDINALITY AS asked (id, name, key, place)
CROSS JOIN LATERAL (
    SELECT record.seq, record.at, record.key, record.digest FROM headrace.record
    WHERE record.run = (SELECT run.no FROM headrace.run WHERE run.id = asked.id)
        AND record.stream = (SELECT stream.no FROM headrace.stream WHERE stream.name = asked.name)
        AND record.key = asked.key
    LIMIT 1
) AS found;

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
-- For everybody who asks at once. From the first record of each stream to its last one, not through
-- those between.
SELECT asked.place, stream.name, last.seq + 1, last.total
FROM unnest($1::text[]) WITH ORDINALITY AS asked (id, place)
CROSS JOIN LATERAL (SELECT run.no FROM headrace.run WHERE run.id = asked.id LIMIT 1) AS own
CROSS JOIN LATERAL (
    SELECT record.run, record.stream FROM headrace.record
    WHERE record.run = own.no AND record.seq = 0
    OFFSET 0
) AS first
CROSS JOIN LATERAL (
    SELECT stream.name FROM headrace.stream WHERE stream.no = first.stream LIMIT 1
) AS stream
CROSS JOIN LATERAL (
    SELECT record.seq, record.total FROM headrace.record
    WHERE record.run = first.run AND record.stream = first.stream
    ORDER BY record.seq DESC LIMIT 1
) AS last;

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
