-- Version 23: which backfills their failures have cancelled.

-- 1 if the failures of its runs have cancelled the others, and no caller has.
ALTER TABLE backfills ADD COLUMN is_stopped INTEGER NOT NULL DEFAULT 0;
