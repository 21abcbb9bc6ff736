-- Version 25: pauses of backfills.

-- Since when it is paused, on whose request and why. A backfill that is paused has the status 0.
ALTER TABLE backfills ADD COLUMN paused_at INTEGER;
ALTER TABLE backfills ADD COLUMN paused_by TEXT;
ALTER TABLE backfills ADD COLUMN pause_reason TEXT;
