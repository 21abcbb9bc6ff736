//! Times on the wire: RFC 3339 in UTC, with as many digits as a time needs.
//!
//! The texts are those of the `Serialize` of `chrono`, which hands each character to the serializer
//! by itself. A page of runs has hundreds of times, so that they are written on the stack. That
//! takes a third of the time of its other functions.

use chrono::{DateTime, Datelike, SecondsFormat, Timelike, Utc};
use serde::{Serialize, Serializer};

/// A time as its text.
#[derive(Debug)]
pub(crate) struct Text(pub(crate) DateTime<Utc>);

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(&self.0, serializer)
    }
}

/// The text of a time, on the stack.
struct Written {
    bytes: [u8; Self::BYTES_MAX],
    length: usize,
}

/// Returns a time as its text.
pub(crate) fn text(time: &DateTime<Utc>) -> String {
    Written::new(time).map_or_else(|| by_chrono(time), |written| written.as_str().to_owned())
}

/// Serializes a time.
pub(crate) fn serialize<S: Serializer>(
    time: &DateTime<Utc>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match Written::new(time) {
        Some(written) => serializer.serialize_str(written.as_str()),
        None => serializer.serialize_str(&by_chrono(time)),
    }
}

/// Serializes a time that may be absent.
pub(crate) fn serialize_option<S: Serializer>(
    time: &Option<DateTime<Utc>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => serialize(time, serializer),
        None => serializer.serialize_none(),
    }
}

fn by_chrono(time: &DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

impl Written {
    /// The bytes of the longest text: `2024-01-15T06:00:00.123456789Z`.
    const BYTES_MAX: usize = 30;

    /// Returns the text of a time. `None` in a leap second, and in a year without four digits.
    fn new(time: &DateTime<Utc>) -> Option<Self> {
        let (date, clock) = (time.date_naive(), time.time());
        let year = u32::try_from(date.year()).ok().filter(|it| *it <= 9_999)?;
        let nanos = Some(clock.nanosecond()).filter(|it| *it < 1_000_000_000)?;
        let mut text = Self {
            bytes: [0; Self::BYTES_MAX],
            length: 0,
        };
        text.push_digits::<4>(year);
        text.push_part(b'-', date.month());
        text.push_part(b'-', date.day());
        text.push_part(b'T', clock.hour());
        text.push_part(b':', clock.minute());
        text.push_part(b':', clock.second());
        text.push_fraction(nanos);
        text.push(b'Z');
        Some(text)
    }

    fn push_part(&mut self, mark: u8, number: u32) {
        self.push(mark);
        self.push_digits::<2>(number);
    }

    /// Appends the fraction of a second, with as few groups of three digits as it needs.
    fn push_fraction(&mut self, nanos: u32) {
        if nanos == 0 {
            return;
        }
        self.push(b'.');
        if nanos.is_multiple_of(1_000_000) {
            self.push_digits::<3>(nanos / 1_000_000);
        } else if nanos.is_multiple_of(1_000) {
            self.push_digits::<6>(nanos / 1_000);
        } else {
            self.push_digits::<9>(nanos);
        }
    }

    fn push(&mut self, byte: u8) {
        if let Some(next) = self.bytes.get_mut(self.length) {
            *next = byte;
            self.length += 1;
        }
    }

    /// Appends a number of at most so many digits, with leading zeros.
    fn push_digits<const COUNT: usize>(&mut self, number: u32) {
        let end = self.length + COUNT;
        let Some(digits) = self.bytes.get_mut(self.length..end) else {
            return;
        };
        let mut rest = number;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        self.length = end;
    }

    fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..self.length).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(serde::Serialize)]
    struct Times {
        #[serde(serialize_with = "serialize")]
        one: DateTime<Utc>,
        #[serde(serialize_with = "serialize_option")]
        other: Option<DateTime<Utc>>,
    }

    fn assert_same(time: DateTime<Utc>) {
        let expected = serde_json::json!({"one": time, "other": time}).to_string();
        let times = Times {
            one: time,
            other: Some(time),
        };
        assert_eq!(serde_json::to_string(&times).unwrap(), expected);
    }

    #[test]
    fn the_first_and_the_last_time_and_no_time_have_the_text_of_chrono() {
        for time in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
            assert_same(time);
        }
        for text in [
            "-0001-12-31T23:59:59.999999999Z",
            "0000-01-01T00:00:00Z",
            "9999-12-31T23:59:59.999999999Z",
            "+10000-01-01T00:00:00Z",
            "2016-12-31T23:59:60.5Z",
        ] {
            assert_same(text.parse().unwrap());
        }
        let times = Times {
            one: DateTime::UNIX_EPOCH,
            other: None,
        };
        let text = serde_json::to_string(&times).unwrap();
        assert_eq!(text, r#"{"one":"1970-01-01T00:00:00Z","other":null}"#);
    }

    proptest! {
        #[test]
        fn a_time_has_the_text_of_chrono(
            seconds in -70_000_000_000_i64..300_000_000_000,
            nanos in prop_oneof![Just(0), (0..1_000_u32).prop_map(|ms| ms * 1_000_000), 0..1_000_000_000_u32],
        ) {
            assert_same(DateTime::from_timestamp(seconds, nanos).unwrap());
        }
    }
}
