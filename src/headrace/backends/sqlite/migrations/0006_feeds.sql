-- Whoever follows runs asks often which of them have changed, by id or by tag.

-- Runs by tag, kept by triggers: whoever writes a run's tags need not know.
CREATE TABLE tagged (
    tag TEXT NOT NULL,
    created INTEGER NOT NULL,
    run INTEGER NOT NULL,
    PRIMARY KEY (tag, created, run)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER run_tagged AFTER INSERT ON run WHEN NEW.tags IS NOT NULL
BEGIN
    INSERT OR IGNORE INTO tagged SELECT value, NEW.created, NEW.no FROM json_each(NEW.tags);
END;

CREATE TRIGGER run_retagged AFTER UPDATE OF tags ON run WHEN OLD.tags IS NOT NEW.tags
BEGIN
    DELETE FROM tagged
    WHERE run = NEW.no AND created = NEW.created
        AND tag IN (SELECT value FROM json_each(coalesce(OLD.tags, '[]')));
    INSERT OR IGNORE INTO tagged
    SELECT value, NEW.created, NEW.no FROM json_each(coalesce(NEW.tags, '[]'));
END;

INSERT OR IGNORE INTO tagged
SELECT tag.value, run.created, run.no FROM run, json_each(run.tags) AS tag
WHERE run.tags IS NOT NULL;

-- How far a run has come as it is seen from outside: by itself, and by what stands beside it.
CREATE VIEW revision AS
SELECT
    run.no, run.id, run.task, run.version,
    run.revision + (
        -- From one stream to the next by the primary key, not through all the records.
        WITH RECURSIVE found (stream) AS (
            SELECT (SELECT min(stream) FROM record WHERE record.run = run.no)
            UNION ALL
            SELECT (
                SELECT min(stream) FROM record
                WHERE record.run = run.no AND record.stream > found.stream
            )
            FROM found WHERE stream IS NOT NULL
        )
        SELECT count(*) FROM found JOIN stream ON stream.no = found.stream
        WHERE substr(stream.name, 1, 1) = '>'
    ) AS beside
FROM run;
