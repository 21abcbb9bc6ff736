//! The dates that a backfill skips: those that have a successful run.
//!
//! `key_conflicts` skips those whose concurrency key is taken, and `create` creates the runs of the
//! others.

use std::borrow::Cow;
use std::collections::HashSet;

use chrono::NaiveDate;
use rusqlite::params;

use super::cached_pipelines::CachedPipeline;
use super::store_error::StoreError;
use super::tx::Tx;
use super::values::{self, date, day};
use crate::model::RunId;
use crate::storage::{NewBackfill, NewRun};

impl Tx {
    /// Skips dates of a backfill: those that have a successful run, and those whose concurrency key
    /// is taken. Returns the other runs and the dates.
    pub(super) fn skip_dates<'a>(
        &self,
        pipeline: &CachedPipeline,
        runs: &'a [NewRun],
        backfill: Option<&NewBackfill>,
    ) -> Result<(Cow<'a, [NewRun]>, Vec<NaiveDate>), StoreError> {
        let remaining = self.skip_existing(pipeline, runs, backfill)?;
        self.skip_taken(pipeline.key, remaining, backfill)
    }

    /// Skips the runs of dates that already have a successful run, or whose repeated run has
    /// succeeded since. Returns the other runs and the dates.
    fn skip_existing<'a>(
        &self,
        pipeline: &CachedPipeline,
        runs: &'a [NewRun],
        backfill: Option<&NewBackfill>,
    ) -> Result<(Cow<'a, [NewRun]>, Vec<NaiveDate>), StoreError> {
        if !backfill.is_some_and(|new| new.skip_existing) {
            return Ok((Cow::Borrowed(runs), Vec::new()));
        }
        let existing = self.existing_dates(pipeline, runs)?;
        let (mut skipped, mut remaining) = (Vec::new(), Vec::new());
        for new in runs {
            let is_done = match &new.run.rerun_of {
                Some(repeated) => self.has_succeeded_since(*repeated)?,
                None => existing.contains(&new.run.date),
            };
            if is_done {
                skipped.push(new.run.date);
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

    /// Returns the dates in the range of these runs that already have a successful run.
    ///
    /// A run counts if a backfill, a schedule or a catch-up created it, or if it resumed such a
    /// run.
    fn existing_dates(
        &self,
        pipeline: &CachedPipeline,
        runs: &[NewRun],
    ) -> Result<HashSet<NaiveDate>, StoreError> {
        let days = || runs.iter().map(|new| day(new.run.date));
        let found = self.rows(
            "SELECT DISTINCT r.date FROM runs r WHERE r.pipeline = ?1 AND r.date BETWEEN ?2 AND ?3 AND r.status = 2 AND r.trigger IN (1, 2, 3, 4) \
             AND (r.trigger <> 3 OR EXISTS (SELECT 1 FROM runs f WHERE f.id = r.first_run AND f.trigger IN (1, 2, 4)))",
            params![pipeline.key, days().min(), days().max()],
            |row| date(row.get(0)?),
        )?;
        Ok(found.into_iter().collect())
    }
}
