//! The fuzz target of schedules: a cron expression, and on the next line the name of a time zone.
//!
//! Whether the ticks are the right ones is left to the oracle in `cron`.

use chrono::{DateTime, Utc};

use crate::cron::Schedule;

/// Instants, in seconds since 1970, whose next ticks are computed.
///
/// They cover the time before standard zones, a day that Apia skipped, changes to and from
/// daylight saving time, and the far future.
const AFTER: [i64; 6] = [
    -5_000_000_000,
    1_325_208_600,
    1_711_846_800,
    1_729_990_800,
    4_102_444_800,
    250_000_000_000,
];

/// Parses a schedule and computes its ticks.
///
/// A valid schedule has a next tick after each of these instants. Its ticks increase, and the
/// latest tick up to a tick is that tick.
///
/// ```
/// floret::testing::targets::cron(b"0 6 * * *\nEurope/Berlin");
/// ```
pub fn cron(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (expression, zone) = match text.split_once('\n') {
        Some((expression, zone)) => (expression, Some(zone)),
        None => (&*text, None),
    };
    let schedule = match Schedule::new(expression, zone) {
        Ok(schedule) => schedule,
        Err(issue) => return assert!(!issue.detail.is_empty()),
    };
    for after in AFTER {
        let after = DateTime::<Utc>::from_timestamp(after, 0)
            .expect("the calendar can represent the instant");
        let next = schedule.next(after);
        assert!(next.is_some_and(|next| next > after), "{next:?}");
        let all = std::iter::successors(next, |last| schedule.next(*last));
        let mut before = after;
        for next in all.take(5) {
            assert!(before < next, "{before} {next}");
            assert_eq!(schedule.latest(before, next), Some(next));
            before = next;
        }
    }
}
