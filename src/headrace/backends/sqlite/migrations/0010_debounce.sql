-- Keys under which a run is delayed. A CHECK is changed by making the table anew.
DROP INDEX taken_until;

ALTER TABLE taken RENAME TO taken_before;

CREATE TABLE taken (
    task INTEGER NOT NULL,
    space TEXT NOT NULL CHECK (space IN ('caller', 'request', 'debounce')),
    key BLOB NOT NULL CHECK (length(key) = 16),
    run INTEGER NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (task, space, key)
) STRICT, WITHOUT ROWID;

INSERT INTO taken (task, space, key, run, until)
SELECT task, space, key, run, until FROM taken_before;

DROP TABLE taken_before;

CREATE INDEX taken_until ON taken (until) WHERE until > 0;
CREATE INDEX taken_debounce ON taken (run) WHERE space = 'debounce';
