-- Version 19: the instant of a run, and the unit of a backfill.

-- Null for a run of a tick, whose instant is `fire_at`, and for a run whose instant is its creation.
ALTER TABLE runs ADD COLUMN scheduled_at INTEGER;
-- The instant of the run that ended.
ALTER TABLE waiting_ends ADD COLUMN scheduled_at INTEGER;
-- 0 day, 1 hour, 2 week, 3 month, 4 tick.
ALTER TABLE backfills ADD COLUMN unit INTEGER NOT NULL DEFAULT 0;
