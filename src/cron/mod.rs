//! Schedules: the text of cron(8) in, instants out, by the wall clock of a time zone. Pure.
//!
//! Standing beside the crate `cron`, which parses four of the five fields; what an expression means is ours: days of the week from Sunday 0,
//! either day field when both are restricted, and what becomes of times that a clock change leaves out or repeats.
//! What is done at an instant is left to the scheduler.

mod calendar;
mod parse;
#[cfg(test)]
mod tests;
mod zone;

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use calendar::Calendar;

/// Characters of an expression. 256, as promised on the wire.
const EXPRESSION_CHARS_MAX: usize = 256;

/// Why a text is no schedule: a slug of the wire contract and a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) slug: &'static str,
    pub(crate) detail: String,
}

/// When something is due: an expression, read on the wall clock of a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Schedule {
    calendar: Calendar,
    /// Whether the hour or the minute field begins with a star, as cron(8) tells jobs apart at a clock change.
    is_wildcard: bool,
    zone: Tz,
}

impl Schedule {
    /// Reads an expression; without a zone it is read in UTC.
    ///
    /// # Errors
    /// What is wrong with the expression (`cron-invalid`, `cron-too-long`, `cron-never-fires`) or the zone (`timezone-unknown`).
    pub(crate) fn new(expression: &str, zone: Option<&str>) -> Result<Self, Refusal> {
        let (calendar, is_wildcard) = parse::expression(expression)?;
        let zone = zone.map_or(Ok(Tz::UTC), self::zone)?;
        Ok(Self {
            calendar,
            is_wildcard,
            zone,
        })
    }

    /// The first instant after `after` at which it is due; none within 41 years, or before the calendar's end.
    ///
    /// A wildcard schedule leaves out the times that a clock change leaves out, and is due in both halves of an hour that is repeated.
    /// Any other is due at the first instant after the gap, and once, in the first half.
    pub(crate) fn next(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let wall = zone::wall(self.zone, after)?;
        let next = self.next_from(wall, after);
        if !self.is_wildcard {
            return next;
        }
        let repeated = self.next_repeated(wall, after);
        // None is less than every instant: the smaller of those that are there.
        next.into_iter().chain(repeated).min()
    }

    /// The latest instant at which it is due after `after` and not after `until`.
    pub(crate) fn latest(
        &self,
        after: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        // Backwards in steps that grow, so that the search is bounded by the distance of the answer and not by that of `after`.
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

    /// The date on the wall clock of the zone.
    pub(crate) fn date(&self, at: DateTime<Utc>) -> NaiveDate {
        zone::wall(self.zone, at).map_or(at.date_naive(), |wall| wall.date())
    }

    /// The first due instant after `after` whose wall time is later than `wall`.
    fn next_from(&self, mut wall: NaiveDateTime, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let horizon = calendar::horizon(wall);
        loop {
            let due = self.calendar.next(wall, horizon)?;
            wall = due;
            let instant = match zone::instants(self.zone, due) {
                zone::Instants::One(instant) => Some(instant),
                zone::Instants::Two(first, _) if first > after => Some(first),
                zone::Instants::Two(_, second) => self.is_wildcard.then_some(second),
                zone::Instants::Gap(end) if self.is_wildcard => {
                    // What is due within the gap is left out: go on at the wall time after it, which may be due itself.
                    wall = before(zone::wall(self.zone, end)?).max(due);
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

    /// Where `after` is in the first half of a repeated stretch: the first due instant of the second half whose wall time is not later.
    fn next_repeated(&self, wall: NaiveDateTime, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let zone::Instants::Two(first, second) = zone::instants(self.zone, wall) else {
            return None;
        };
        if first != after {
            return None;
        }
        let length = second.signed_duration_since(first);
        let mut due = wall.checked_sub_signed(length)?;
        loop {
            due = self.calendar.next(due, wall)?;
            if let zone::Instants::Two(_, second) = zone::instants(self.zone, due) {
                return Some(second);
            }
        }
    }
}

/// The minute before a wall time.
fn before(wall: NaiveDateTime) -> NaiveDateTime {
    wall.checked_sub_signed(TimeDelta::minutes(1))
        .unwrap_or(wall)
}

/// The zone of this IANA name.
///
/// # Errors
/// `timezone-unknown`, with the nearest name.
pub(crate) fn zone(name: &str) -> Result<Tz, Refusal> {
    zone::named(name)
}
