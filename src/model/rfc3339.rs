//! Times on the wire: RFC 3339 in UTC, with as many digits as a time needs.
//!
//! The texts are those of the `Serialize` of `chrono`, which hands each character to the serializer
//! by itself. Most of the time of a small answer went there.

use chrono::{DateTime, Datelike as _, SecondsFormat, Utc};
use serde::{Serialize, Serializer};

/// A time as its text.
#[derive(Debug)]
pub(crate) struct Text(pub(crate) DateTime<Utc>);

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(&self.0, serializer)
    }
}

/// Returns a time as its text.
pub(crate) fn text(time: &DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// Reads a time. A leap second is the first second of the next minute.
///
/// RFC 3339 has four digits for the year, also of the time in UTC.
pub(crate) fn parse(text: &str) -> Option<DateTime<Utc>> {
    // The parser takes more: a space for the `T`, and other minus signs.
    let has_separator = matches!(text.as_bytes().get(10), Some(b'T' | b't'));
    if !text.is_ascii() || !has_separator {
        return None;
    }
    let time = DateTime::parse_from_rfc3339(text).ok()?;
    let nanos = time.timestamp_subsec_nanos();
    let leap = nanos / 1_000_000_000;
    let seconds = time.timestamp().checked_add(leap.into())?;
    let time = DateTime::from_timestamp(seconds, nanos % 1_000_000_000)?;
    (0..=9_999).contains(&time.year()).then_some(time)
}

/// Serializes a time.
pub(crate) fn serialize<S: Serializer>(
    time: &DateTime<Utc>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&text(time))
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

/// Serializes times.
pub(crate) fn serialize_list<S: Serializer>(
    times: &[DateTime<Utc>],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(times.iter().map(|time| Text(*time)))
}

/// Serializes a list of times that is left out if there is none.
pub(crate) fn serialize_some_list<S: Serializer>(
    times: &Option<&[DateTime<Utc>]>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serialize_list(times.unwrap_or_default(), serializer)
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

    #[test]
    fn only_times_of_rfc_3339_are_read() {
        for (given, expected) in [
            ("2024-01-15T06:00:00Z", "2024-01-15T06:00:00Z"),
            ("2024-01-15t06:00:00.25z", "2024-01-15T06:00:00.250Z"),
            ("2024-01-15T06:00:00-00:00", "2024-01-15T06:00:00Z"),
            ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"),
            ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
            ("2016-12-31T23:59:60.5Z", "2017-01-01T00:00:00.500Z"),
        ] {
            assert_eq!(
                parse(given).map(|time| super::text(&time)).as_deref(),
                Some(expected)
            );
        }
        for bad in [
            "",
            "2024-01-15",
            "2024-01-15 06:00:00Z",
            "2024-01-15_06:00:00Z",
            "2024-01-15T06:00:00",
            "2024-01-15T06:00:00+0100",
            "2024-01-15T06:00:00\u{2212}01:00",
            "0000-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-23:59",
            "9999-12-31T23:59:60Z",
            "-0001-01-01T00:00:00Z",
            "+10000-01-01T00:00:00Z",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
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
