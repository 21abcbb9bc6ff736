-- Version 21: the place of a run in a distributed trace.

-- The traceparent of the request that created the run, in the form of version 00.
ALTER TABLE runs ADD COLUMN traceparent TEXT;
