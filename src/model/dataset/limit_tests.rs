//! Tests that every way to build a dataset stays within the limits: at each limit, and one beyond.
//!
//! The other tests of datasets are in `tests`.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::Dataset;
use super::build::DatasetBuilder;
use super::tests::{Row, rows};
use crate::error::Problem;
use crate::limits::DatasetLimits;

type Way = fn(Vec<Row>, DatasetLimits) -> Result<Dataset, (Problem, String)>;

/// Every way to build a dataset from these rows.
const WAYS: &[(&str, Way)] = &[
    ("rows", |rows, limits| {
        Dataset::from_rows_within(rows, limits)
            .map_err(|error| (error.problem(), error.to_string()))
    }),
    ("serialize", |rows, limits| {
        Dataset::from_serialize_within(&rows, limits)
            .map_err(|error| (error.problem(), error.to_string()))
    }),
    ("lines", |rows, limits| {
        let mut builder = DatasetBuilder::new(limits);
        let pushed = rows
            .iter()
            .try_for_each(|row| builder.push_json_row(json!(row).to_string().as_bytes()));
        pushed
            .and_then(|()| builder.finish())
            .map_err(|error| (error.problem(), error.to_string()))
    }),
    ("concat", |rows, limits| {
        let parts: Vec<_> = rows
            .into_iter()
            .map(|row| Dataset::from_rows(vec![row]).unwrap())
            .chain([Dataset::from_rows(Vec::new()).unwrap()])
            .collect();
        Dataset::concat_within(&parts, limits).map_err(|error| (error.problem(), error.to_string()))
    }),
];

fn limits(change: impl FnOnce(&mut DatasetLimits)) -> DatasetLimits {
    let mut limits = DatasetLimits::default();
    change(&mut limits);
    limits
}

fn parsed(rows: Value) -> Vec<Row> {
    serde_json::from_value(rows).unwrap()
}

/// Checks that every way accepts `rows` within `fits`, and refuses them within `exceeded`.
fn check(rows: &[Row], fits: DatasetLimits, exceeded: DatasetLimits, reason: &str) {
    for (name, way) in WAYS {
        let dataset = way(rows.to_vec(), fits).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(dataset.rows().unwrap(), rows, "{name}");
        let (problem, message) = way(rows.to_vec(), exceeded).unwrap_err();
        assert_eq!(problem, Problem::DatasetTooLarge, "{name}");
        assert!(message.contains(reason), "{name}: {message}");
        dataset.check(&fits).unwrap();
    }
}

#[test]
fn columns_are_limited() {
    let rows = parsed(json!([{"a": 1, "b": 2}, {"c": 3}]));
    check(
        &rows,
        limits(|limits| limits.columns_max = 3),
        limits(|limits| limits.columns_max = 2),
        "a dataset has at most 2 columns, and \"c\" would be one more",
    );
}

#[test]
fn bytes_are_limited_for_every_type_and_for_gaps() {
    for rows in [
        json!([{"n": 1}, {"n": 2}, {}]),
        json!([{"n": u64::MAX}, {"n": null}]),
        json!([{"x": 1.5}, {"x": -0.5}]),
        json!([{"ok": true}, {"ok": false}]),
        json!([{"text": "abc"}, {"text": ""}, {"text": null}]),
        json!([{"any": [1, {"b": 2}]}, {"any": 1}, {}, {"any": null}]),
        json!([{"any": "\u{1}\u{2}"}, {"any": 1}]),
        json!([{}, {}, {"a": null}, {}, {"a": 1, "b": "x"}, {}]),
    ] {
        let rows = parsed(rows);
        let bytes = Dataset::from_rows(rows.clone()).unwrap().memory_bytes();
        let refused = format!("a dataset has at most {} bytes", bytes - 1);
        check(
            &rows,
            limits(|limits| limits.bytes_max = bytes),
            limits(|limits| limits.bytes_max = bytes - 1),
            &refused,
        );
    }
}

#[test]
fn a_dataset_built_elsewhere_is_checked_as_a_whole() {
    let dataset = Dataset::from_rows(parsed(json!([{"a": 1, "b": "x"}]))).unwrap();
    let bytes = dataset.memory_bytes();
    for exceeded in [
        limits(|limits| limits.bytes_max = bytes - 1),
        limits(|limits| limits.columns_max = 1),
    ] {
        let error = dataset.check(&exceeded).unwrap_err();
        assert_eq!(error.problem(), Problem::DatasetTooLarge);
    }
}

#[test]
fn cells_and_names_are_limited() {
    let fits = limits(|limits| limits.cell_bytes_max = 6);
    let exceeded = limits(|limits| limits.cell_bytes_max = 5);
    for rows in [
        json!([{"a": "123456"}]),
        json!([{"a": [1, 25]}]),
        json!([{"é-é-": 1}]),
    ] {
        let rows = parsed(rows);
        for (name, way) in WAYS.iter().filter(|(name, _)| *name != "concat") {
            assert_eq!(
                way(rows.clone(), fits).unwrap().rows().unwrap(),
                rows,
                "{name}"
            );
            let (problem, message) = way(rows.clone(), exceeded).unwrap_err();
            assert_eq!(problem, Problem::DatasetTooLarge, "{name}");
            assert!(
                message.contains("has 6 bytes, and at most 5 are allowed"),
                "{message}"
            );
        }
    }
}

#[test]
fn many_gaps_in_a_short_text_are_refused_before_they_are_stored() {
    let narrow = limits(|limits| limits.bytes_max = 1_000_000);
    let mut builder = DatasetBuilder::new(narrow);
    for _ in 0..1_000_000 {
        builder.push_json_row(b"{}").unwrap();
    }
    let error = builder.push_json_row(br#"{"a": 1}"#).unwrap_err();
    assert_eq!(error.problem(), Problem::DatasetTooLarge);

    let mut builder = DatasetBuilder::new(narrow);
    for row in 0..1_000 {
        let text = format!(r#"{{"column {row}": 1}}"#);
        if builder.push_json_row(text.as_bytes()).is_err() {
            return;
        }
    }
    // The cells after the last value of each column are stored, too.
    assert_eq!(
        builder.finish().unwrap_err().problem(),
        Problem::DatasetTooLarge
    );
}

#[test]
fn a_wide_row_is_refused_by_default() {
    let wide: Map<_, _> = (0..4_097)
        .map(|index| (format!("c{index}"), json!(1)))
        .collect();
    let error = Dataset::from_rows(vec![wide.clone()]).unwrap_err();
    assert_eq!(error.problem(), Problem::DatasetTooLarge);
    let fits = wide.into_iter().take(4_096).collect();
    assert_eq!(
        Dataset::from_rows(vec![fits]).unwrap().columns().len(),
        4_096
    );
}

proptest! {
    #[test]
    fn a_copied_head_has_the_rows_of_a_head(rows in rows(), count in 0..25_usize) {
        let dataset = Dataset::from_rows(rows).unwrap();
        let (copied, head) = (dataset.copy_head(count).unwrap(), dataset.head(count));
        prop_assert_eq!(copied.columns(), head.columns());
        prop_assert_eq!(copied.rows().unwrap(), head.rows().unwrap());
        prop_assert_eq!(copied.memory_bytes(), head.memory_bytes());
    }

    #[test]
    fn a_builder_counts_the_bytes_of_its_dataset(rows in rows()) {
        let dataset = Dataset::from_rows(rows.clone()).unwrap();
        let bytes = dataset.memory_bytes();
        let exact = limits(|limits| limits.bytes_max = bytes);
        prop_assert!(Dataset::from_rows_within(rows.clone(), exact).is_ok());
        if bytes > 0 {
            let less = limits(|limits| limits.bytes_max = bytes - 1);
            prop_assert!(Dataset::from_rows_within(rows, less).is_err());
        }
    }
}
