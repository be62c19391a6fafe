-- Two more kinds of entries. A CHECK is changed by making the table anew.
ALTER TABLE entry RENAME TO entry_before;

-- One answer for each key of a run's journal; `n` is its place in the order of completion.
-- `skip` and `insert` answer nothing: they say how a replay is to read the others.
CREATE TABLE entry (
    run INTEGER NOT NULL,
    key TEXT NOT NULL,
    n INTEGER NOT NULL CHECK (n >= 0),
    kind TEXT NOT NULL CHECK (
        kind IN (
            'step', 'take', 'timer', 'trigger', 'send', 'peek', 'handled', 'rejected', 'output',
            'skip', 'insert'
        )
    ),
    ending TEXT NOT NULL CHECK (ending IN ('value', 'failure', 'timeout', 'cancelled')),
    body BLOB NOT NULL,
    at INTEGER NOT NULL,
    fingerprint TEXT NOT NULL,
    line TEXT NOT NULL,
    stream TEXT,
    seq INTEGER NOT NULL CHECK (seq >= -1),
    deadline INTEGER,
    PRIMARY KEY (run, key)
) STRICT, WITHOUT ROWID;

INSERT INTO entry (
    run, key, n, kind, ending, body, at, fingerprint, line, stream, seq, deadline
)
SELECT
    run, key, n, kind, ending, body, at, fingerprint, line, stream, seq, deadline
FROM entry_before;

DROP TABLE entry_before;
