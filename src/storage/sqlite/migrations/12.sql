-- Version 12: the branch that a node has taken.

ALTER TABLE node_runs ADD COLUMN branch INTEGER;
