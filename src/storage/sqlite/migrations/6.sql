-- Version 6: the failing pipelines of a day.

-- The rows of daily with failed runs. Few pipelines fail, so that they are found without the rows
-- of all others.
CREATE INDEX daily_failed ON daily (day, tenant, pipeline, failed) WHERE failed > 0;
