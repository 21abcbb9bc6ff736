-- Version 17: the backfill that another one repeats.

-- The id of the repeated backfill.
ALTER TABLE backfills ADD COLUMN rerun_of BLOB;
-- A rerun of a backfill leaves out the dates whose run, or a rerun of it, has succeeded since.
CREATE INDEX runs_of_rerun ON runs (rerun_of) WHERE rerun_of IS NOT NULL;
