-- How often a worker has sat down: who holds an older seat does not renew its lease any more.
ALTER TABLE headrace.lease ADD COLUMN IF NOT EXISTS seat bigint NOT NULL DEFAULT 0;
