-- Version 4: counts that share few pages, and runs by what created them.

CREATE INDEX runs_of_trigger ON runs (trigger, id);

-- Counts of the runs of a pipeline by the day of their creation. Tenant '' stands for runs without
-- a tenant. The rows of a day are neighbors: a commit changes few pages, whatever the number of
-- pipelines that its runs have.
CREATE TABLE new_daily (
  day INTEGER NOT NULL,
  pipeline INTEGER NOT NULL,
  tenant TEXT NOT NULL,
  pending INTEGER NOT NULL,
  running INTEGER NOT NULL,
  success INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  cancelled INTEGER NOT NULL,
  PRIMARY KEY (day, pipeline, tenant)
) STRICT, WITHOUT ROWID;

-- Counts of the runs of all pipelines of a tenant. Tenant '' stands for all tenants.
-- unit: 0 a day, where at is the day; 1 a minute, where at is the negative number of minutes since
-- 1970. The newest minute is thus the neighbor of the newest day. Only tenant '' has minutes: those
-- of its newest day and of the day before.
CREATE TABLE totals (
  tenant TEXT NOT NULL,
  unit INTEGER NOT NULL,
  at INTEGER NOT NULL,
  pending INTEGER NOT NULL,
  running INTEGER NOT NULL,
  success INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  cancelled INTEGER NOT NULL,
  PRIMARY KEY (tenant, unit, at)
) STRICT, WITHOUT ROWID;

INSERT INTO new_daily (day, pipeline, tenant, pending, running, success, failed, cancelled)
SELECT day, pipeline, tenant, pending, running, success, failed, cancelled FROM daily WHERE pipeline <> 0;
INSERT INTO totals (tenant, unit, at, pending, running, success, failed, cancelled)
SELECT tenant, 0, day, pending, running, success, failed, cancelled FROM daily WHERE pipeline = 0;
-- 1970-01-01 is day 719163. A division rounds towards zero, so that times before 1970 need a shift.
INSERT INTO totals (tenant, unit, at, pending, running, success, failed, cancelled)
SELECT '', 1, -minute, sum(status = 0), sum(status = 1), sum(status = 2), sum(status = 3), sum(status = 4)
FROM (
  SELECT (created_at - ((created_at % 60000) + 60000) % 60000) / 60000 AS minute, status FROM runs
  WHERE created_at >= (SELECT max(day) - 1 - 719163 FROM daily WHERE pipeline = 0 AND tenant = '') * 86400000
)
GROUP BY minute;
DROP TABLE daily;
ALTER TABLE new_daily RENAME TO daily;
