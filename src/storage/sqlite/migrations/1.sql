-- A time is a number of milliseconds since 1970. A day is a number, where 0001-01-01 is day 1.
-- The id of a run or an owner is the 16 bytes of a UUID.
-- The key of a node is (run << 12 | node_index). The key of a chunk is (node << 16 | index).

CREATE TABLE meta (
  name TEXT PRIMARY KEY,
  value ANY NOT NULL
) STRICT, WITHOUT ROWID;

-- A purge writes newest_run, next_run, next_seq and purged_seq.
-- Without them, numbers of deleted rows would be used again.
INSERT INTO meta (name, value)
VALUES ('commit_no', 0), ('newest_run', x''), ('next_run', 1), ('next_seq', 1), ('purged_seq', 0);

CREATE TABLE pipelines (
  key INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  slug TEXT UNIQUE,
  tenant TEXT,
  version INTEGER NOT NULL,
  enabled INTEGER NOT NULL,
  max_concurrent_runs INTEGER,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  deleted_at INTEGER
) STRICT;
CREATE INDEX pipelines_by_age ON pipelines (created_at, id);

CREATE TABLE definitions (
  key INTEGER PRIMARY KEY,
  pipeline INTEGER NOT NULL REFERENCES pipelines (key),
  version INTEGER NOT NULL,
  body TEXT NOT NULL,
  UNIQUE (pipeline, version)
) STRICT;

-- status: 0 pending, 1 running, 2 success, 3 failed, 4 cancelled.
CREATE TABLE runs (
  key INTEGER PRIMARY KEY,
  id BLOB NOT NULL UNIQUE,
  pipeline INTEGER NOT NULL REFERENCES pipelines (key),
  definition INTEGER NOT NULL REFERENCES definitions (key),
  tenant TEXT,
  status INTEGER NOT NULL,
  priority INTEGER NOT NULL,
  trigger INTEGER NOT NULL,
  cancel INTEGER,
  date INTEGER NOT NULL,
  fire_at INTEGER,
  created_at INTEGER NOT NULL,
  started_at INTEGER,
  finished_at INTEGER,
  owner BLOB,
  lease_until INTEGER,
  epoch INTEGER NOT NULL,
  claims INTEGER NOT NULL,
  position INTEGER NOT NULL,
  idempotency INTEGER,
  resumed_from BLOB,
  first_run BLOB,
  error TEXT,
  params TEXT,
  inherited TEXT
) STRICT;
CREATE INDEX runs_of_pipeline ON runs (pipeline, id);
CREATE INDEX runs_of_tenant ON runs (tenant, id) WHERE tenant IS NOT NULL;
CREATE INDEX runs_of_chain ON runs (first_run, id) WHERE first_run IS NOT NULL;
-- Pending and running runs share an index, so that a claim changes one page of it instead of two.
CREATE INDEX runs_active ON runs (priority, pipeline, id, status) WHERE finished_at IS NULL;
CREATE INDEX runs_failed ON runs (id) WHERE status = 3;
CREATE INDEX runs_failed_of_pipeline ON runs (pipeline, id) WHERE status = 3;
CREATE INDEX runs_cancelled ON runs (id) WHERE status = 4;
CREATE INDEX runs_cancelled_of_pipeline ON runs (pipeline, id) WHERE status = 4;
CREATE INDEX runs_finished ON runs (finished_at) WHERE finished_at IS NOT NULL;
CREATE UNIQUE INDEX runs_of_tick ON runs (pipeline, fire_at) WHERE fire_at IS NOT NULL;

-- The column key is the key of the first created run.
-- An idempotency key of a trigger belongs to the pipeline, one of a resume to the resumed run.
CREATE TABLE idempotency (
  key INTEGER PRIMARY KEY,
  pipeline INTEGER NOT NULL,
  resumed BLOB,
  name TEXT NOT NULL,
  body_hash BLOB NOT NULL,
  run_ids BLOB NOT NULL,
  runs_left INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX idempotency_of_pipeline ON idempotency (pipeline, name) WHERE resumed IS NULL;
CREATE UNIQUE INDEX idempotency_of_resumed ON idempotency (resumed, name) WHERE resumed IS NOT NULL;
CREATE INDEX idempotency_of_resumes ON idempotency (pipeline) WHERE resumed IS NOT NULL;

-- One row per append. Its n events have the numbers seq - n + 1 to seq; body is their JSON array.
-- position is the number of entries appended so far. It is null in rows that storage itself writes.
CREATE TABLE journal (
  seq INTEGER PRIMARY KEY,
  run INTEGER NOT NULL REFERENCES runs (key),
  n INTEGER NOT NULL,
  position INTEGER,
  body TEXT NOT NULL
) STRICT;
CREATE INDEX journal_of_run ON journal (run);

-- status: 0 pending, 1 running, 2 success, 3 failed, 4 cancelled, 5 skipped.
CREATE TABLE node_runs (
  key INTEGER PRIMARY KEY,
  status INTEGER NOT NULL,
  attempt INTEGER,
  row_count INTEGER,
  duration_ms INTEGER,
  queue_ms INTEGER,
  started_at INTEGER,
  finished_at INTEGER,
  has_dataset INTEGER NOT NULL,
  reused_from BLOB,
  error TEXT
) STRICT;

CREATE TABLE previews (
  key INTEGER PRIMARY KEY,
  body BLOB NOT NULL
) STRICT;

CREATE TABLE profiles (
  key INTEGER PRIMARY KEY,
  body BLOB NOT NULL
) STRICT;

-- The outputs that a run can read: its own (source = key) and those it inherits.
-- The chunks of an output exist as long as a row names their node as its source.
CREATE TABLE outputs (
  key INTEGER PRIMARY KEY,
  source INTEGER NOT NULL,
  hash BLOB NOT NULL,
  length INTEGER NOT NULL,
  chunk_count INTEGER NOT NULL
) STRICT;
CREATE INDEX outputs_of_source ON outputs (source) WHERE source <> key;

CREATE TABLE chunks (
  key INTEGER PRIMARY KEY,
  bytes BLOB NOT NULL
) STRICT;

-- The nodes with chunks that no entry has named yet.
CREATE TABLE staged (
  key INTEGER PRIMARY KEY
) STRICT;

-- Counts of runs by the day of their creation. Pipeline 0 stands for all pipelines.
-- Tenant '' stands for runs without a tenant. For pipeline 0, it stands for all tenants.
CREATE TABLE daily (
  pipeline INTEGER NOT NULL,
  tenant TEXT NOT NULL,
  day INTEGER NOT NULL,
  pending INTEGER NOT NULL,
  running INTEGER NOT NULL,
  success INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  cancelled INTEGER NOT NULL,
  PRIMARY KEY (pipeline, tenant, day)
) STRICT, WITHOUT ROWID;

-- The events, readable in a shell.
CREATE VIEW events AS
SELECT
  journal.seq - journal.n + 1 + item.key AS seq,
  item.value ->> 'type' AS type,
  lower(hex(runs.id)) AS run_id,
  pipelines.id AS pipeline_id,
  item.value ->> 'place' AS place,
  item.value ->> 'status' AS status,
  item.value ->> 'row_count' AS row_count,
  item.value ->> 'duration_ms' AS duration_ms,
  item.value ->> 'attempt' AS attempt,
  item.value ->> 'error' AS error,
  item.value ->> 'level' AS level,
  item.value ->> 'message' AS message,
  datetime((item.value ->> 'at') / 1000.0, 'unixepoch', 'subsec') AS at
FROM journal
JOIN runs ON runs.key = journal.run
JOIN pipelines ON pipelines.key = runs.pipeline
JOIN json_each(journal.body) AS item;
