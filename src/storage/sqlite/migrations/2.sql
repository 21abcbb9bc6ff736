-- Version 2: settings, backfills, schedules, deliveries.

-- Connections and variables.
-- A deleted one keeps its row without fields: its version continues, and a cursor may name it.
-- A sealed secret consists of key id, nonce and ciphertext.
CREATE TABLE connections (
  id TEXT PRIMARY KEY,
  tenant TEXT,
  version INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  deleted_at INTEGER,
  type TEXT,
  description TEXT,
  host TEXT,
  port INTEGER,
  schema TEXT,
  login TEXT,
  password BLOB,
  extra BLOB
) STRICT;
CREATE INDEX connections_by_age ON connections (created_at, id) WHERE deleted_at IS NULL;

-- Exactly one of value and sealed is set. In a deleted row, both are null.
CREATE TABLE variables (
  id TEXT PRIMARY KEY,
  tenant TEXT,
  version INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  deleted_at INTEGER,
  value TEXT,
  sealed BLOB,
  description TEXT
) STRICT;
CREATE INDEX variables_by_age ON variables (created_at, id) WHERE deleted_at IS NULL;

-- Backfills.

-- status: 0 running, 1 success, 2 failed, 3 cancelled.
-- pending to cancelled count the stored runs. ended_failed and ended_cancelled also count purged
-- runs; the outcome of the backfill depends on these two.
CREATE TABLE backfills (
  key INTEGER PRIMARY KEY,
  id BLOB NOT NULL UNIQUE,
  pipeline INTEGER NOT NULL REFERENCES pipelines (key),
  tenant TEXT,
  status INTEGER NOT NULL,
  start_date INTEGER NOT NULL,
  end_date INTEGER NOT NULL,
  is_descending INTEGER NOT NULL,
  max_parallel INTEGER NOT NULL,
  max_failures INTEGER,
  cancel INTEGER,
  created_at INTEGER NOT NULL,
  finished_at INTEGER,
  pending INTEGER NOT NULL,
  running INTEGER NOT NULL,
  success INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  cancelled INTEGER NOT NULL,
  ended_failed INTEGER NOT NULL,
  ended_cancelled INTEGER NOT NULL
) STRICT;
CREATE INDEX backfills_of_pipeline ON backfills (pipeline, id);
CREATE INDEX backfills_of_tenant ON backfills (tenant, id) WHERE tenant IS NOT NULL;
CREATE INDEX backfills_active ON backfills (key) WHERE finished_at IS NULL;

ALTER TABLE runs ADD COLUMN backfill INTEGER;
CREATE INDEX runs_of_backfill ON runs (backfill, id) WHERE backfill IS NOT NULL;
-- The successful runs that a backfill, a schedule or a catch-up created for a date, and resumes.
CREATE INDEX runs_of_date ON runs (pipeline, date) WHERE status = 2 AND trigger IN (1, 2, 3, 4);
-- A backfill has a lane of its own, so that its runs are claimed in its order.
DROP INDEX runs_active;
CREATE INDEX runs_active ON runs (priority, pipeline, backfill, id, status) WHERE finished_at IS NULL;

-- An idempotency key of a backfill belongs to the pipeline, but differs from the keys of triggers.
ALTER TABLE idempotency ADD COLUMN backfill INTEGER;
DROP INDEX idempotency_of_pipeline;
CREATE UNIQUE INDEX idempotency_of_pipeline ON idempotency (pipeline, name) WHERE resumed IS NULL AND backfill IS NULL;
CREATE UNIQUE INDEX idempotency_of_backfills ON idempotency (pipeline, name) WHERE backfill IS NOT NULL;

-- Schedules.

-- One row per pipeline with a schedule. All ticks up to the cursor are processed.
-- last_run is the latest tick that created a run.
-- skipped is the reason if the latest tick created no run: 0 overlap, 1 blocked.
CREATE TABLE schedules (
  pipeline INTEGER PRIMARY KEY REFERENCES pipelines (key),
  cursor INTEGER NOT NULL,
  last_run INTEGER,
  skipped INTEGER
) STRICT;

-- Version 1 stored these fields unchecked. A field of the wrong type is removed.
-- A schedule starts at the time its pipeline was saved.
UPDATE definitions SET body = json_remove(body, '$.schedule')
WHERE coalesce(json_type(body, '$.schedule'), 'text') <> 'text';
UPDATE definitions SET body = json_remove(body, '$.schedule_timezone')
WHERE coalesce(json_type(body, '$.schedule_timezone'), 'text') <> 'text';
UPDATE definitions SET body = json_remove(body, '$.catch_up')
WHERE coalesce(json_type(body, '$.catch_up'), 'true') NOT IN ('true', 'false');
UPDATE definitions SET body = json_remove(body, '$.overlap')
WHERE coalesce(json_extract(body, '$.overlap'), 'queue') NOT IN ('queue', 'skip') OR json_type(body, '$.overlap') = 'null';
INSERT INTO schedules (pipeline, cursor)
SELECT pipelines.key, pipelines.updated_at
FROM pipelines JOIN definitions ON definitions.pipeline = pipelines.key AND definitions.version = pipelines.version
WHERE pipelines.slug IS NOT NULL AND json_type(definitions.body, '$.schedule') = 'text';

-- Deliveries.

-- The cursors of notifiers. Every event up to seq was delivered, filtered out or parked.
CREATE TABLE notifiers (
  key INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  seq INTEGER NOT NULL,
  seen_at INTEGER NOT NULL
) STRICT;

-- Events whose delivery failed. A dead one (dead letter) is not retried any more.
CREATE TABLE parked (
  notifier INTEGER NOT NULL REFERENCES notifiers (key),
  seq INTEGER NOT NULL,
  run INTEGER NOT NULL REFERENCES runs (key),
  tries INTEGER NOT NULL,
  next_at INTEGER NOT NULL,
  is_dead INTEGER NOT NULL,
  PRIMARY KEY (notifier, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX parked_of_run ON parked (run, is_dead);
CREATE INDEX parked_dead ON parked (run) WHERE is_dead = 1;

-- Counts the runs of a part of a day.
CREATE INDEX runs_by_age ON runs (created_at);
