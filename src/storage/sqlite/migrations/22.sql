-- Version 22: ids of audit entries that are never used again.

-- The greatest number of a deleted entry.
INSERT INTO meta (name, value) VALUES ('trimmed_audit', 0);
