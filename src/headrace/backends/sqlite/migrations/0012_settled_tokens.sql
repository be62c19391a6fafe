-- When the record came that a waitpoint stands for, once that is settled; 0: not in time.
ALTER TABLE waitpoint ADD COLUMN came INTEGER CHECK (came IS NULL OR seq IS NOT NULL);
