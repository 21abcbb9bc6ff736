//! Minutes of the calendar that five fields name, on a wall clock without a zone.
//!
//! Reading the fields is left to `parse`, zones to `zone`.

use chrono::{Datelike, NaiveDate, NaiveDateTime, Timelike};

/// Years that are searched. 41: 29 February on a given day of the week comes within 40 of them, across a century that is no leap year too.
const YEARS_MAX: i32 = 41;

const MINUTES_OF_HOUR: u32 = 60;

/// Which minutes: a bit for each number of each field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Calendar {
    pub(super) minutes: u64,
    pub(super) hours: u64,
    pub(super) days: u64,
    pub(super) months: u64,
    /// Sunday is bit 0.
    pub(super) weekdays: u64,
    pub(super) days_rule: Days,
}

/// How the two fields of days go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Days {
    /// One of them begins with a star: a day has to be in both.
    Both,
    /// Both are restricted: a day has to be in one.
    Either,
}

/// The end of a search that begins at a wall time.
pub(super) fn horizon(wall: NaiveDateTime) -> NaiveDateTime {
    let year = wall.year().saturating_add(YEARS_MAX);
    wall.with_day(1)
        .and_then(|first| first.with_year(year))
        .unwrap_or(NaiveDateTime::MAX)
}

impl Calendar {
    /// Whether any day of any year is meant.
    pub(super) fn has_days(&self) -> bool {
        const LEAP_YEAR: i32 = 2_000;
        let has_day = |month| self.days & !(u64::MAX << 1 << days_of(LEAP_YEAR, month)) & !1 != 0;
        match self.days_rule {
            // Each date falls on each day of the week sooner or later.
            Days::Both => {
                self.weekdays != 0
                    && (1..=12).any(|month| has(self.months, month) && has_day(month))
            }
            Days::Either => true,
        }
    }

    /// The first minute after `after`, and not after `until`.
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

    /// The first minute of a day, counted from midnight, that is not before `minute`.
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
            && self.has_day_of(date.day(), date.weekday().num_days_from_sunday())
    }

    fn has_day_of(&self, day: u32, weekday: u32) -> bool {
        let (day, weekday) = (has(self.days, day), has(self.weekdays, weekday));
        match self.days_rule {
            Days::Both => day && weekday,
            Days::Either => day || weekday,
        }
    }

    /// The first day after `date`, and not after `until`: month by month, since whole years may have none.
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
        let found = days.find(|day| self.has_day_of(*day, (weekday + day - 1) % 7))?;
        NaiveDate::from_ymd_opt(year, month, found)
    }
}

fn has(bits: u64, number: u32) -> bool {
    bits.checked_shr(number).unwrap_or(0) & 1 == 1
}

/// The first number that is in the set and not less than `number`.
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
