-- Version 17: the backfill that another one repeats.

-- The id of the repeated backfill.
ALTER TABLE backfills ADD COLUMN rerun_of BLOB;
