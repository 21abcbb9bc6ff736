-- Version 24: why a delivery failed.

-- Why the last try failed.
ALTER TABLE parked ADD COLUMN error TEXT;
