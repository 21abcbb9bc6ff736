-- Version 8: which pipelines the host's code manages.

-- code_version is the version in the latest save by the host's code. It is NULL if callers manage
-- the pipeline.
ALTER TABLE pipelines ADD COLUMN code_version INTEGER;
UPDATE pipelines SET code_version = version WHERE enabled_by_code IS NOT NULL AND slug IS NOT NULL;
