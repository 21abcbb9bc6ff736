//! Counts the runs in the figures, in every transaction.
//!
//! `figure_changes` collects the changes, which a transaction writes at its end.

use rusqlite::params;

use super::figure_changes::{FigureKey, UNIT_DAY, UNIT_MINUTE};
use super::minutes::{first_minute, minute_of};
use super::naming::tenant_text;
use super::store_error::StoreError;
use super::tx::Tx;
use super::values::{day, time};
use crate::model::{RunStatus, TenantId};

/// What decides in which figures a run is counted.
pub(super) struct Counted<'a> {
    pub(super) pipeline: i64,
    pub(super) tenant: Option<&'a TenantId>,
    pub(super) created_at: i64,
    pub(super) backfill: Option<i64>,
}

impl Tx {
    /// Moves a run from one status to another in all counts.
    ///
    /// The status is `None` before its creation and after its purge.
    pub(super) fn count(
        &mut self,
        run: &Counted<'_>,
        before: Option<RunStatus>,
        after: Option<RunStatus>,
    ) -> Result<(), StoreError> {
        if let Some(backfill) = run.backfill {
            self.backfills.note(backfill, before, after);
        }
        let created_at = time(run.created_at);
        let Some(created_at) = self.unreadable.skip("a run", run.pipeline, created_at)? else {
            return Ok(());
        };
        let day = day(created_at.date_naive());
        // A purged run may have a status that cannot be read, and thus none before.
        if before.is_none() && after.is_some() {
            self.begin_day(day)?;
        }
        let tenant = tenant_text(run.tenant);
        let mut keys = vec![
            FigureKey::Pipeline {
                day,
                pipeline: run.pipeline,
                tenant: tenant.to_owned(),
            },
            FigureKey::Day {
                tenant: String::new(),
                day,
            },
        ];
        if !tenant.is_empty() {
            let tenant = tenant.to_owned();
            keys.push(FigureKey::Day { tenant, day });
        }
        if self.state.counted_days.contains(day) {
            keys.push(FigureKey::Minute(minute_of(run.created_at)));
        }
        for key in keys {
            self.figures.note(key, before, after);
        }
        Ok(())
    }

    /// Begins to count the minutes of a day, if it has no run yet.
    fn begin_day(&mut self, day: i64) -> Result<(), StoreError> {
        if self.state.counted_days.contains(day) || self.has_runs_of(day)? {
            return Ok(());
        }
        self.write("INSERT INTO counted_days (day) VALUES (?)", [day])?;
        // The transaction that ended an earlier count of this day may have left some.
        self.delete_minutes(day)?;
        let Some(ended) = self.state.counted_days.begin(day) else {
            return Ok(());
        };
        self.write("DELETE FROM counted_days WHERE day = ?", [ended])?;
        self.delete_minutes(ended)
    }

    fn delete_minutes(&mut self, day: i64) -> Result<(), StoreError> {
        let next = first_minute(day.saturating_add(1));
        self.write(
            "DELETE FROM totals WHERE tenant = '' AND unit = ? AND at > ? AND at <= ?",
            [UNIT_MINUTE, -next, -first_minute(day)],
        )
        .map(drop)
    }

    fn has_runs_of(&self, day: i64) -> Result<bool, StoreError> {
        let tenant = String::new();
        if self.figures.has(&FigureKey::Day { tenant, day }) {
            return Ok(true);
        }
        let sql = "SELECT 1 FROM totals WHERE tenant = '' AND unit = ? AND at = ?";
        let found = self.row(sql, [UNIT_DAY, day], |_| Ok(()))?;
        Ok(found.is_some())
    }

    /// Writes the collected changes.
    pub(super) fn write_figures(&mut self) -> Result<(), StoreError> {
        for (key, change) in std::mem::take(&mut self.figures).0 {
            if change.by_status != [0; 5] {
                self.add_figures(&key, change.by_status)?;
            }
            if change.has_purged {
                self.delete_empty(&key)?;
            }
        }
        Ok(())
    }

    fn add_figures(&mut self, key: &FigureKey, change: [i64; 5]) -> Result<(), StoreError> {
        let [pending, running, success, failed, cancelled] = change;
        match key {
            FigureKey::Pipeline {
                day,
                pipeline,
                tenant,
            } => self.write(
                match failed {
                    0 => ADD_WITHOUT_FAILED,
                    _ => ADD_TO_PIPELINE,
                },
                params![
                    day, pipeline, tenant, pending, running, success, failed, cancelled
                ],
            ),
            FigureKey::Day { tenant, day } => self.write(
                ADD_TO_TOTAL,
                params![
                    tenant, UNIT_DAY, day, pending, running, success, failed, cancelled
                ],
            ),
            FigureKey::Minute(minute) => self.write(
                ADD_TO_TOTAL,
                params![
                    "",
                    UNIT_MINUTE,
                    -minute,
                    pending,
                    running,
                    success,
                    failed,
                    cancelled
                ],
            ),
        }
        .map(drop)
    }

    /// Deletes a row whose last run was purged.
    fn delete_empty(&mut self, key: &FigureKey) -> Result<(), StoreError> {
        match key {
            FigureKey::Pipeline {
                day,
                pipeline,
                tenant,
            } => self.write(DELETE_OF_PIPELINE, params![day, pipeline, tenant]),
            FigureKey::Day { tenant, day } => {
                self.write(DELETE_TOTAL, params![tenant, UNIT_DAY, day])
            }
            FigureKey::Minute(minute) => {
                self.write(DELETE_TOTAL, params!["", UNIT_MINUTE, -minute])
            }
        }
        .map(drop)
    }
}

/// Adds a count to a column. A damaged count is clamped, so that a sum never overflows.
macro_rules! add_to {
    ($column:literal) => {
        concat!(
            $column,
            " = max(min(",
            $column,
            ", 9007199254740992), -9007199254740992) + excluded.",
            $column
        )
    };
}

/// Adds counts to a row: all but those of failed runs, unless the column is named.
macro_rules! add {
    ($table:literal, $key:literal $(, $failed:literal)?) => {
        concat!(
            "INSERT INTO ", $table, " (", $key, ", pending, running, success, failed, cancelled) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (", $key, ") DO UPDATE SET ",
            add_to!("pending"), ", ", add_to!("running"), ", ", add_to!("success"), ", ",
            $(add_to!($failed), ", ",)? add_to!("cancelled")
        )
    };
}

const ADD_TO_PIPELINE: &str = add!("daily", "day, pipeline, tenant", "failed");
/// A text that does not name `failed` leaves `daily_failed` alone. Otherwise, each commit for a
/// pipeline that has failed on this day would write a page of that index.
const ADD_WITHOUT_FAILED: &str = add!("daily", "day, pipeline, tenant");
const ADD_TO_TOTAL: &str = add!("totals", "tenant, unit, at", "failed");

const DELETE_OF_PIPELINE: &str = "DELETE FROM daily WHERE day = ? AND pipeline = ? AND tenant = ? \
     AND pending = 0 AND running = 0 AND success = 0 AND failed = 0 AND cancelled = 0";
const DELETE_TOTAL: &str = "DELETE FROM totals WHERE tenant = ? AND unit = ? AND at = ? \
     AND pending = 0 AND running = 0 AND success = 0 AND failed = 0 AND cancelled = 0";
