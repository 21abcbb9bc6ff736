//! Computes the statistics of a column of JSON texts. If all values have one type, the statistics
//! are those of that type.
//!
//! A column is also JSON if it has nulls next to missing cells, or floats next to integers. Readers
//! expect numbers there.

use std::collections::BTreeSet;

use arrow_array::{Array, LargeStringArray};
use serde::de::DeserializeOwned;
use serde_json::Number;

use super::stats::{self, ColumnStats};
use crate::error::{Error, Result};
use crate::model::dataset::column::Cells;
use crate::model::dataset::number::has_exact_value;

/// The type of a JSON value, from the first byte of its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Number,
    Bool,
    Text,
    Nested,
}

pub(super) fn stats(texts: &LargeStringArray) -> Result<ColumnStats> {
    let values = || texts.iter().flatten().filter(|text| *text != "null");
    let kinds: BTreeSet<Kind> = values().map(kind).collect();
    let plain = match kinds.iter().collect::<Vec<_>>()[..] {
        [] => Some(stats::for_cells(&Cells::Gaps(texts.len()))?),
        [Kind::Number] => numbers(values())?,
        [Kind::Bool] => Some(stats::booleans(values().map(|text| text == "true"))),
        [Kind::Text] => Some(stats::for_cells(&Cells::Text(unquoted(values())?))?),
        [Kind::Nested] | [_, _, ..] => None,
    };
    plain.map_or_else(|| stats::for_cells(&Cells::Json(texts.clone())), Ok)
}

fn kind(text: &str) -> Kind {
    match text.as_bytes().first() {
        Some(b'"') => Kind::Text,
        Some(b't' | b'f') => Kind::Bool,
        Some(b'[' | b'{') => Kind::Nested,
        Some(_) | None => Kind::Number,
    }
}

/// Returns the statistics of integers if all numbers are integers, and of floats otherwise. Returns
/// `None` if a number exceeds a float.
fn numbers<'a>(texts: impl Iterator<Item = &'a str> + Clone) -> Result<Option<ColumnStats>> {
    let numbers: Vec<Number> = texts.clone().map(parse).collect::<Result<_>>()?;
    let integers: Option<Vec<i128>> = numbers.iter().map(to_integer).collect();
    if let Some(integers) = integers {
        return Ok(Some(stats::integers(integers.into_iter())));
    }
    let floats: Option<Vec<f64>> = numbers.iter().map(Number::as_f64).collect();
    let Some(floats) = floats else {
        return Ok(None);
    };
    let found = stats::floats(floats.into_iter());
    if texts.clone().all(has_exact_value) {
        return Ok(Some(found));
    }
    // Different numbers may have the same float, so that their texts have to be counted.
    let texts = LargeStringArray::from_iter_values(texts);
    Ok(Some(found.with_distinct(stats::json(&texts)?)))
}

fn to_integer(number: &Number) -> Option<i128> {
    let signed = number.as_i64().map(i128::from);
    signed.or_else(|| number.as_u64().map(i128::from))
}

fn unquoted<'a>(texts: impl Iterator<Item = &'a str>) -> Result<LargeStringArray> {
    let texts: Vec<String> = texts.map(parse).collect::<Result<_>>()?;
    Ok(LargeStringArray::from_iter_values(texts))
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text)
        .map_err(|error| Error::internal("a stored value cannot be read").with_source(error))
}
