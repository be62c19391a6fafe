-- How often a worker has sat down: who holds an older seat does not renew its lease any more.
ALTER TABLE lease ADD COLUMN seat INTEGER NOT NULL DEFAULT 0;
