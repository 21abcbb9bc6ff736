//! The values that texts stand for, by the type of the parameter, and what a definition expects.
//!
//! Each value has one text, apart from numbers and times: two texts that differ are two values.

use std::fmt::Write;

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;

use crate::error::truncate;
use crate::graph::params::parse_date;
use crate::model::{ParamDef, ParamKind, rfc3339, scalar_text};

/// The number of bytes of a bound or a pattern that a message shows.
const SHOWN_BYTES_MAX: usize = 80;
/// The number of values of an `enum` that a message shows.
const VALUES_SHOWN_MAX: usize = 20;

/// What bounds compare. Values of one type have the same variant.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub(super) enum Magnitude {
    /// Nothing: the type has no order.
    Unordered,
    /// A whole number, or the number of characters of a string.
    Whole(i128),
    Number(f64),
    Date(NaiveDate),
    Time(DateTime<Utc>),
}

/// Reads a text as a value of a type. Returns `None` if it is none.
pub(super) fn read(kind: ParamKind, text: &str) -> Option<Magnitude> {
    match kind {
        ParamKind::Text => i128::try_from(text.chars().count())
            .ok()
            .map(Magnitude::Whole),
        ParamKind::Integer => whole_number(text).map(Magnitude::Whole),
        ParamKind::Number => number(text).map(Magnitude::Number),
        ParamKind::Boolean => matches!(text, "true" | "false").then_some(Magnitude::Unordered),
        ParamKind::Date => parse_date(text).map(Magnitude::Date),
        ParamKind::DateTime => rfc3339::parse(text).map(Magnitude::Time),
        ParamKind::Enum => Some(Magnitude::Unordered),
    }
}

/// Reads the `min` or the `max` of a definition. Returns `None` if it is no bound of the type.
pub(super) fn bound(kind: ParamKind, value: &Value) -> Option<Magnitude> {
    let text = scalar_text(value)?;
    match kind {
        ParamKind::Text => whole_number(&text)
            .filter(|count| *count >= 0)
            .map(Magnitude::Whole),
        ParamKind::Integer | ParamKind::Number | ParamKind::Date | ParamKind::DateTime => {
            read(kind, &text)
        }
        ParamKind::Boolean | ParamKind::Enum => None,
    }
}

/// Returns what the bounds of a type are, or `None` if it has no bounds.
pub(super) const fn bound_expectation(kind: ParamKind) -> Option<&'static str> {
    match kind {
        ParamKind::Text => Some("a number of characters, 0 or more"),
        ParamKind::Integer => Some(WHOLE_NUMBER),
        ParamKind::Number => Some(NUMBER),
        ParamKind::Date => Some(DATE),
        ParamKind::DateTime => Some(TIME),
        ParamKind::Boolean | ParamKind::Enum => None,
    }
}

const WHOLE_NUMBER: &str = "a whole number";
const NUMBER: &str = "a number";
const DATE: &str = "a date such as 2024-01-15";
const TIME: &str = "a time such as 2024-01-15T06:30:00Z";

/// Reads digits without superfluous zeros, and perhaps a minus. The least number is that of `i64`,
/// and the greatest that of `u64`.
fn whole_number(text: &str) -> Option<i128> {
    let number: i128 = text.parse().ok()?;
    let is_in_range = (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&number);
    // Only the one text that is canonical, so neither `+5` nor `05` nor `-0`.
    (is_in_range && number.to_string() == text).then_some(number)
}

/// Reads a number as JSON writes it.
fn number(text: &str) -> Option<f64> {
    // A reader of JSON skips whitespace.
    let is_bare = text.bytes().all(|byte| !byte.is_ascii_whitespace());
    let number = serde_json::from_str::<f64>(text).ok();
    number.filter(|number| is_bare && number.is_finite())
}

/// Returns what a value of a definition must be.
pub(crate) fn expectation(def: &ParamDef) -> String {
    let what = match def.kind {
        ParamKind::Text => return text_expectation(def),
        ParamKind::Boolean => return "true or false".to_owned(),
        ParamKind::Enum => return enum_expectation(&def.values),
        ParamKind::Integer => WHOLE_NUMBER,
        ParamKind::Number => NUMBER,
        ParamKind::Date => DATE,
        ParamKind::DateTime => TIME,
    };
    match bounds(def) {
        (Some(min), Some(max)) => format!("{what} from {min} to {max}"),
        (Some(min), None) => format!("{what}, {min} or more"),
        (None, Some(max)) => format!("{what}, {max} or less"),
        (None, None) => what.to_owned(),
    }
}

fn text_expectation(def: &ParamDef) -> String {
    let mut expects = match bounds(def) {
        (Some(min), Some(max)) => format!("a text of {min} to {max} characters"),
        (Some(min), None) => format!("a text of {min} characters or more"),
        (None, Some(max)) => format!("a text of {max} characters or less"),
        (None, None) => "a text".to_owned(),
    };
    if let Some(pattern) = &def.pattern {
        let pattern = truncate(pattern.escape_debug().to_string(), SHOWN_BYTES_MAX);
        // Writing to a string never fails.
        let _infallible = write!(expects, " that matches {pattern} as a whole");
    }
    expects
}

fn enum_expectation(values: &[String]) -> String {
    let shown: Vec<_> = values
        .iter()
        .take(VALUES_SHOWN_MAX)
        .map(|value| truncate(value.escape_debug().to_string(), SHOWN_BYTES_MAX))
        .collect();
    let more = match values.len().saturating_sub(shown.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("one of {}{more}", shown.join(", "))
}

fn bounds(def: &ParamDef) -> (Option<String>, Option<String>) {
    let shown = |bound: &Value| truncate(scalar_text(bound).unwrap_or_default(), SHOWN_BYTES_MAX);
    (def.min.as_ref().map(shown), def.max.as_ref().map(shown))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A type, the texts that are values of it, and texts that are none.
    const TEXTS: &[(ParamKind, &[&str], &[&str])] = &[
        (
            ParamKind::Text,
            &["", " ", "007", "zwölf", "\u{1F600}", "null"],
            &[],
        ),
        (ParamKind::Enum, &["", "eu"], &[]),
        (
            ParamKind::Boolean,
            &["true", "false"],
            &["", "True", "1", "yes", " true", "on"],
        ),
        (
            ParamKind::Integer,
            &[
                "0",
                "7",
                "-3",
                "-9223372036854775808",
                "18446744073709551615",
            ],
            &[
                "",
                "-",
                "-0",
                "+5",
                "05",
                "007",
                "5.0",
                "1e2",
                " 5",
                "5 ",
                "0x1",
                "1_000",
                "٣",
                "-9223372036854775809",
                "18446744073709551616",
                "NaN",
                "1,000",
                "340282366920938463463374607431768211456",
            ],
        ),
        (
            ParamKind::Number,
            &[
                "0",
                "-0",
                "0.5",
                "-1.25",
                "1e3",
                "1E-3",
                "10",
                "5.0",
                "1.7976931348623157e308",
            ],
            &[
                "", "NaN", "nan", "inf", "Infinity", "-inf", "1e400", "-1e400", ".5", "5.", "+1",
                "01", "00.5", " 1", "1 ", "1\n", "1,5", "0x1", "true", "\"1\"", "[1]", "null",
            ],
        ),
        (
            ParamKind::Date,
            &["2024-01-15", "2024-02-29", "0000-01-01", "9999-12-31"],
            &[
                "",
                "2023-02-29",
                "2024-1-15",
                "2024-13-01",
                "20240115",
                "15.01.2024",
                "today",
                "2024-01-15T00:00:00Z",
                " 2024-01-15",
                "10000-01-01",
            ],
        ),
        (
            ParamKind::DateTime,
            &[
                "2024-01-15T06:30:00Z",
                "2024-01-15T06:30:00.5+02:00",
                "2024-02-29T23:59:59z",
            ],
            &[
                "",
                "2024-01-15",
                "2024-01-15T06:30Z",
                "2023-02-29T00:00:00Z",
                "now",
                "2024-01-15T06:30:00",
                "2024-01-15T25:00:00Z",
                "2024-01-15 06:30:00Z",
                "2024-01-15T06:30:00\u{2212}05:00",
                "1705300200",
            ],
        ),
    ];

    #[test]
    fn a_type_reads_these_texts_and_refuses_those() {
        for (kind, fitting, unfit) in TEXTS {
            for text in *fitting {
                assert!(read(*kind, text).is_some(), "{kind:?} {text:?}");
            }
            for text in *unfit {
                assert_eq!(read(*kind, text), None, "{kind:?} {text:?}");
            }
        }
    }

    #[test]
    fn values_compare_by_what_they_are() {
        let [early, late] = ["2024-01-15T23:00:00-05:00", "2024-01-16T05:00:00Z"];
        let time = |text| read(ParamKind::DateTime, text).unwrap();
        assert!(time(early) < time(late));
        let number = |text| read(ParamKind::Number, text).unwrap();
        assert!(number("9") < number("10") && number("1e1") == number("10.0"));
        let count = |text| read(ParamKind::Text, text).unwrap();
        assert_eq!(count("zwölf"), Magnitude::Whole(5), "characters, not bytes");
    }
}
