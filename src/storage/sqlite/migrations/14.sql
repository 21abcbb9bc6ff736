-- Version 14: the priority of a run, and until when it stays pending.

-- The column `priority` has the class of a run in the queue in its lowest 4 bits, 16 times its
-- priority (0 normal, 1 high, 2 low), and 64 more while no claim has found the run due.
ALTER TABLE runs ADD COLUMN run_after INTEGER;
CREATE INDEX runs_delayed ON runs (run_after) WHERE finished_at IS NULL AND priority >= 64;
