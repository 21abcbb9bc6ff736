//! The changes that a transaction makes to the figures, and the days and minutes that these count.
//!
//! `counts` collects and writes the changes, `figures` reads the rows, and `period` counts the runs
//! of a period.

use std::collections::HashMap;

use rusqlite::Connection;

use super::store_error::StoreError;
use super::values::run_status;
use crate::model::RunStatus;

/// The unit of the total of a day.
pub(super) const UNIT_DAY: i64 = 0;
/// The unit of the total of a minute.
pub(super) const UNIT_MINUTE: i64 = 1;

const MINUTE_MS: i64 = 60_000;
const MINUTES_OF_DAY: i64 = 1_440;
/// The day 1970-01-01.
const FIRST_DAY: i64 = 719_163;

/// A row of figures.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum FigureKey {
    /// The runs of a pipeline on a day.
    Pipeline {
        day: i64,
        pipeline: i64,
        tenant: String,
    },
    /// The runs of a tenant on a day. The empty tenant stands for all.
    Day { tenant: String, day: i64 },
    /// All runs of a minute.
    Minute(i64),
}

/// The changes to the counts of a row.
#[derive(Debug, Default)]
pub(super) struct FigureChange {
    /// In the order of the columns.
    pub(super) by_status: [i64; 5],
    pub(super) has_purged: bool,
}

/// The changes to the figures.
#[derive(Debug, Default)]
pub(super) struct FigureChanges(pub(super) HashMap<FigureKey, FigureChange>);

impl FigureChanges {
    /// Moves a run from one status to another in a row.
    pub(super) fn note(
        &mut self,
        key: FigureKey,
        before: Option<RunStatus>,
        after: Option<RunStatus>,
    ) {
        let FigureChange {
            by_status,
            has_purged,
        } = self.0.entry(key).or_default();
        *has_purged |= after.is_none();
        for (status, change) in [(before, -1), (after, 1)] {
            let count = status
                .and_then(|status| usize::try_from(run_status(status)).ok())
                .and_then(|index| by_status.get_mut(index));
            if let Some(count) = count {
                *count += change;
            }
        }
    }
}

/// The newest day on which a run was created. The minutes of this day and of the day before are
/// counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct NewestDay(Option<i64>);

impl NewestDay {
    /// Reads the newest day that has a row: the row of that day is never deleted.
    pub(super) fn load(conn: &Connection) -> Result<Self, StoreError> {
        let sql = "SELECT max(at) FROM totals WHERE tenant = '' AND unit = 0";
        let newest = conn.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
        Ok(Self(newest))
    }

    #[cfg(test)]
    pub(super) const fn of(day: Option<i64>) -> Self {
        Self(day)
    }

    /// Notes the day of a new run. Returns whether it is newer than any before.
    pub(super) fn advance(&mut self, day: i64) -> bool {
        let is_newer = self.0.is_none_or(|newest| day > newest);
        if is_newer {
            self.0 = Some(day);
        }
        is_newer
    }

    /// Returns whether this is the newest day.
    pub(super) fn is(self, day: i64) -> bool {
        self.0 == Some(day)
    }

    /// Returns whether the minutes of a day are counted.
    pub(super) fn counts_minutes_of(self, day: i64) -> bool {
        self.0.is_some_and(|newest| day >= newest.saturating_sub(1))
    }
}

/// Returns the number of the minute of a time in milliseconds. Both count from 1970.
pub(super) const fn minute_of(millis: i64) -> i64 {
    millis.div_euclid(MINUTE_MS)
}

/// Returns the first minute of a day.
pub(super) const fn first_minute(day: i64) -> i64 {
    day.saturating_sub(FIRST_DAY).saturating_mul(MINUTES_OF_DAY)
}

/// Returns the day of a minute.
pub(super) const fn day_of(minute: i64) -> i64 {
    minute.div_euclid(MINUTES_OF_DAY).saturating_add(FIRST_DAY)
}

/// Returns the time at which a minute begins, in milliseconds.
pub(super) const fn minute_start(minute: i64) -> i64 {
    minute.saturating_mul(MINUTE_MS)
}
