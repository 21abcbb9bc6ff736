//! Compares the statistics with a naive count over the rows.
//!
//! The generators of rows are in the tests of `dataset`.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::distinct::{DISTINCT_MAX, Distinct};
use crate::model::dataset::tests::{Row, rows};
use crate::model::{ColumnProfile, Dataset};

/// Returns the key by which a value is compared: a number as a number of the column's type, any
/// other value as its text.
fn key(value: &Value, kind: &str) -> String {
    match (value, kind) {
        (Value::Number(number), "float") => format!("{:?}", number.as_f64().unwrap() + 0.0),
        (value, _) => value.to_string(),
    }
}

fn kind(values: &[&Value]) -> &'static str {
    let all = |test: fn(&Value) -> bool| values.iter().all(|value| test(value));
    match () {
        () if values.is_empty() => "null",
        () if all(Value::is_boolean) => "boolean",
        () if all(Value::is_string) => "string",
        () if all(|value| value.is_i64() || value.is_u64()) => "integer",
        () if all(Value::is_number) => "float",
        () => "json",
    }
}

fn naive_count(name: &str, rows: &[Row]) -> (String, u64, u64, Vec<String>) {
    let values: Vec<&Value> = rows
        .iter()
        .filter_map(|row| row.get(name))
        .filter(|value| !value.is_null())
        .collect();
    let kind = kind(&values);
    let (mut seen, mut samples) = (BTreeSet::new(), Vec::new());
    for value in &values {
        if seen.insert(key(value, kind)) && samples.len() < 5 {
            samples.push(key(value, kind));
        }
    }
    let null_count = rows.len() - values.len();
    (
        kind.to_owned(),
        null_count as u64,
        seen.len() as u64,
        samples,
    )
}

fn assert_range(column: &ColumnProfile, rows: &[Row]) {
    let values = || rows.iter().filter_map(|row| row.get(&column.name));
    let (min, max) = (column.min_val.as_ref(), column.max_val.as_ref());
    match column.kind.as_str() {
        "integer" => {
            let whole = |value: &Value| {
                value
                    .as_i64()
                    .map(i128::from)
                    .or(value.as_u64().map(i128::from))
            };
            assert_eq!(min.and_then(whole), values().filter_map(whole).min());
            assert_eq!(max.and_then(whole), values().filter_map(whole).max());
        }
        "float" => {
            let numbers: Vec<f64> = values().filter_map(Value::as_f64).collect();
            let count = numbers.len() as f64;
            assert_eq!(
                min.unwrap().as_f64().unwrap(),
                numbers.iter().copied().fold(f64::MAX, f64::min)
            );
            assert_eq!(
                max.unwrap().as_f64().unwrap(),
                numbers.iter().copied().fold(f64::MIN, f64::max)
            );
            let mean: f64 = numbers.iter().map(|value| value / count).sum();
            let scale: f64 = numbers.iter().map(|value| value.abs() / count).sum();
            assert!((column.mean_val.unwrap() - mean).abs() <= scale * 1e-12);
        }
        "string" => {
            assert_eq!(
                min.unwrap().as_str(),
                values().filter_map(Value::as_str).min()
            );
            assert_eq!(
                max.unwrap().as_str(),
                values().filter_map(Value::as_str).max()
            );
        }
        "boolean" => assert_eq!(
            min.unwrap().as_bool(),
            values().filter_map(Value::as_bool).min()
        ),
        _ => assert_eq!((min, max, column.mean_val), (None, None, None)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_profile_matches_a_naive_count(rows in rows()) {
        let profile = Dataset::from_rows(rows.clone()).unwrap().profile().unwrap();
        prop_assert_eq!(profile.row_count, rows.len() as u64);
        for column in &profile.columns {
            let found = (
                column.kind.clone(),
                column.null_count,
                column.unique_count,
                column.sample_values.iter().map(|value| key(value, &column.kind)).collect(),
            );
            prop_assert_eq!(found, naive_count(&column.name, &rows), "{}", column.name);
            prop_assert!(!column.capped);
            assert_range(column, &rows);
        }
    }
}

fn profile_of(values: &[Value]) -> ColumnProfile {
    let rows = values
        .iter()
        .map(|value| Row::from_iter([("a".to_owned(), value.clone())]));
    let profile = Dataset::from_rows(rows.collect())
        .unwrap()
        .profile()
        .unwrap();
    profile.columns.into_iter().next().unwrap()
}

#[test]
fn percentages_have_one_decimal() {
    let column = profile_of(&[json!(1), json!(null), json!(1)]);
    assert_eq!((column.null_pct, column.unique_pct), (33.3, 33.3));
    assert!(column.is_numeric);
    assert_eq!(column.mean_val, Some(1.0));
}

#[test]
fn texts_that_are_numbers_have_the_statistics_of_numbers() {
    let texts = [json!("19.90"), json!("7"), json!(null), json!("+100")];
    let rows = texts
        .iter()
        .map(|text| Row::from_iter([("a".to_owned(), text.clone())]));
    // A row without the column changes how the texts are stored.
    let with_gap = rows.chain([Row::new()]).collect();
    let with_gap = Dataset::from_rows(with_gap).unwrap().profile().unwrap();
    for column in [&profile_of(&texts), &with_gap.columns[0]] {
        assert_eq!((column.kind.as_str(), column.is_numeric), ("string", true));
        assert_eq!(column.min_val, Some(json!("7")));
        assert_eq!(column.max_val, Some(json!("+100")));
        assert_eq!(column.mean_val, Some((19.9 + 7.0 + 100.0) / 3.0));
        assert_eq!(column.unique_count, 3);
    }
    let other = profile_of(&[json!("19.90"), json!("7"), json!("n/a")]);
    assert_eq!((other.kind.as_str(), other.is_numeric), ("string", false));
    assert_eq!(other.mean_val, None);
    assert_eq!(other.min_val, Some(json!("19.90")));
}

#[test]
fn a_mean_is_finite_though_the_sum_is_not() {
    assert_eq!(
        profile_of(&[json!(f64::MAX), json!(f64::MAX)]).mean_val,
        Some(f64::MAX)
    );
    let largest = profile_of(&[json!(u64::MAX), json!(u64::MAX)]);
    assert_eq!(largest.mean_val, Some(u64::MAX as f64));
    assert_eq!(largest.max_val, Some(json!(u64::MAX)));
}

#[test]
fn long_strings_are_truncated() {
    let column = profile_of(&[json!("x".repeat(5_000))]);
    for value in [
        column.min_val.unwrap(),
        column.max_val.unwrap(),
        column.sample_values[0].clone(),
    ] {
        assert_eq!(value.as_str().unwrap().len(), 4096);
    }
}

#[test]
fn distinct_values_are_counted_exactly_up_to_the_bound() {
    let mut distinct = Distinct::new();
    (0..DISTINCT_MAX)
        .chain(0..DISTINCT_MAX)
        .for_each(|value| distinct.add(value));
    assert_eq!((distinct.count(), distinct.is_capped), (1_000_000, false));
    distinct.add(DISTINCT_MAX);
    assert_eq!((distinct.count(), distinct.is_capped), (1_000_000, true));
}
