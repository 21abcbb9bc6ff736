-- Version 5: minutes that a wrong clock does not end.

-- The days whose minutes are counted, in the order in which they began. They have all runs of a
-- day. Version 4 counted those of the newest day that it had seen, and of the day before.
-- A build between the versions may have created the table: its rows stay.
CREATE TABLE IF NOT EXISTS counted_days (
  number INTEGER PRIMARY KEY,
  day INTEGER NOT NULL
) STRICT;

INSERT INTO counted_days (day)
SELECT at FROM totals WHERE tenant = '' AND unit = 0
  AND at >= (SELECT max(at) - 1 FROM totals WHERE tenant = '' AND unit = 0)
  AND NOT EXISTS (SELECT 1 FROM counted_days)
ORDER BY at;
-- Version 4 kept the row of its newest day, though all runs of that day were purged.
DELETE FROM totals
WHERE unit = 0 AND pending = 0 AND running = 0 AND success = 0 AND failed = 0 AND cancelled = 0;
