//! Minutes: which days have counts of their minutes, and how minutes and days are numbered.
//!
//! `counts` writes the counts, and `period` sums them.

use std::collections::VecDeque;

use rusqlite::Connection;

use super::query::readable_rows;
use super::store_error::StoreError;
use super::unreadable::UnreadableRows;

const MINUTE_MS: i64 = 60_000;
const MINUTES_OF_DAY: i64 = 1_440;
/// The day 1970-01-01.
const FIRST_DAY: i64 = 719_163;

/// The days whose minutes are counted, in the order in which their first runs were created.
///
/// The minutes of a day are counted from its first run on, so that they have all its runs. A clock
/// that was wrong for a while takes a place among these days only until others have begun.
#[derive(Debug, Default)]
pub(super) struct CountedDays(VecDeque<i64>);

impl CountedDays {
    /// Today and yesterday, and some days of a clock that was wrong.
    const MAX: usize = 4;

    pub(super) fn load(conn: &Connection, unreadable: &UnreadableRows) -> Result<Self, StoreError> {
        let sql = "SELECT day FROM counted_days ORDER BY number";
        let what = (unreadable, "a counted day");
        let days = readable_rows(conn, what, sql, [], |row| Ok(row.get(0)?))?;
        Ok(Self(days.into()))
    }

    /// Returns whether the minutes of a day are counted.
    pub(super) fn contains(&self, day: i64) -> bool {
        self.0.contains(&day)
    }

    /// Adds a day that begins. Returns the day that is no longer counted, if any.
    pub(super) fn begin(&mut self, day: i64) -> Option<i64> {
        self.0.push_back(day);
        (self.0.len() > Self::MAX)
            .then(|| self.0.pop_front())
            .flatten()
    }
}

#[cfg(test)]
impl CountedDays {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
impl FromIterator<i64> for CountedDays {
    fn from_iter<T: IntoIterator<Item = i64>>(days: T) -> Self {
        Self(days.into_iter().collect())
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
