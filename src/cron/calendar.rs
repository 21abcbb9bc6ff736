//! Finds the minutes that five fields name, on a wall clock without a zone.
//!
//! Parsing the fields is left to `parse`, zones to `zone`.

use chrono::{Datelike, NaiveDate, NaiveDateTime, Timelike};

/// Years to search. A 29 February on a given day of the week comes at most 40 years after the last,
/// even across a century that is not a leap year.
const YEARS_MAX: i32 = 41;

const MINUTES_OF_HOUR: u32 = 60;

/// The numbers of each field, a bit for each number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Calendar {
    pub(super) minutes: u64,
    pub(super) hours: u64,
    pub(super) days: u64,
    pub(super) months: u64,
    /// Sunday is bit 0.
    pub(super) weekdays: u64,
    pub(super) day_rule: DayRule,
}

/// How day of month and day of week combine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DayRule {
    /// One field begins with a star: a day must be in both.
    Both,
    /// Both fields are restricted: a day must be in one of them.
    Either,
}

/// Returns the end of a search that begins at a wall time.
pub(super) fn horizon(wall: NaiveDateTime) -> NaiveDateTime {
    let year = wall.year().saturating_add(YEARS_MAX);
    wall.with_day(1)
        .and_then(|first| first.with_year(year))
        .unwrap_or(NaiveDateTime::MAX)
}

impl Calendar {
    /// Returns whether the fields name any day at all.
    pub(super) fn has_days(&self) -> bool {
        const LEAP_YEAR: i32 = 2_000;
        let has_day = |month| self.days & !(u64::MAX << 1 << days_of(LEAP_YEAR, month)) & !1 != 0;
        match self.day_rule {
            // Every date falls on every day of the week in some year.
            DayRule::Both => {
                self.weekdays != 0
                    && (1..=12).any(|month| has(self.months, month) && has_day(month))
            }
            DayRule::Either => true,
        }
    }

    /// Returns the first minute after `after`, if it is not after `until`.
    pub(super) fn next(&self, after: NaiveDateTime, until: NaiveDateTime) -> Option<NaiveDateTime> {
        let time = after.time();
        let minute = time.hour() * MINUTES_OF_HOUR + time.minute() + 1;
        let today = after.date();
        let found = match self.minute_from(minute).filter(|_| self.has_day(today)) {
            Some(found) => today.and_hms_opt(found / MINUTES_OF_HOUR, found % MINUTES_OF_HOUR, 0),
            None => {
                let day = self.day_after(today, until.date())?;
                let first = self.minute_from(0)?;
                day.and_hms_opt(first / MINUTES_OF_HOUR, first % MINUTES_OF_HOUR, 0)
            }
        };
        found.filter(|found| *found <= until)
    }

    /// Returns the first minute of a day from `minute` on; minutes count from midnight.
    fn minute_from(&self, minute: u32) -> Option<u32> {
        let hour = minute / MINUTES_OF_HOUR;
        if has(self.hours, hour)
            && let Some(minute) = from(self.minutes, minute % MINUTES_OF_HOUR)
        {
            return Some(hour * MINUTES_OF_HOUR + minute);
        }
        let hour = from(self.hours, hour + 1)?;
        Some(hour * MINUTES_OF_HOUR + from(self.minutes, 0)?)
    }

    fn has_day(&self, date: NaiveDate) -> bool {
        has(self.months, date.month())
            && self.is_day(date.day(), date.weekday().num_days_from_sunday())
    }

    fn is_day(&self, day: u32, weekday: u32) -> bool {
        let (day, weekday) = (has(self.days, day), has(self.weekdays, weekday));
        match self.day_rule {
            DayRule::Both => day && weekday,
            DayRule::Either => day || weekday,
        }
    }

    /// Returns the first day after `date`, if it is not after `until`.
    ///
    /// It searches by month, since whole years may have no such day.
    fn day_after(&self, date: NaiveDate, until: NaiveDate) -> Option<NaiveDate> {
        let (mut year, mut month, mut day) = (date.year(), date.month(), date.day() + 1);
        while (year, month) <= (until.year(), until.month()) {
            if has(self.months, month)
                && let Some(found) = self.day_from(year, month, day)
            {
                return Some(found);
            }
            day = 1;
            month += 1;
            if month > 12 {
                (year, month) = (year.checked_add(1)?, 1);
            }
        }
        None
    }

    fn day_from(&self, year: i32, month: u32, day: u32) -> Option<NaiveDate> {
        let first = NaiveDate::from_ymd_opt(year, month, 1)?;
        let weekday = first.weekday().num_days_from_sunday();
        let mut days = day..=days_of(year, month);
        let found = days.find(|day| self.is_day(*day, (weekday + day - 1) % 7))?;
        NaiveDate::from_ymd_opt(year, month, found)
    }
}

fn has(bits: u64, number: u32) -> bool {
    bits.checked_shr(number).unwrap_or(0) & 1 == 1
}

/// Returns the first number of a set from `number` on.
fn from(bits: u64, number: u32) -> Option<u32> {
    let rest = bits.checked_shr(number).unwrap_or(0);
    (rest != 0).then(|| number + rest.trailing_zeros())
}

fn days_of(year: i32, month: u32) -> u32 {
    const THIRTY: [u32; 4] = [4, 6, 9, 11];
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if is_leap => 29,
        2 => 28,
        month if THIRTY.contains(&month) => 30,
        _ => 31,
    }
}
