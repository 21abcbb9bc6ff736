//! A schedule: an expression, and on the next line the name of a zone.
//!
//! Whether its instants are the right ones is held by the oracle in `cron`.

use chrono::{DateTime, Utc};

use crate::cron::Schedule;

/// Instants, in seconds since 1970, after which the next are asked for: before zones had hours, a
/// day that Apia skipped, changes of clocks, far ahead.
const AFTER: [i64; 6] = [
    -5_000_000_000,
    1_325_208_600,
    1_711_846_800,
    1_729_990_800,
    4_102_444_800,
    250_000_000_000,
];

/// Reads a schedule and asks for what is due.
///
/// What is accepted is due again after any of these times; instants grow, and the latest up to one
/// is that one.
pub fn cron(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (expression, zone) = match text.split_once('\n') {
        Some((expression, zone)) => (expression, Some(zone)),
        None => (&*text, None),
    };
    let schedule = match Schedule::new(expression, zone) {
        Ok(schedule) => schedule,
        Err(refusal) => return assert!(!refusal.detail.is_empty()),
    };
    for after in AFTER {
        let after = DateTime::<Utc>::from_timestamp(after, 0).expect("a time of the calendar");
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
