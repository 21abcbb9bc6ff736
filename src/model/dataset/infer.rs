//! Infers types for columns of strings: the first type that preserves every string of the column.
//!
//! If a type would change a string (`007`, `+1`, or a number with too many digits), the whole
//! column keeps its strings. `nodes` reads the strings.

use std::sync::Arc;

use serde_json::Value;

use super::Dataset;
use super::build::{ColumnBuilder, Room, RowError};
use super::column::{Cell, Cells, Column};
use crate::limits::DatasetLimits;

/// The number of digits that every 64-bit float preserves (`f64::DIGITS`).
const FLOAT_DIGITS: usize = 15;

#[derive(Debug, Clone, Copy)]
enum Kind {
    Integer,
    Float,
    Bool,
}

impl Dataset {
    /// Returns the same rows. A column of strings becomes numbers or booleans if all its strings
    /// allow it.
    pub(crate) fn infer_types(&self, limits: DatasetLimits) -> Result<Self, RowError> {
        let columns = self
            .table()
            .iter()
            .map(|column| infer(column, self.len(), limits));
        Ok(Self::from_parts(
            columns.collect::<Result<_, _>>()?,
            self.len(),
        ))
    }
}

fn infer(column: &Column, rows: usize, limits: DatasetLimits) -> Result<Column, RowError> {
    let Cells::Text(texts) = &column.cells else {
        return Ok(column.clone());
    };
    for kind in [Kind::Integer, Kind::Float, Kind::Bool] {
        if texts
            .iter()
            .flatten()
            .all(|text| parse(text, kind).is_some())
            && let Some(inferred) = convert(column, rows, kind, limits)?
        {
            return Ok(inferred);
        }
    }
    Ok(column.clone())
}

/// Returns the column with this type, or `None` if no single type holds all values (negative
/// integers next to integers beyond `i64`).
fn convert(
    column: &Column,
    rows: usize,
    kind: Kind,
    limits: DatasetLimits,
) -> Result<Option<Column>, RowError> {
    let mut builder = ColumnBuilder::new(Arc::clone(&column.name));
    let mut room = Room::new(limits);
    for row in 0..rows {
        let cell = match column.cell(row) {
            Cell::Text(text) => parse(text, kind).unwrap_or(Cell::Text(text)),
            cell @ (Cell::Missing
            | Cell::Null
            | Cell::Int(_)
            | Cell::UInt(_)
            | Cell::Float(_)
            | Cell::Bool(_)
            | Cell::Json(_)) => cell,
        };
        builder.push(row, cell, &mut room)?;
    }
    let converted = builder.finish(rows, &mut room)?;
    Ok((!converted.cells.is_json()).then_some(converted))
}

fn parse(text: &str, kind: Kind) -> Option<Cell<'static>> {
    match kind {
        Kind::Integer => integer(text),
        Kind::Float => float(text),
        Kind::Bool => match text {
            "true" | "True" | "TRUE" => Some(Cell::Bool(true)),
            "false" | "False" | "FALSE" => Some(Cell::Bool(false)),
            _ => None,
        },
    }
}

fn integer(text: &str) -> Option<Cell<'static>> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !is_plain_integer(digits) || text == "-0" {
        return None;
    }
    let signed = text.parse().ok().map(Cell::Int);
    signed.or_else(|| text.parse().ok().map(Cell::UInt))
}

/// Returns whether the text is a sequence of digits without an unnecessary leading zero.
fn is_plain_integer(digits: &str) -> bool {
    !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && (digits.len() == 1 || !digits.starts_with('0'))
}

/// Parses a number in JSON syntax. The integer part may be empty.
fn float(text: &str) -> Option<Cell<'static>> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_number = (is_plain_integer(whole) || (whole.is_empty() && fraction.is_some()))
        && fraction.is_none_or(is_digits)
        && exponent
            .is_none_or(|digits| is_digits(digits.strip_prefix(['+', '-']).unwrap_or(digits)));
    let value: f64 = if is_number {
        text.parse().ok()?
    } else {
        return None;
    };
    round_trips(value, mantissa).then_some(Cell::Float(value))
}

/// Returns whether the float preserves all digits of the mantissa that it was parsed from.
fn round_trips(value: f64, mantissa: &str) -> bool {
    let given = significant_digits(mantissa);
    if !value.is_finite() || (value == 0.0) != given.is_empty() {
        return false;
    }
    // A subnormal float holds fewer digits.
    if given.len() <= FLOAT_DIGITS && (value.is_normal() || value == 0.0) {
        return true;
    }
    // Compares with the output of the JSON writer. Other writers may choose a different text of the
    // same length.
    let written = Value::from(value).to_string();
    let written_mantissa = written
        .split_once('e')
        .map_or(&*written, |(mantissa, _)| mantissa);
    significant_digits(written_mantissa) == given
}

/// Returns the digits from the first to the last digit that is not zero.
fn significant_digits(mantissa: &str) -> String {
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    digits.trim_matches('0').to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn infer(texts: &[&str]) -> Vec<Value> {
        let rows = texts.iter().map(|text| {
            let cell = if text.is_empty() {
                Value::Null
            } else {
                json!(text)
            };
            serde_json::Map::from_iter([("a".to_owned(), cell)])
        });
        let inferred = Dataset::from_rows(rows.collect())
            .unwrap()
            .infer_types(DatasetLimits::default())
            .unwrap();
        let rows = inferred.rows().unwrap();
        rows.into_iter()
            .map(|mut row| row.remove("a").unwrap())
            .collect()
    }

    #[test]
    fn a_column_has_the_type_that_fits_all_its_strings() {
        assert_eq!(
            infer(&["1", "", "-20", "0"]),
            [json!(1), json!(null), json!(-20), json!(0)]
        );
        assert_eq!(
            infer(&["0", "18446744073709551615"]),
            [json!(0), json!(u64::MAX)]
        );
        assert_eq!(
            infer(&["1", "2.5", "-1e3", ".5"]),
            [json!(1.0), json!(2.5), json!(-1000.0), json!(0.5)]
        );
        assert_eq!(infer(&["true", "FALSE"]), [json!(true), json!(false)]);
        assert_eq!(infer(&["39.1", "40.10"]), [json!(39.1), json!(40.1)]);
        assert_eq!(infer(&["", ""]), [json!(null), json!(null)]);
    }

    #[test]
    fn a_string_that_a_type_would_change_keeps_the_column_as_strings() {
        for text in [
            "007",
            "+1",
            "-0.0.1",
            "1.",
            "1e",
            "0x10",
            "1 ",
            " 1",
            "01.5",
            "+1.5",
            "1_000",
            "NaN",
            "inf",
            "1e999",
            "1e-999",
            "18446744073709551616",
            "123456789012345678901234",
            "0.12345678901234567890",
            "true ",
            "yes",
            "-00",
            "−1",
            "١",
        ] {
            assert_eq!(infer(&["1", text]), [json!("1"), json!(text)], "{text}");
        }
        // No single type holds both.
        assert_eq!(
            infer(&["-1", "18446744073709551615"]),
            [json!("-1"), json!("18446744073709551615")]
        );
        assert_eq!(infer(&["1", "true"]), [json!("1"), json!("true")]);
    }

    proptest::proptest! {
        #[test]
        fn the_text_of_a_float_is_inferred_as_that_float(value in proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL) {
            let text = json!(value).to_string();
            proptest::prop_assert_eq!(infer(&["0.5", &text]), [json!(0.5), json!(value)]);
        }
    }
}
