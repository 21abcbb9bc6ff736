-- Version 18: the concurrency key of a run.

-- The text of the key, and how many runs of the pipeline with this text may be ready or running.
ALTER TABLE runs ADD COLUMN concurrency_key TEXT;
ALTER TABLE runs ADD COLUMN concurrency_max INTEGER;
-- The column `priority` has 8 more while the key of a pending run holds it back.
CREATE INDEX runs_of_key ON runs (pipeline, concurrency_key, priority, backfill, id)
WHERE finished_at IS NULL AND concurrency_key IS NOT NULL;
