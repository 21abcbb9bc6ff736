-- Version 9: labels and notes of runs, and who cancelled a run, why and when.

-- labels is a JSON object, or NULL without labels. The columns of a cancel request are NULL where
-- nothing is known.
ALTER TABLE runs ADD COLUMN labels TEXT;
ALTER TABLE runs ADD COLUMN note TEXT;
ALTER TABLE runs ADD COLUMN cancel_by TEXT;
ALTER TABLE runs ADD COLUMN cancel_reason TEXT;
ALTER TABLE runs ADD COLUMN cancel_at INTEGER;

-- The runs with a label, by their ids. The column labels of a run has the same labels.
CREATE TABLE labels (
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  run BLOB NOT NULL,
  PRIMARY KEY (name, value, run)
) STRICT, WITHOUT ROWID;
