-- What snapshots stand on, in words, so that those can tell who cannot open them.
CREATE TABLE footing (
    no INTEGER PRIMARY KEY,
    text TEXT NOT NULL UNIQUE
) STRICT;

ALTER TABLE snapshot ADD COLUMN footing INTEGER;

ALTER TABLE deploy ADD COLUMN python TEXT NOT NULL DEFAULT '';

ALTER TABLE deploy ADD COLUMN functions BLOB;
