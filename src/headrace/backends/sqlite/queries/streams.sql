-- name: insert_record
-- Only at the end of the log: number 0, or the one after the last. Writes nothing otherwise.
INSERT INTO record (run, stream, seq, body, at, key, digest, total)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, length(?4) + coalesce(max(total), 0)
FROM record WHERE run = ?1 AND stream = ?2 AND seq = ?3 - 1
HAVING count(*) = (?3 > 0);

-- name: select_run_number
-- Where the records of a run stand.
SELECT no FROM run WHERE id = ?1;

-- name: select_repeat
-- A draft's key, if it was appended before.
SELECT seq, digest FROM record WHERE run = ?1 AND stream = ?2 AND key = ?3;

-- name: select_records
-- The log is clustered by number.
SELECT seq, body, at, key, digest FROM record
WHERE run = (SELECT no FROM run WHERE id = ?1)
    AND stream = (SELECT no FROM stream WHERE name = ?2)
    AND seq >= ?3
ORDER BY seq LIMIT ?4;

-- name: select_known
-- The body is left out: who asks wants to know the number and whether the body was the same.
SELECT seq, x'', at, key, digest FROM record
WHERE run = (SELECT no FROM run WHERE id = ?1)
    AND stream = (SELECT no FROM stream WHERE name = ?2)
    AND key = ?3;

-- name: select_ends
-- The last record, and the one before number ?3: their difference is the backlog.
SELECT
    coalesce(max(seq) + 1, 0),
    coalesce(max(total), 0),
    coalesce((
        SELECT total FROM record AS before
        WHERE before.run = record.run AND before.stream = record.stream AND before.seq = ?3 - 1
    ), 0)
FROM (
    SELECT run, stream, seq, total FROM record
    WHERE run = (SELECT no FROM run WHERE id = ?1)
        AND stream = (SELECT no FROM stream WHERE name = ?2)
    ORDER BY seq DESC LIMIT 1
) AS record;

-- name: select_all_ends
-- From one stream to the next by the primary key, not through all the records.
WITH RECURSIVE found (run, stream) AS (
    SELECT no, (SELECT min(stream) FROM record WHERE record.run = run.no) FROM run WHERE id = ?1
    UNION ALL
    SELECT run, (
        SELECT min(stream) FROM record
        WHERE record.run = found.run AND record.stream > found.stream
    )
    FROM found WHERE stream IS NOT NULL
)
SELECT stream.name, last.seq + 1, last.total
FROM found
JOIN stream ON stream.no = found.stream
JOIN record AS last ON last.run = found.run AND last.stream = found.stream
    AND last.seq = (
        SELECT max(seq) FROM record
        WHERE record.run = found.run AND record.stream = found.stream
    );

-- name: select_tallies
-- The same for many runs. Of the names of streams, those of input begin with "<".
WITH RECURSIVE found (run, stream) AS (
    SELECT no, (SELECT min(stream) FROM record WHERE record.run = run.no)
    FROM run WHERE id IN (SELECT value FROM json_each(?1))
    UNION ALL
    SELECT run, (
        SELECT min(stream) FROM record
        WHERE record.run = found.run AND record.stream > found.stream
    )
    FROM found WHERE stream IS NOT NULL
)
SELECT run.id, sum((
    SELECT max(seq) + 1 FROM record
    WHERE record.run = found.run AND record.stream = found.stream
))
FROM found
JOIN stream ON stream.no = found.stream AND substr(stream.name, 1, 1) = '<'
JOIN run ON run.no = found.run
GROUP BY run.id;
