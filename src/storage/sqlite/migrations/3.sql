-- Version 3: rows that are deleted in small steps.

-- What is left to delete. kind: 0 the rows of a purged run, 1 the chunks of a node.
CREATE TABLE sweeps (
  kind INTEGER NOT NULL,
  key INTEGER NOT NULL,
  PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;

-- The row of a purged run is deleted first, so that the run disappears at once. Its other rows may
-- refer to it until they are swept. SQLite documents this way to drop a constraint.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, 'run INTEGER NOT NULL REFERENCES runs (key)', 'run INTEGER NOT NULL')
WHERE type = 'table' AND name IN ('journal', 'parked');
PRAGMA writable_schema = RESET;

-- Days whose runs were all purged.
DELETE FROM daily WHERE pending = 0 AND running = 0 AND success = 0 AND failed = 0 AND cancelled = 0;

-- `enabled` in the latest save by the host's code. It is null if code has never saved the pipeline.
ALTER TABLE pipelines ADD COLUMN enabled_by_code INTEGER;

-- How often a chain of resumes re-executed nodes on purpose, as a JSON object from the index of the
-- node to its generation. Nodes of generation 1 are left out.
ALTER TABLE runs ADD COLUMN generations TEXT;

-- The parameters that all runs of a backfill share, as a JSON object. A run whose params are null has
-- these and its date. It is null in backfills of older versions, whose runs have their own.
ALTER TABLE backfills ADD COLUMN params TEXT;

-- 1 for a failed run of a backfill whose resume has succeeded: the backfill counts it as a success.
ALTER TABLE runs ADD COLUMN is_recovered INTEGER;
