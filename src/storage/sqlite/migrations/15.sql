-- Version 15: the dependencies between pipelines, and the runs that ends of others have started.

-- The dependencies of the newest definition of each pipeline.
-- mode: 0 gate, 1 any, 2 all. state: 0 succeeded, 1 failed, 2 completed.
CREATE TABLE dependencies (
  pipeline INTEGER NOT NULL REFERENCES pipelines (key),
  upstream TEXT NOT NULL,
  mode INTEGER NOT NULL,
  state INTEGER NOT NULL,
  within_ms INTEGER,
  PRIMARY KEY (pipeline, upstream, mode)
) STRICT, WITHOUT ROWID;
-- How the run of an upstream that ended last has ended. It outlives the purge of that run.
CREATE TABLE latest_ends (
  pipeline INTEGER PRIMARY KEY REFERENCES pipelines (key),
  status INTEGER NOT NULL,
  ended_at INTEGER NOT NULL
) STRICT;
-- The ends of upstream runs that a dependent pipeline has not answered yet.
CREATE TABLE waiting_ends (
  pipeline INTEGER NOT NULL REFERENCES pipelines (key),
  run BLOB NOT NULL,
  upstream TEXT NOT NULL,
  date INTEGER NOT NULL,
  ended_at INTEGER NOT NULL,
  PRIMARY KEY (pipeline, run)
) STRICT, WITHOUT ROWID;
CREATE INDEX waiting_ends_of_run ON waiting_ends (run);
-- The dependent pipelines whose ends can be answered. Ends of the mode `all` wait for one another.
CREATE TABLE answerable (
  pipeline INTEGER PRIMARY KEY REFERENCES pipelines (key)
) STRICT;
ALTER TABLE runs ADD COLUMN upstream_run BLOB;
CREATE UNIQUE INDEX runs_of_upstream ON runs (pipeline, upstream_run) WHERE upstream_run IS NOT NULL;
