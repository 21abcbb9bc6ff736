//! Wall times of a zone as instants, and zones by their names.
//!
//! The rules of the zones are those of the IANA database that `chrono-tz` brings.

use chrono::{DateTime, NaiveDateTime, Offset, TimeZone, Utc, offset::LocalResult};
use chrono_tz::{GapInfo, TZ_VARIANTS, Tz};

use super::Refusal;
use crate::error::shown;

/// Characters of the longest name to which another is compared; there is none of half that length.
const NAME_CHARS_MAX: usize = 64;

/// How near a name has to be to be meant.
const NEAR: f64 = 0.8;

/// When a clock of the zone shows a wall time.
pub(super) enum Instants {
    One(DateTime<Utc>),
    /// Twice: before and after the clock was put back.
    Two(DateTime<Utc>, DateTime<Utc>),
    /// At no instant: the clock was put forward over it, at this one.
    Gap(DateTime<Utc>),
    /// The zone is not known that far.
    Never,
}

/// What a clock of the zone shows; none beyond the calendar's ends.
pub(super) fn wall(zone: Tz, at: DateTime<Utc>) -> Option<NaiveDateTime> {
    let utc = at.naive_utc();
    utc.checked_add_offset(zone.offset_from_utc_datetime(&utc).fix())
}

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

pub(super) fn named(name: &str) -> Result<Tz, Refusal> {
    name.parse().map_err(|_| {
        let near = near(name).map_or(String::new(), |near| format!("; did you mean {near}?"));
        Refusal {
            slug: "timezone-unknown",
            detail: format!(
                "schedule_timezone must be a name of the IANA database such as Europe/Berlin, received {}{near}",
                shown(name)
            ),
        }
    })
}

/// The name that was meant, as far as one is near.
fn near(name: &str) -> Option<&'static str> {
    if name.chars().nth(NAME_CHARS_MAX).is_some() {
        return None;
    }
    let name = name.to_lowercase();
    let likeness = |zone: &Tz| strsim::jaro_winkler(&name, &zone.name().to_lowercase());
    let nearest = TZ_VARIANTS.iter().map(|zone| (likeness(zone), zone));
    nearest
        .filter(|(likeness, _)| *likeness >= NEAR)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, zone)| zone.name())
}
