//! Finds zones by name and converts between wall times and instants.
//!
//! The rules of the zones are left to the IANA database in `chrono-tz`, the nearest name to
//! `suggestion`.

use chrono::{DateTime, NaiveDateTime, Offset, TimeZone, Utc, offset::LocalResult};
use chrono_tz::{GapInfo, TZ_VARIANTS, Tz};

use super::Refusal;
use crate::error::{Problem, quote};
use crate::suggestion::{did_you_mean, nearest};

/// The instants at which the clock of a zone shows a wall time.
pub(super) enum Instants {
    One(DateTime<Utc>),
    /// The clock was set back and shows the time twice; the earlier instant comes first.
    Two(DateTime<Utc>, DateTime<Utc>),
    /// The clock was set forward over the time, at this instant.
    Gap(DateTime<Utc>),
    /// The time lies beyond the ends of the calendar.
    Never,
}

/// Returns the wall time of an instant, or `None` beyond the ends of the calendar.
pub(super) fn wall(zone: Tz, at: DateTime<Utc>) -> Option<NaiveDateTime> {
    let utc = at.naive_utc();
    utc.checked_add_offset(zone.offset_from_utc_datetime(&utc).fix())
}

/// Returns the instants at which the clock of the zone shows `wall`.
pub(super) fn instants(zone: Tz, wall: NaiveDateTime) -> Instants {
    match zone.from_local_datetime(&wall) {
        LocalResult::Single(instant) => Instants::One(instant.to_utc()),
        LocalResult::Ambiguous(one, other) => Instants::Two(
            one.to_utc().min(other.to_utc()),
            one.to_utc().max(other.to_utc()),
        ),
        LocalResult::None => {
            let begin = GapInfo::new(&wall, &zone).and_then(|gap| gap.begin);
            let end = begin.and_then(|(wall, offset)| wall.checked_sub_offset(offset.fix()));
            end.map_or(Instants::Never, |end| Instants::Gap(end.and_utc()))
        }
    }
}

/// Returns the zone with this IANA name.
pub(super) fn named(name: &str) -> Result<Tz, Refusal> {
    name.parse().map_err(|_| {
        let names = TZ_VARIANTS.iter().map(|zone| zone.name());
        let hint = nearest(name, names).map(did_you_mean).unwrap_or_default();
        let name = quote(name);
        Refusal {
            problem: Problem::TimezoneUnknown,
            detail: format!(
                "schedule_timezone must be a name of the IANA database such as Europe/Berlin, \
                 received {name}{hint}"
            ),
        }
    })
}
