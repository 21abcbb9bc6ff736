-- Version 13: since when a pipeline is paused, on whose request and why.

ALTER TABLE pipelines ADD COLUMN paused_at INTEGER;
ALTER TABLE pipelines ADD COLUMN paused_by TEXT;
ALTER TABLE pipelines ADD COLUMN pause_reason TEXT;
