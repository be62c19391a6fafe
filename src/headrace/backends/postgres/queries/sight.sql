-- name: select_sight
-- For everybody who asks at once: what `select_run`, `select_entries` and `select_all_ends` tell, as
-- of one moment. Entries and ends are arrays, a column each; of none there is NULL.
SELECT
    asked.place,
    own.no, own.id, own.env, own.task, own.created, own.version, own.state, own.moment, own.worker,
    own.outcome, own.detail, own.epoch, own.attempt, own.failures, own.lost, own.entries,
    own.updated, own.started, own.resumed, own.ran_ms, own.stop_by, own.stop_outcome,
    own.max_attempts, own.ttl_ms, own.max_duration_ms, own.cursors, own.waits, own.deadlines,
    own.saved, own.base, own.code,
    ends.names, ends.tails, ends.totals,
    story.ns, story.keys, story.kinds, story.endings, story.bodies, story.ats,
    story.fingerprints, story.lines, story.streams, story.seqs, story.deadlines
FROM unnest($1::text[], $2::bigint[], $3::bigint[])
    WITH ORDINALITY AS asked (id, start, most, place)
CROSS JOIN LATERAL (
    SELECT
        no, run_row.id, env, task, created, version, state, moment, worker, outcome, detail, epoch,
        attempt, failures, lost, entries, updated, started, resumed, ran_ms, stop_by, stop_outcome,
        max_attempts, ttl_ms, max_duration_ms, cursors, waits, deadlines, saved, base, code
    FROM headrace.run_row WHERE run_row.id = asked.id LIMIT 1
) AS own
CROSS JOIN LATERAL (
    SELECT
        array_agg(stream.name) AS names, array_agg(last.seq + 1) AS tails,
        array_agg(last.total) AS totals
    FROM (
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
    ) AS last
) AS ends
CROSS JOIN LATERAL (
    SELECT
        array_agg(found.n ORDER BY found.n) AS ns,
        array_agg(found.key ORDER BY found.n) AS keys,
        array_agg(found.kind ORDER BY found.n) AS kinds,
        array_agg(found.ending ORDER BY found.n) AS endings,
        array_agg(found.body ORDER BY found.n) AS bodies,
        array_agg(found.at ORDER BY found.n) AS ats,
        array_agg(found.fingerprint ORDER BY found.n) AS fingerprints,
        array_agg(found.line ORDER BY found.n) AS lines,
        array_agg(found.stream ORDER BY found.n) AS streams,
        array_agg(found.seq ORDER BY found.n) AS seqs,
        array_agg(found.deadline ORDER BY found.n) AS deadlines
    FROM (
        SELECT n, key, kind, ending, body, at, fingerprint, line, stream, seq, deadline
        FROM headrace.entry
        WHERE entry.run = own.no AND entry.n >= asked.start
        ORDER BY entry.n LIMIT asked.most
    ) AS found
) AS story;
