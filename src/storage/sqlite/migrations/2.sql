-- Version 2: settings, backfills, schedules, deliveries.

-- Connections and variables.

-- Backfills.

-- Schedules.

-- Deliveries.
