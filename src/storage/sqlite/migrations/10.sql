-- Version 10: when each version of a pipeline was saved.

-- NULL where nothing is known.
ALTER TABLE definitions ADD COLUMN saved_at INTEGER;
-- The first version since the pipeline was created. Those before are of an earlier pipeline with
-- the same id.
ALTER TABLE pipelines ADD COLUMN first_version INTEGER NOT NULL DEFAULT 1;
UPDATE definitions SET saved_at = (
  SELECT updated_at FROM pipelines p WHERE p.key = pipeline AND p.version = definitions.version
);
