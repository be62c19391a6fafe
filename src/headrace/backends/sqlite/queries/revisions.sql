-- name: select_revisions
-- By their public ids.
SELECT id, version, beside FROM revision WHERE id IN (SELECT value FROM json_each(?1));

-- name: find_tagged
-- Along the first tag, from the newest run back to the oldest that is asked for.
SELECT revision.id, revision.version, revision.beside
FROM tagged JOIN revision ON revision.no = tagged.run
WHERE tagged.tag = ?2 AND tagged.created >= ?3
    AND revision.task IN (SELECT no FROM task WHERE env = ?1)
    AND NOT EXISTS (
        SELECT 1 FROM json_each(?4)
        WHERE NOT EXISTS (
            SELECT 1 FROM tagged AS also
            WHERE also.tag = json_each.value AND also.created = tagged.created
                AND also.run = tagged.run
        )
    )
ORDER BY tagged.created DESC, tagged.run DESC LIMIT ?5;

-- name: select_tags
-- Most runs have none.
SELECT id, tags FROM run WHERE id IN (SELECT value FROM json_each(?1)) AND tags IS NOT NULL;
