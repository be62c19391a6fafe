-- When the record came that a waitpoint stands for, once that is settled; 0: not in time.
ALTER TABLE headrace.waitpoint ADD COLUMN IF NOT EXISTS came bigint;
