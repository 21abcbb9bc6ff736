//! Schedules: parses expressions of cron(8) and computes fire times on the clock of a zone. Pure.
//!
//! The crate `cron` recognizes expressions of its own dialect, with seconds, for a better refusal.
//! It computes no fire times: it counts days of the week from Sunday = 1, requires both day fields,
//! and ends in 2100. The scheduler decides what happens at a fire time.

mod calendar;
mod parse;
#[cfg(test)]
mod tests;
mod zone;

use crate::error::Problem;
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;

use calendar::Calendar;

/// Characters of the longest expression, as the wire contract says.
const EXPRESSION_CHARS_MAX: usize = 256;

/// Why a text is not a schedule: a problem of the wire contract and a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) problem: Problem,
    pub(crate) detail: String,
}

/// An expression on the wall clock of a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Schedule {
    calendar: Calendar,
    /// Whether the hour or the minute field begins with a star. At a clock change cron(8) treats
    /// such a job differently.
    is_wildcard: bool,
    zone: Tz,
}

impl Schedule {
    /// Parses an expression; without a zone its times are in UTC.
    ///
    /// # Errors
    /// `cron-invalid`, `cron-too-long` or `cron-never-fires` for the expression, `timezone-unknown`
    /// for the zone.
    pub(crate) fn new(expression: &str, zone: Option<&str>) -> Result<Self, Refusal> {
        let (calendar, is_wildcard) = parse::expression(expression)?;
        let zone = zone.map_or(Ok(Tz::UTC), self::zone)?;
        Ok(Self {
            calendar,
            is_wildcard,
            zone,
        })
    }

    /// Returns the first fire time after `after`, or `None` if none comes within 41 years or before
    /// the end of the calendar.
    ///
    /// When the clock is set forward, a wildcard schedule skips the missing times; any other fires
    /// at the first instant after the gap. When the clock is set back, a wildcard schedule fires at
    /// repeated times twice; any other fires once, at the first of the two.
    pub(crate) fn next(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let wall = zone::wall(self.zone, after)?;
        let next = self.next_from(wall, after);
        if !self.is_wildcard {
            return next;
        }
        let repeated = self.next_repeated(wall, after);
        // Not `next.min(repeated)`: `None` would be the smaller.
        next.into_iter().chain(repeated).min()
    }

    /// Returns the latest fire time after `after` and not after `until`.
    pub(crate) fn latest(
        &self,
        after: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        // The search goes back from `until` in growing steps. Its cost then depends on how far back
        // the answer is, not on how far back `after` is.
        let mut reach = TimeDelta::minutes(2);
        loop {
            let from = until
                .checked_sub_signed(reach)
                .map_or(after, |from| from.max(after));
            let mut latest = None;
            let mut at = from;
            while let Some(next) = self.next(at).filter(|next| *next <= until) {
                latest = Some(next);
                at = next;
            }
            if latest.is_some() || from <= after {
                return latest;
            }
            reach = reach.checked_mul(4)?;
        }
    }

    /// Returns the date that the clock of the zone shows.
    pub(crate) fn date(&self, at: DateTime<Utc>) -> NaiveDate {
        zone::wall(self.zone, at).map_or(at.date_naive(), |wall| wall.date())
    }

    /// Returns the first fire time after `after` whose wall time is later than `wall`.
    fn next_from(&self, mut wall: NaiveDateTime, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let horizon = calendar::horizon(wall);
        loop {
            let candidate = self.calendar.next(wall, horizon)?;
            wall = candidate;
            let instant = match zone::instants(self.zone, candidate) {
                zone::Instants::One(instant) => Some(instant),
                zone::Instants::Two(first, _) if first > after => Some(first),
                zone::Instants::Two(_, second) => self.is_wildcard.then_some(second),
                zone::Instants::Gap(end) if self.is_wildcard => {
                    // Skips the rest of the gap. The search goes on a minute before the gap's end,
                    // since the schedule may fire at the end itself.
                    wall = before(zone::wall(self.zone, end)?).max(candidate);
                    None
                }
                zone::Instants::Gap(end) => Some(end),
                zone::Instants::Never => None,
            };
            if let Some(instant) = instant.filter(|instant| *instant > after) {
                return Some(instant);
            }
        }
    }

    /// Returns the first fire time of the second pass through repeated wall times, up to `wall`.
    ///
    /// `None` unless `after` is in the first pass. [`Self::next_from`] does not find these fire
    /// times, since their wall times are not later than `wall`.
    fn next_repeated(&self, wall: NaiveDateTime, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let zone::Instants::Two(first, second) = zone::instants(self.zone, wall) else {
            return None;
        };
        if first != after {
            return None;
        }
        let length = second.signed_duration_since(first);
        let mut candidate = wall.checked_sub_signed(length)?;
        loop {
            candidate = self.calendar.next(candidate, wall)?;
            if let zone::Instants::Two(_, second) = zone::instants(self.zone, candidate) {
                return Some(second);
            }
        }
    }
}

/// Returns the first instant at which the clock of a zone shows a date. If the clock has left the
/// date out, it is the end of the gap.
pub(crate) fn start_of_day(zone: Tz, date: NaiveDate) -> DateTime<Utc> {
    let midnight = date.and_time(NaiveTime::MIN);
    match zone::instants(zone, midnight) {
        zone::Instants::One(at) | zone::Instants::Two(at, _) | zone::Instants::Gap(at) => at,
        zone::Instants::Never => midnight.and_utc(),
    }
}

/// Returns whether the clock of a zone ever shows a date. Samoa left one out, 2011-12-30, when it
/// moved to the other side of the date line.
pub(crate) fn has_date(zone: Tz, date: NaiveDate) -> bool {
    let begin = zone::wall(zone, start_of_day(zone, date));
    begin.is_none_or(|begin| begin.date() == date)
}

/// Returns the minute before a wall time.
fn before(wall: NaiveDateTime) -> NaiveDateTime {
    wall.checked_sub_signed(TimeDelta::minutes(1))
        .unwrap_or(wall)
}

/// Returns the zone with this IANA name.
///
/// # Errors
/// `timezone-unknown`; the message suggests the nearest name.
pub(crate) fn zone(name: &str) -> Result<Tz, Refusal> {
    zone::named(name)
}
