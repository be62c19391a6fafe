-- name: select_revisions
-- By their public ids.
SELECT id, version, beside FROM headrace.revision WHERE id = ANY ($1::text[]);

-- name: find_tagged
-- Along the first tag, from the newest run back to the oldest that is asked for.
SELECT revision.id, revision.version, revision.beside
FROM headrace.tagged JOIN headrace.revision ON revision.no = tagged.run
WHERE tagged.tag = $2 AND tagged.created >= $3
    AND revision.task IN (SELECT no FROM headrace.task WHERE env = $1)
    AND NOT EXISTS (
        SELECT 1 FROM unnest($4::text[]) AS wanted (tag)
        WHERE NOT EXISTS (
            SELECT 1 FROM headrace.tagged AS also
            WHERE also.tag = wanted.tag AND also.created = tagged.created AND also.run = tagged.run
        )
    )
ORDER BY tagged.created DESC, tagged.run DESC LIMIT $5;

-- name: select_tags
-- Most runs have none.
SELECT id, tags FROM headrace.run WHERE id = ANY ($1::text[]) AND tags IS NOT NULL;
