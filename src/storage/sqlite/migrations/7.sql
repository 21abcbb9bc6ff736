-- Version 7: who created a run.

-- NULL where the host has not named the caller.
ALTER TABLE runs ADD COLUMN created_by TEXT;
