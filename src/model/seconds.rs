//! Durations as numbers of seconds, rounded to milliseconds.
//!
//! The fields that hold them have their ranges.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize as _, Serializer, de};
use serde_json::Number;

/// Converts a number of seconds and rounds it to milliseconds. Returns `None` if it is negative
/// or too large.
///
/// Without rounding, 18503566.495 would be read with an extra nanosecond.
pub(crate) fn read(seconds: f64) -> Option<Duration> {
    const HALF_MS: Duration = Duration::from_micros(500);
    let exact = Duration::try_from_secs_f64(seconds).ok()?;
    let ms = exact.checked_add(HALF_MS)?.as_millis();
    u64::try_from(ms).ok().map(Duration::from_millis)
}

#[expect(clippy::ref_option, reason = "serde gives the field by reference")]
pub(crate) fn serialize<S: Serializer>(
    value: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        None => serializer.serialize_none(),
        Some(duration) => to_number(*duration).serialize(serializer),
    }
}

/// Returns a number of seconds to the millisecond, which is a whole one if it can be.
pub(crate) fn to_number(duration: Duration) -> Number {
    let whole = || Number::from(duration.as_secs());
    if duration.subsec_millis() == 0 {
        return whole();
    }
    // A single division writes 3.3 s as 3.3 and not as 3.3000000000000003.
    let seconds = duration.as_millis() as f64 / 1_000.0;
    Number::from_f64(seconds).unwrap_or_else(whole)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    let read = |seconds| read(seconds).ok_or_else(|| de::Error::custom("not a duration"));
    Option::<f64>::deserialize(deserializer)?
        .map(read)
        .transpose()
}
