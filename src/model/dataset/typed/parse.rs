//! Reads one text as a value of a given type.
//!
//! Nothing is rounded or cut: a text that does not fit has no value.

use std::fmt;

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat};

use crate::model::dataset::column::Cell;
use crate::model::dataset::number::{exact_cell, is_digits};

/// The most digits of a decimal. Databases have 38, which are 128 bits.
const PRECISION_MAX: usize = 38;

/// The type that a pipeline asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnType {
    Text,
    Integer,
    Float,
    /// A number with so many digits, of which so many are after the point.
    Decimal {
        precision: usize,
        scale: usize,
    },
    Boolean,
    Date,
    Timestamp,
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("text"),
            Self::Integer => f.write_str("integer"),
            Self::Float => f.write_str("float"),
            Self::Decimal { precision, scale } => write!(f, "decimal({precision},{scale})"),
            Self::Boolean => f.write_str("boolean"),
            Self::Date => f.write_str("date"),
            Self::Timestamp => f.write_str("timestamp"),
        }
    }
}

impl ColumnType {
    /// The names that [`ColumnType::parse`] knows, for error messages.
    pub(crate) const NAMES: &'static str =
        "text, integer, float, decimal(12,2), boolean, date, timestamp";

    /// Returns the type with this name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "text" => Some(Self::Text),
            "integer" => Some(Self::Integer),
            "float" => Some(Self::Float),
            "boolean" => Some(Self::Boolean),
            "date" => Some(Self::Date),
            "timestamp" => Some(Self::Timestamp),
            _ => {
                let digits = name.strip_prefix("decimal(")?.strip_suffix(')')?;
                let (precision, scale) = digits.split_once(',')?;
                let (precision, scale) =
                    (precision.trim().parse().ok()?, scale.trim().parse().ok()?);
                let is_possible = (1..=PRECISION_MAX).contains(&precision) && scale <= precision;
                is_possible.then_some(Self::Decimal { precision, scale })
            }
        }
    }

    /// Returns the value of a text, or `None` if it is no value of this type.
    pub(crate) fn cell<'a>(self, text: &'a str, scratch: &'a mut String) -> Option<Cell<'a>> {
        scratch.clear();
        match self {
            Self::Text => Some(Cell::Text(text)),
            Self::Integer => integer(text),
            Self::Float => float(text),
            Self::Decimal { precision, scale } => {
                write_decimal(text, precision, scale, scratch)?;
                Some(exact_cell(scratch).unwrap_or(Cell::Json(scratch)))
            }
            Self::Boolean => boolean(text),
            Self::Date => is_date(text).then_some(Cell::Text(text)),
            Self::Timestamp => {
                *scratch = timestamp(text)?;
                Some(Cell::Text(scratch))
            }
        }
    }
}

/// Splits a number into its sign, its digits before the point and those after it.
fn parts(text: &str) -> Option<(&'static str, &str, &str)> {
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(unsigned) => ("-", unsigned),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let is_number = (is_digits(whole) || (whole.is_empty() && is_digits(fraction)))
        && (fraction.is_empty() || is_digits(fraction));
    is_number.then_some((sign, whole.trim_start_matches('0'), fraction))
}

fn integer(text: &str) -> Option<Cell<'static>> {
    parts(text).filter(|_| !text.contains('.'))?;
    let signed = text.parse().ok().map(Cell::Int);
    signed.or_else(|| text.parse().ok().map(Cell::UInt))
}

fn float(text: &str) -> Option<Cell<'static>> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (_, whole, fraction) = parts(mantissa)?;
    let is_zero = [whole, fraction]
        .iter()
        .all(|digits| digits.trim_matches('0').is_empty());
    let is_exponent = is_digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent));
    let value: f64 = text.parse().ok().filter(|_| is_exponent)?;
    (value.is_finite() && (value == 0.0) == is_zero).then_some(Cell::Float(value))
}

fn write_decimal(text: &str, precision: usize, scale: usize, out: &mut String) -> Option<()> {
    let (sign, whole, fraction) = parts(text)?;
    let fraction = fraction.trim_end_matches('0');
    if whole.len() > precision.checked_sub(scale)? || fraction.len() > scale {
        return None;
    }
    if !(whole.is_empty() && fraction.is_empty()) {
        out.push_str(sign);
    }
    out.push_str(if whole.is_empty() { "0" } else { whole });
    if scale > 0 {
        out.push('.');
        out.push_str(fraction);
        out.extend(std::iter::repeat_n(
            '0',
            scale.saturating_sub(fraction.len()),
        ));
    }
    Some(())
}

fn boolean(text: &str) -> Option<Cell<'static>> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "1" => Some(Cell::Bool(true)),
        "false" | "f" | "no" | "n" | "0" => Some(Cell::Bool(false)),
        _ => None,
    }
}

/// Returns whether the text is a date with exactly the digits and hyphens of `2024-01-15`.
///
/// The parser alone accepts signs, blanks and missing zeros.
fn is_date(text: &str) -> bool {
    has_shape(text, "0000-00-00") && NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok()
}

/// Returns whether the text has a digit for each `0` of the shape, and else the same characters.
fn has_shape(text: &str, shape: &str) -> bool {
    text.len() == shape.len()
        && text
            .bytes()
            .zip(shape.bytes())
            .all(|(byte, wanted)| byte == wanted || (wanted == b'0' && byte.is_ascii_digit()))
}

/// Returns the time in the format of RFC 3339. A time without a zone stays without one.
fn timestamp(text: &str) -> Option<String> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.to_rfc3339_opts(SecondsFormat::AutoSi, true));
    }
    let (date, time) = text.split_once(['T', ' '])?;
    let seconds = time.split_once('.').map_or(time, |(seconds, _)| seconds);
    if !is_date(date) || !has_shape(seconds, "00:00:00") {
        return None;
    }
    let formats = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"];
    let time = formats
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())?;
    Some(time.format("%Y-%m-%dT%H:%M:%S%.f").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_cells(kind: &str, expected: &[(&str, Option<Cell<'_>>)]) {
        let kind = ColumnType::parse(kind).unwrap();
        let mut scratch = String::new();
        for (text, cell) in expected {
            assert_eq!(kind.cell(text, &mut scratch), *cell, "{kind}: {text}");
        }
    }

    #[test]
    fn numbers_are_converted_without_rounding() {
        assert_cells(
            "integer",
            &[
                ("007", Some(Cell::Int(7))),
                ("+1", Some(Cell::Int(1))),
                ("-0", Some(Cell::Int(0))),
                ("18446744073709551615", Some(Cell::UInt(u64::MAX))),
                ("18446744073709551616", None),
                ("1.0", None),
                ("1e3", None),
                ("", None),
                ("+-1", None),
                (" 1", None),
            ],
        );
        assert_cells(
            "float",
            &[
                ("1E5", Some(Cell::Float(1e5))),
                ("19.90", Some(Cell::Float(19.9))),
                (".5", Some(Cell::Float(0.5))),
                ("0E12", Some(Cell::Float(0.0))),
                ("NaN", None),
                ("inf", None),
                ("1e999", None),
                ("1e-999", None),
                ("1,5", None),
                ("e5", None),
            ],
        );
        assert_cells(
            "decimal(5,2)",
            &[
                ("19.90", Some(Cell::Json("19.90"))),
                ("19.9", Some(Cell::Json("19.90"))),
                ("7", Some(Cell::Json("7.00"))),
                ("-.25", Some(Cell::Float(-0.25))),
                ("-0.000", Some(Cell::Json("0.00"))),
                ("+0123.450", Some(Cell::Float(123.45))),
                ("1234", None),
                ("1.005", None),
                ("1E2", None),
                (".", None),
                ("-", None),
            ],
        );
        assert_cells(
            "decimal(38,0)",
            &[(
                "12345678901234567890123456789012345678",
                Some(Cell::Json("12345678901234567890123456789012345678")),
            )],
        );
    }

    #[test]
    fn dates_times_and_booleans_are_checked() {
        assert_cells(
            "date",
            &[
                ("2024-02-29", Some(Cell::Text("2024-02-29"))),
                ("2023-02-29", None),
                ("2024-2-9", None),
                ("2024-1- 15", None),
                ("-001-01-01", None),
                ("+12024-1-5", None),
                (" 024-01-15", None),
                ("15.01.2024", None),
            ],
        );
        assert_cells(
            "timestamp",
            &[
                (
                    "2024-01-15 08:00:00",
                    Some(Cell::Text("2024-01-15T08:00:00")),
                ),
                (
                    "2024-01-15T08:00:00.250",
                    Some(Cell::Text("2024-01-15T08:00:00.250")),
                ),
                (
                    "2024-01-15T08:00:00+02:00",
                    Some(Cell::Text("2024-01-15T08:00:00+02:00")),
                ),
                (
                    "2024-01-15T08:00:00Z",
                    Some(Cell::Text("2024-01-15T08:00:00Z")),
                ),
                ("2024-01-15", None),
                ("1705305600", None),
                (" 2024-01-15 08:00:00", None),
                ("2024-1-5 8:0:0", None),
                ("+2024-01-15T08:00:00", None),
                ("2024-01-15T08:00: 0", None),
                ("2024-01-15 08:00:00.", None),
            ],
        );
        assert_cells(
            "boolean",
            &[
                ("TRUE", Some(Cell::Bool(true))),
                ("no", Some(Cell::Bool(false))),
                ("2", None),
            ],
        );
    }

    #[test]
    fn only_known_names_are_types() {
        for name in [
            "",
            "int",
            "decimal",
            "decimal(0,0)",
            "decimal(39,0)",
            "decimal(2,3)",
            "Text",
        ] {
            assert_eq!(ColumnType::parse(name), None, "{name}");
        }
        let spaced = ColumnType::parse("decimal(12, 2)").unwrap();
        assert_eq!(spaced.to_string(), "decimal(12,2)");
    }
}
