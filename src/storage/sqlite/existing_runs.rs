//! The runs that a backfill skips: those whose date or instant has a successful run.
//!
//! `key_conflicts` skips those whose concurrency key is taken, and `create` creates the others.

use std::borrow::Cow;

use rusqlite::params;

use super::cached_pipelines::CachedPipeline;
use super::key_conflicts::Remaining;
use super::store_error::StoreError;
use super::tx::Tx;
use super::values::{self, date, day, optional_time};
use crate::model::{BackfillUnit, RunId};
use crate::storage::rules::Existing;
use crate::storage::{NewBackfill, NewRun};

/// How many days the date of an instant may differ between zones, for example after the zone of a
/// schedule was changed.
const ZONE_DAYS_MAX: i64 = 2;

impl Tx {
    /// Skips runs of a backfill: those whose date or instant has a successful run, and those whose
    /// concurrency key is taken. Returns the other runs and the skipped ones.
    pub(super) fn skip_runs<'a>(
        &self,
        pipeline: &CachedPipeline,
        runs: &'a [NewRun],
        backfill: Option<&NewBackfill>,
    ) -> Result<Remaining<'a>, StoreError> {
        let remaining = self.skip_existing(pipeline, runs, backfill)?;
        self.skip_taken(pipeline.key, remaining, backfill)
    }

    /// Skips the runs whose date or instant has a successful run, or whose repeated run has
    /// succeeded since. Returns the other runs and the skipped ones.
    fn skip_existing<'a>(
        &self,
        pipeline: &CachedPipeline,
        runs: &'a [NewRun],
        backfill: Option<&NewBackfill>,
    ) -> Result<Remaining<'a>, StoreError> {
        let Some(new) = backfill.filter(|new| new.skip_existing) else {
            return Ok((Cow::Borrowed(runs), Vec::new()));
        };
        let is_first = runs.iter().any(|new| new.run.rerun_of.is_none());
        let existing = is_first.then(|| self.existing(pipeline, runs, new.backfill.unit));
        let existing = existing.transpose()?;
        let (mut skipped, mut remaining) = (Vec::new(), Vec::new());
        for new in runs {
            let is_done = match &new.run.rerun_of {
                Some(repeated) => self.has_succeeded_since(*repeated)?,
                None => existing.as_ref().is_some_and(|found| found.has(&new.run)),
            };
            if is_done {
                skipped.push(new.run.id);
            } else {
                remaining.push(new.clone());
            }
        }
        Ok((Cow::Owned(remaining), skipped))
    }

    /// Returns whether a run has succeeded, or a resume or a rerun that descends from it.
    fn has_succeeded_since(&self, run: RunId) -> Result<bool, StoreError> {
        let sql = "WITH RECURSIVE line (id) AS (SELECT ?1 \
                   UNION SELECT r.id FROM line CROSS JOIN runs r ON r.first_run = line.id \
                   UNION SELECT r.id FROM line CROSS JOIN runs r ON r.rerun_of = line.id) \
                   SELECT 1 FROM line CROSS JOIN runs r ON r.id = line.id WHERE r.status = 2 LIMIT 1";
        let found = self.row(sql, [values::id(&run)], |_| Ok(()))?;
        Ok(found.is_some())
    }

    /// Returns the dates or the instants in the range of these runs that have a successful run.
    ///
    /// A run counts if a backfill of the same unit, or what else the unit is covered by, created
    /// it, or if it resumed such a run. `f` is the run itself or the one that it resumes.
    fn existing(
        &self,
        pipeline: &CachedPipeline,
        runs: &[NewRun],
        unit: BackfillUnit,
    ) -> Result<Existing, StoreError> {
        let days = || runs.iter().map(|new| day(new.run.date));
        let (columns, margin) = match unit.is_dated() {
            true => ("DISTINCT r.date", 0),
            false => ("r.date, coalesce(r.fire_at, r.scheduled_at)", ZONE_DAYS_MAX),
        };
        let sql = format!(
            "SELECT {columns} FROM runs r CROSS JOIN runs f ON f.id = iif(r.trigger = 3, r.first_run, r.id) \
             LEFT JOIN backfills b ON b.key = f.backfill \
             WHERE r.pipeline = ?1 AND r.date BETWEEN ?2 AND ?3 AND r.status = 2 AND r.trigger IN (1, 2, 3, 4) \
             AND +f.trigger IN (1, 2, 4) AND iif(f.trigger = 2, coalesce(b.unit, 0) = ?4, ?5)",
        );
        let from = days().min().map(|day| day.saturating_sub(margin));
        let to = days().max().map(|day| day.saturating_add(margin));
        let of_schedule = unit.is_covered_by(None);
        let values = params![
            pipeline.key,
            from,
            to,
            values::backfill_unit(unit),
            of_schedule
        ];
        let found = self.rows(&sql, values, |row| {
            let date = date(row.get(0)?)?;
            if unit.is_dated() {
                return Ok((date, None));
            }
            Ok((date, optional_time(row.get(1)?)?))
        })?;
        Ok(Existing::of(unit, found))
    }
}
