//! Delayed runs: pending runs with a `run_after` that no claim has found due.
//!
//! They wait in lanes of their own, which no claim reads. A claim first adds those that are due to
//! the lanes that it reads, each once, or lets their keys (`keys`) hold them back.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::lanes::{Held, LaneKey, NextDue};
use super::store_error::StoreError;
use super::tx::Tx;
use super::values::{self, millis};

/// The most runs that one claim adds to their lanes, so that it keeps no other step waiting long.
const DUE_MAX: i64 = 1_000;

/// A delayed run that is due.
struct DueRun {
    key: i64,
    /// With the text of its concurrency key, if it has one.
    lane: Result<(LaneKey, Option<String>), StoreError>,
}

impl Tx {
    /// Adds the runs that are due to their lanes. Returns when the next delayed run is due, which
    /// has passed if more are due than one claim adds.
    pub(super) fn end_delays(
        &mut self,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        let now = millis(now);
        let is_none_due = match self.state.lanes.next_due() {
            NextDue::Never => true,
            NextDue::At(due) => due > now,
            NextDue::Unknown => false,
        };
        if !is_none_due {
            let mut keys = BTreeSet::new();
            for due in self.due_runs(now)? {
                match self.unreadable.skip("a delayed run", due.key, due.lane)? {
                    Some((lane, text)) => {
                        let held = text.as_ref().map_or(Held::No, |_| Held::ByKey);
                        self.end_delay(due.key, lane, held)?;
                        keys.extend(text.map(|text| (lane.pipeline, text)));
                    }
                    None => self.forget_delay(due.key)?,
                }
            }
            for (pipeline, text) in keys {
                self.settle_key(pipeline, &text)?;
            }
            let next = self.next_due()?;
            self.state.lanes.set_next_due(next);
        }
        Ok(self.state.lanes.next_due().at())
    }

    fn end_delay(&mut self, key: i64, lane: LaneKey, held: Held) -> Result<(), StoreError> {
        let due = LaneKey { held, ..lane };
        self.write(
            "UPDATE runs SET priority = ? WHERE key = ?",
            [due.number(), key],
        )?;
        self.state.lanes.move_one(lane, due);
        Ok(())
    }

    /// Removes the delay of a damaged run, so that it is not found again. The run stays pending.
    fn forget_delay(&mut self, key: i64) -> Result<(), StoreError> {
        self.write("UPDATE runs SET run_after = NULL WHERE key = ?", [key])?;
        Ok(())
    }

    fn due_runs(&self, now: i64) -> Result<Vec<DueRun>, StoreError> {
        self.rows(
            "SELECT key, priority, pipeline, backfill, status, concurrency_key FROM runs INDEXED BY runs_delayed \
             WHERE finished_at IS NULL AND priority >= 64 AND run_after <= ? ORDER BY run_after LIMIT ?",
            [now, DUE_MAX],
            |row| {
                let lane = match row.get::<_, i64>(4)? {
                    0 => LaneKey::read(row.get(1)?, row.get(2)?, row.get(3)?),
                    status => Err(StoreError::unreadable("a run's status", status)),
                };
                let text = row.get(5).map_err(StoreError::from);
                let lane = lane.and_then(|lane| Ok((lane, text?)));
                let key = row.get(0)?;
                Ok(DueRun { key, lane })
            },
        )
    }

    fn next_due(&self) -> Result<NextDue, StoreError> {
        let found = self.row(
            "SELECT run_after FROM runs INDEXED BY runs_delayed \
             WHERE finished_at IS NULL AND priority >= 64 AND run_after IS NOT NULL ORDER BY run_after LIMIT 1",
            [],
            |row| Ok(row.get(0)?),
        )?;
        Ok(found.map_or(NextDue::Never, NextDue::At))
    }
}

impl NextDue {
    fn at(self) -> Option<DateTime<Utc>> {
        match self {
            Self::At(due) => Some(values::nearest_time(due)),
            Self::Never | Self::Unknown => None,
        }
    }
}
