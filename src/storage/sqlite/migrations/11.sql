-- Version 11: which run a run repeats.

ALTER TABLE runs ADD COLUMN rerun_of BLOB;
