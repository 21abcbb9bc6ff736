-- Version 3: names of each tenant, rows that are deleted in small steps.

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

-- How often a chain of resumes re-executed nodes on purpose, as a JSON object from the index of the
-- node to its generation. Nodes of generation 1 are left out.
ALTER TABLE runs ADD COLUMN generations TEXT;

-- The parameters that all runs of a backfill share, as a JSON object. A run whose params are null has
-- these and its date. It is null in backfills of older versions, whose runs have their own.
ALTER TABLE backfills ADD COLUMN params TEXT;

-- 1 for a failed run of a backfill whose resume has succeeded: the backfill counts it as a success.
ALTER TABLE runs ADD COLUMN is_recovered INTEGER;

-- An id, a slug or a key is unique among the rows of a tenant, and among those without a tenant.
-- The indexes sort the rows of a name by tenant, those without one first. The indexes of live rows
-- find the first two, whatever the number of tenants that have or had the name.

DROP VIEW events;

-- enabled_by_code is `enabled` in the latest save by the host's code. It is null if code has never
-- saved the pipeline.
CREATE TABLE new_pipelines (
  key INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  slug TEXT,
  tenant TEXT,
  version INTEGER NOT NULL,
  enabled INTEGER NOT NULL,
  max_concurrent_runs INTEGER,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  deleted_at INTEGER,
  enabled_by_code INTEGER
) STRICT;
INSERT INTO new_pipelines (key, id, slug, tenant, version, enabled, max_concurrent_runs, created_at, updated_at, deleted_at)
SELECT key, id, slug, tenant, version, enabled, max_concurrent_runs, created_at, updated_at, deleted_at FROM pipelines;
DROP TABLE pipelines;
ALTER TABLE new_pipelines RENAME TO pipelines;
CREATE UNIQUE INDEX pipelines_by_id ON pipelines (id, coalesce(tenant, ''));
CREATE UNIQUE INDEX pipelines_by_slug ON pipelines (slug, coalesce(tenant, ''));
CREATE INDEX pipelines_live ON pipelines (id, coalesce(tenant, '')) WHERE slug IS NOT NULL;
CREATE INDEX pipelines_by_age ON pipelines (created_at, id, coalesce(tenant, ''));
CREATE INDEX pipelines_of_tenant ON pipelines (tenant, created_at, id) WHERE slug IS NOT NULL;

-- Earlier, a tenant could use the id of a deleted pipeline of another one, and took its row. The
-- runs of the former owner get a row of their own, as a deleted pipeline.
INSERT INTO pipelines (id, tenant, version, enabled, created_at, updated_at, deleted_at)
SELECT p.id, nullif(former.tenant, ''), p.version, p.enabled, p.created_at, p.updated_at, p.created_at
FROM (
  SELECT pipeline, coalesce(tenant, '') AS tenant FROM runs
  UNION SELECT pipeline, coalesce(tenant, '') FROM backfills
) AS former
JOIN pipelines p ON p.key = former.pipeline
WHERE former.tenant <> coalesce(p.tenant, '');
UPDATE runs SET pipeline = own.key FROM pipelines p, pipelines own
WHERE p.key = runs.pipeline AND coalesce(runs.tenant, '') <> coalesce(p.tenant, '')
  AND own.id = p.id AND coalesce(own.tenant, '') = coalesce(runs.tenant, '');
UPDATE backfills SET pipeline = own.key FROM pipelines p, pipelines own
WHERE p.key = backfills.pipeline AND coalesce(backfills.tenant, '') <> coalesce(p.tenant, '')
  AND own.id = p.id AND coalesce(own.tenant, '') = coalesce(backfills.tenant, '');
UPDATE daily SET pipeline = own.key FROM pipelines p, pipelines own
WHERE p.key = daily.pipeline AND daily.tenant <> coalesce(p.tenant, '')
  AND own.id = p.id AND coalesce(own.tenant, '') = daily.tenant;
INSERT OR IGNORE INTO definitions (pipeline, version, body)
SELECT DISTINCT runs.pipeline, d.version, d.body FROM runs JOIN definitions d ON d.key = runs.definition
WHERE d.pipeline <> runs.pipeline;
UPDATE runs SET definition = own.key FROM definitions d, definitions own
WHERE d.key = runs.definition AND d.pipeline <> runs.pipeline
  AND own.pipeline = runs.pipeline AND own.version = d.version;

CREATE TABLE new_connections (
  key INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
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
INSERT INTO new_connections (id, tenant, version, created_at, updated_at, deleted_at, type, description, host, port, schema, login, password, extra)
SELECT id, tenant, version, created_at, updated_at, deleted_at, type, description, host, port, schema, login, password, extra FROM connections;
DROP TABLE connections;
ALTER TABLE new_connections RENAME TO connections;
CREATE UNIQUE INDEX connections_by_id ON connections (id, coalesce(tenant, ''));
CREATE INDEX connections_live ON connections (id, coalesce(tenant, '')) WHERE deleted_at IS NULL;
CREATE INDEX connections_by_age ON connections (created_at, id, coalesce(tenant, '')) WHERE deleted_at IS NULL;
CREATE INDEX connections_of_tenant ON connections (tenant, created_at, id) WHERE deleted_at IS NULL;

CREATE TABLE new_variables (
  key INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  tenant TEXT,
  version INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  deleted_at INTEGER,
  value TEXT,
  sealed BLOB,
  description TEXT
) STRICT;
INSERT INTO new_variables (id, tenant, version, created_at, updated_at, deleted_at, value, sealed, description)
SELECT id, tenant, version, created_at, updated_at, deleted_at, value, sealed, description FROM variables;
DROP TABLE variables;
ALTER TABLE new_variables RENAME TO variables;
CREATE UNIQUE INDEX variables_by_id ON variables (id, coalesce(tenant, ''));
CREATE INDEX variables_live ON variables (id, coalesce(tenant, '')) WHERE deleted_at IS NULL;
CREATE INDEX variables_by_age ON variables (created_at, id, coalesce(tenant, '')) WHERE deleted_at IS NULL;
CREATE INDEX variables_of_tenant ON variables (tenant, created_at, id) WHERE deleted_at IS NULL;

-- The events, readable in a shell.
CREATE VIEW events AS
SELECT
  journal.seq - journal.n + 1 + item.key AS seq,
  item.value ->> 'type' AS type,
  lower(hex(runs.id)) AS run_id,
  runs.tenant AS tenant,
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
