-- A waitpoint may stand for a record of a stream: then it has no value of its own.
ALTER TABLE waitpoint ADD COLUMN run TEXT;
ALTER TABLE waitpoint ADD COLUMN stream TEXT;
ALTER TABLE waitpoint ADD COLUMN seq INTEGER CHECK (
    (seq IS NULL) = (run IS NULL) AND (seq IS NULL) = (stream IS NULL)
    AND (seq IS NULL OR completed IS NULL)
);
