//! Computes the statistics of a column with values of one type.
//!
//! `mixed` handles columns of JSON texts.

use std::hash::Hash;

use arrow_array::LargeStringArray;
use serde_json::Value;

use super::CELL_BYTES_MAX;
use super::distinct::Distinct;
use crate::error::Result;
use crate::model::dataset::column::{Cell, Cells};
use crate::model::dataset::number;
use crate::model::dataset::preview::shortened;

pub(super) const INTEGER: &str = "integer";
pub(super) const FLOAT: &str = "float";
const BOOLEAN: &str = "boolean";
const STRING: &str = "string";
const JSON: &str = "json";
const NULL: &str = "null";

/// The statistics of the values other than null.
pub(super) struct ColumnStats {
    pub(super) kind: &'static str,
    pub(super) value_count: u64,
    pub(super) unique_count: u64,
    pub(super) is_capped: bool,
    /// Whether all values are numbers, also as texts.
    pub(super) is_numeric: bool,
    pub(super) min: Option<Value>,
    pub(super) max: Option<Value>,
    pub(super) mean: Option<f64>,
    pub(super) samples: Vec<Value>,
}

impl ColumnStats {
    /// Takes the distinct values from other statistics of the same column.
    pub(super) fn with_distinct(self, other: Self) -> Self {
        Self {
            unique_count: other.unique_count,
            is_capped: other.is_capped,
            samples: other.samples,
            ..self
        }
    }
}

pub(super) fn for_cells(cells: &Cells) -> Result<ColumnStats> {
    match cells {
        Cells::Gaps(_) => Ok(empty()),
        Cells::Int(values) => Ok(integers(values.iter().flatten())),
        Cells::UInt(values) => Ok(integers(values.iter().flatten())),
        Cells::Float(values) => Ok(floats(values.iter().flatten())),
        Cells::Bool(values) => Ok(booleans(values.iter().flatten())),
        Cells::Text(values) => strings(values),
        Cells::Json(texts) => json(texts),
    }
}

fn empty() -> ColumnStats {
    ColumnStats {
        kind: NULL,
        value_count: 0,
        unique_count: 0,
        is_capped: false,
        is_numeric: false,
        min: None,
        max: None,
        mean: None,
        samples: Vec::new(),
    }
}

fn from_distinct<T: Copy + Eq + Hash>(
    kind: &'static str,
    value_count: u64,
    distinct: &Distinct<T>,
    samples: Vec<Value>,
) -> ColumnStats {
    ColumnStats {
        kind,
        value_count,
        unique_count: distinct.count(),
        is_capped: distinct.is_capped,
        is_numeric: matches!(kind, INTEGER | FLOAT),
        samples,
        ..empty()
    }
}

/// Computes the statistics of integers. The sum fits 128 bits, because no dataset has enough rows
/// to exceed them with 64-bit values.
pub(super) fn integers<T>(values: impl Iterator<Item = T>) -> ColumnStats
where
    T: Copy + Ord + Hash + Into<i128>,
{
    let (mut count, mut sum) = (0_u64, 0_i128);
    let mut range: Option<(T, T)> = None;
    let mut distinct = Distinct::new();
    for value in values {
        count += 1;
        sum = sum.saturating_add(value.into());
        range = Some(range.map_or((value, value), |(min, max)| {
            (min.min(value), max.max(value))
        }));
        distinct.add(value);
    }
    let samples = distinct.samples.iter().map(|value| integer(*value));
    let samples = samples.collect();
    ColumnStats {
        min: range.map(|(min, _)| integer(min)),
        max: range.map(|(_, max)| integer(max)),
        mean: (count > 0).then(|| sum as f64 / count as f64),
        ..from_distinct(INTEGER, count, &distinct, samples)
    }
}

fn integer(value: impl Into<i128>) -> Value {
    let value = value.into();
    match (i64::try_from(value), u64::try_from(value)) {
        (Ok(value), _) => Value::from(value),
        (Err(_), Ok(value)) => Value::from(value),
        (Err(_), Err(_)) => Value::from(value as f64),
    }
}

/// Computes the statistics of floats. Positive and negative zero count as one value.
pub(super) fn floats(values: impl Iterator<Item = f64> + Clone) -> ColumnStats {
    let (mut count, mut sum) = (0_u64, 0.0);
    let mut range: Option<(f64, f64)> = None;
    let mut distinct = Distinct::new();
    for value in values.clone() {
        count += 1;
        sum += value;
        range = Some(range.map_or((value, value), |(min, max)| {
            (min.min(value), max.max(value))
        }));
        // Adding positive zero turns negative zero into positive zero and changes no other value.
        distinct.add((value + 0.0).to_bits());
    }
    let samples = distinct
        .samples
        .iter()
        .map(|bits| Value::from(f64::from_bits(*bits)));
    let samples = samples.collect();
    ColumnStats {
        min: range.map(|(min, _)| Value::from(min)),
        max: range.map(|(_, max)| Value::from(max)),
        mean: (count > 0).then(|| mean(values, sum, count as f64)),
        ..from_distinct(FLOAT, count, &distinct, samples)
    }
}

/// Returns the mean. If the sum overflows a float, adds up the shares of the values instead.
fn mean(values: impl Iterator<Item = f64>, sum: f64, count: f64) -> f64 {
    if sum.is_finite() {
        sum / count
    } else {
        values.map(|value| value / count).sum()
    }
}

pub(super) fn booleans(values: impl Iterator<Item = bool>) -> ColumnStats {
    let (mut count, mut distinct) = (0, Distinct::new());
    for value in values {
        count += 1;
        distinct.add(value);
    }
    let samples: Vec<_> = distinct
        .samples
        .iter()
        .map(|value| Value::from(*value))
        .collect();
    ColumnStats {
        min: distinct
            .samples
            .iter()
            .min()
            .map(|value| Value::from(*value)),
        max: distinct
            .samples
            .iter()
            .max()
            .map(|value| Value::from(*value)),
        ..from_distinct(BOOLEAN, count, &distinct, samples)
    }
}

/// Computes the statistics of strings. Strings are compared as numbers if all of them are numbers,
/// and by code points otherwise.
fn strings(values: &LargeStringArray) -> Result<ColumnStats> {
    let mut count = 0;
    let mut range: Option<(&str, &str)> = None;
    let mut distinct = Distinct::new();
    for value in values.iter().flatten() {
        count += 1;
        range = Some(range.map_or((value, value), |(min, max)| {
            (min.min(value), max.max(value))
        }));
        distinct.add(value);
    }
    let numbers = numeric_texts(values, count);
    let range = numbers.map(|numbers| numbers.range).or(range);
    let samples = preview_values(distinct.samples.iter().map(|text| Cell::Text(text)))?;
    let mut range_values = preview_values(
        range
            .iter()
            .flat_map(|(min, max)| [Cell::Text(min), Cell::Text(max)]),
    )?;
    Ok(ColumnStats {
        max: range_values.pop(),
        min: range_values.pop(),
        mean: numbers.map(|numbers| numbers.mean),
        is_numeric: numbers.is_some(),
        ..from_distinct(STRING, count, &distinct, samples)
    })
}

/// The statistics of texts that are numbers.
#[derive(Clone, Copy)]
struct NumericTexts<'a> {
    /// The texts of the smallest and of the greatest number.
    range: (&'a str, &'a str),
    mean: f64,
}

/// Returns the statistics of texts that are numbers, or `None` if one of them is not.
fn numeric_texts(values: &LargeStringArray, count: u64) -> Option<NumericTexts<'_>> {
    let mut sum = 0.0;
    let mut range: Option<[(f64, &str); 2]> = None;
    for text in values.iter().flatten() {
        let value = number::from_text(text)?;
        sum += value;
        let [min, max] = range.unwrap_or([(value, text); 2]);
        let min = if value < min.0 { (value, text) } else { min };
        let max = if value > max.0 { (value, text) } else { max };
        range = Some([min, max]);
    }
    let numbers = values.iter().flatten().filter_map(number::from_text);
    range.map(|[(_, min), (_, max)]| NumericTexts {
        range: (min, max),
        mean: mean(numbers, sum, count as f64),
    })
}

/// Computes the statistics of values of mixed types, compared as JSON texts.
pub(super) fn json(texts: &LargeStringArray) -> Result<ColumnStats> {
    let (mut count, mut distinct) = (0, Distinct::new());
    for text in texts.iter().flatten().filter(|text| *text != "null") {
        count += 1;
        distinct.add(text);
    }
    let samples = preview_values(distinct.samples.iter().map(|text| Cell::Json(text)))?;
    Ok(from_distinct(JSON, count, &distinct, samples))
}

fn preview_values<'a>(cells: impl Iterator<Item = Cell<'a>>) -> Result<Vec<Value>> {
    let mut values = Vec::new();
    for cell in cells {
        values.extend(shortened(cell, CELL_BYTES_MAX)?.0);
    }
    Ok(values)
}
