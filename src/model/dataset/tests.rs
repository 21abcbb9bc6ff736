//! Tests that a dataset preserves its rows: random rows through every conversion, and special
//! cases.
//!
//! The tests of the statistics are in `profile`.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Dataset;
use super::build::DatasetBuilder;
use crate::error::ErrorKind;
use crate::limits::DatasetLimits;

pub(super) type Row = Map<String, Value>;

/// Generates rows of up to four columns. Most columns have one type, some are mixed. Any cell may
/// be null or missing.
pub(super) fn rows() -> impl Strategy<Value = Vec<Row>> {
    let column = prop_oneof![
        Just(integer().boxed()),
        Just(float().boxed()),
        Just(any::<bool>().prop_map(Value::from).boxed()),
        Just(text().prop_map(Value::from).boxed()),
        Just(prop_oneof![integer(), float()].boxed()),
        Just(any_value().boxed()),
    ];
    let columns = vec(("[ab]?|é|null", column, 0..3_u8), 0..4);
    (columns, 0..20_usize).prop_flat_map(|(columns, count)| vec(row(columns), count))
}

fn row(columns: Vec<(String, BoxedStrategy<Value>, u8)>) -> impl Strategy<Value = Row> {
    let cells: Vec<_> = columns
        .into_iter()
        .map(|(name, values, gaps)| (Just(name), cell(values, gaps)))
        .collect();
    cells.prop_map(|cells| {
        cells
            .into_iter()
            .filter_map(|(name, cell)| Some((name, cell?)))
            .collect()
    })
}

fn cell(values: BoxedStrategy<Value>, gaps: u8) -> BoxedStrategy<Option<Value>> {
    match gaps {
        0 => values.prop_map(Some).boxed(),
        1 => option::of(values)
            .prop_map(|value| Some(value.unwrap_or(Value::Null)))
            .boxed(),
        _ => prop_oneof![3 => values.prop_map(Some), 1 => Just(Some(Value::Null)), 1 => Just(None)]
            .boxed(),
    }
}

fn integer() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => (-3..4_i64).prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<u64>().prop_map(Value::from),
    ]
}

fn float() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(-0.0)),
        (-3..4_i32).prop_map(|value| Value::from(f64::from(value))),
        any::<f64>().prop_filter_map("JSON has finite numbers only", |value| {
            Some(Value::Number(serde_json::Number::from_f64(value)?))
        }),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-c]{0,2}", ".{0,8}", Just("null".to_owned())]
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        integer(),
        float(),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            btree_map(text(), inner, 0..3).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Generates arrays of any values.
pub(super) fn nested_value() -> impl Strategy<Value = Value> {
    vec(any_value(), 0..3).prop_map(Value::from)
}

/// Returns the rows as texts, because `-0.0 == 0.0` but their texts differ.
fn exact(rows: &[Row]) -> Vec<BTreeMap<&str, String>> {
    rows.iter()
        .map(|row| {
            row.iter()
                .map(|(name, value)| (name.as_str(), value.to_string()))
                .collect()
        })
        .collect()
}

fn assert_holds(dataset: &Dataset, rows: &[Row]) {
    assert_eq!(exact(&dataset.rows().unwrap()), exact(rows));
    assert_eq!(dataset.row_count(), rows.len() as u64);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn rows_come_back_equal(rows in rows(), head in 0..20_usize, cut in 0..20_usize) {
        let dataset = Dataset::from_rows(rows.clone()).unwrap();
        assert_holds(&dataset, &rows);

        let decoded = Dataset::decode(&dataset.encode().unwrap()).unwrap();
        assert_holds(&decoded, &rows);
        assert_eq!(decoded.columns(), dataset.columns());

        let first = &rows[..head.min(rows.len())];
        assert_holds(&dataset.head(head), first);
        assert_holds(&Dataset::decode(&dataset.head(head).encode().unwrap()).unwrap(), first);

        let (left, right) = rows.split_at(cut.min(rows.len()));
        let parts = [left, right].map(|part| Dataset::from_rows(part.to_vec()).unwrap());
        let joined = Dataset::concat(&parts).unwrap();
        assert_holds(&joined, &rows);
        assert_eq!(joined.columns().len(), dataset.columns().len());

        assert_holds(&Dataset::from_serialize(&rows).unwrap(), &rows);
        let lines: Vec<Row> = (0..dataset.len())
            .map(|row_index| {
                let mut line = Vec::new();
                dataset.write_row(&mut line, row_index).unwrap();
                serde_json::from_slice(&line).unwrap()
            })
            .collect();
        prop_assert_eq!(exact(&lines), exact(&rows));
    }

    #[test]
    fn decode_never_panics(bytes in vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(Dataset::decode(&bytes).unwrap_err().kind(), ErrorKind::Internal);
    }
}

fn of(rows: Value) -> Dataset {
    Dataset::from_rows(serde_json::from_value(rows).unwrap()).unwrap()
}

#[test]
fn a_changed_or_missing_byte_is_an_error() {
    let bytes = of(json!([{"a": 1, "b": "x"}, {"a": null, "b": [1]}]))
        .encode()
        .unwrap();
    for offset in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[offset] ^= 1;
        assert!(Dataset::decode(&damaged).is_err(), "byte {offset}");
        assert!(
            Dataset::decode(&bytes[..offset]).is_err(),
            "cut at {offset}"
        );
    }
}

#[test]
fn a_dataset_of_several_batches_is_preserved() {
    let rows: Vec<Row> = (0..70_000)
        .map(|number| Row::from_iter([("n".to_owned(), Value::from(number))]))
        .collect();
    let dataset = Dataset::from_rows(rows.clone()).unwrap();
    let decoded = Dataset::decode(&dataset.encode().unwrap()).unwrap();
    assert!(decoded.rows().unwrap() == rows);
}

#[test]
fn columns_are_in_the_order_of_their_first_appearance() {
    #[derive(Serialize)]
    struct Row {
        z: i32,
        #[serde(skip_serializing_if = "Option::is_none")]
        m: Option<i32>,
        a: i32,
    }
    let rows = [
        Row {
            z: 1,
            m: None,
            a: 2,
        },
        Row {
            z: 1,
            m: Some(3),
            a: 2,
        },
    ];
    let dataset = Dataset::from_serialize(&rows).unwrap();
    assert_eq!(dataset.columns(), ["z", "a", "m"]);
    assert_eq!(dataset.rows().unwrap()[0].get("m"), None);
}

#[test]
fn columns_without_rows_and_rows_without_columns_are_preserved() {
    let columns = Dataset::from_columns(["b", "a", "b"]);
    let rows = of(json!([{}, {}]));
    for (dataset, columns, row_count) in [(columns, vec!["b", "a"], 0), (rows, vec![], 2)] {
        let decoded = Dataset::decode(&dataset.encode().unwrap()).unwrap();
        for dataset in [dataset.head(9), dataset, decoded] {
            assert_eq!(dataset.columns(), columns);
            assert_eq!(dataset.row_count(), row_count);
        }
    }
    assert_eq!(Dataset::concat(&[]).unwrap().row_count(), 0);
}

#[test]
fn an_error_names_the_row_that_is_not_an_object() {
    let error = Dataset::from_serialize(&[json!({"a": 1}), json!(5)]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(
        error.to_string(),
        "row 2: the number 5 is not a JSON object at column 1"
    );
}

#[test]
fn an_invalid_escape_is_named_with_its_column_in_the_row() {
    for (row, column) in [(r#"{"a":"\ud800x"}"#, 15), (r#"{"a":["\ud800x"]}"#, 17)] {
        let mut builder = DatasetBuilder::new(DatasetLimits::default());
        let error = builder.push_json_row(row.as_bytes()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("unexpected end of hex escape at column {column}")
        );
    }
}

#[test]
fn an_error_names_the_row_that_does_not_deserialize() {
    #[derive(Debug, Deserialize)]
    struct Order {
        #[expect(dead_code, reason = "only read by serde")]
        amount: i64,
    }
    let error = of(json!([{"amount": 1}, {"amount": "much"}]))
        .deserialize::<Order>()
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "row 2: invalid type: string \"much\", expected i64"
    );
}

#[test]
fn a_value_that_is_nested_too_deeply_is_refused() {
    let nested = |levels| (0..levels).fold(json!(1), |inner, _| json!([inner]));
    let dataset = of(json!([{"a": nested(120)}]));
    assert_eq!(dataset.rows().unwrap()[0]["a"], nested(120));
    let error = Dataset::from_serialize(&[json!({"a": nested(121)})]).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("row 1: a value is nested more than 120 levels deep")
    );
}

#[test]
fn a_preview_truncates_long_cells() {
    let long = "é".repeat(3_000);
    let dataset = of(json!([
        {"text": long, "nested": [long], "mixed": long, "short": 1},
        {"text": "x", "nested": [1], "mixed": 2},
        {"text": "y", "nested": [2], "mixed": 3},
    ]));
    let preview = dataset.preview(2, 4096).unwrap();
    assert!(preview.truncated);
    assert_eq!((preview.rows.len(), preview.row_count), (2, 3));
    for column in ["text", "nested", "mixed"] {
        let text = preview.rows[0][column].as_str().unwrap();
        assert!(text.len() <= 4096 && text.ends_with("é… (cut)"), "{column}");
    }
    assert!(preview.rows[0]["text"].as_str().unwrap().starts_with('é'));
    assert!(
        preview.rows[0]["nested"]
            .as_str()
            .unwrap()
            .starts_with("[\"é")
    );
    assert_eq!(
        preview.rows[1],
        *json!({"text": "x", "nested": [1], "mixed": 2})
            .as_object()
            .unwrap()
    );
    let whole = of(json!([{"a": "x"}])).preview(1, 4096).unwrap();
    assert!(!whole.truncated);
}

#[test]
fn the_first_rows_share_the_data() {
    let dataset = of(json!([{"a": "a long text that counts"}, {"a": "b"}]));
    let head = dataset.head(1);
    let first = |dataset: &Dataset| match dataset.cells(0).next() {
        Some(super::Cell::Text(text)) => text.as_ptr(),
        other => panic!("{other:?}"),
    };
    assert_eq!(first(&dataset), first(&head));
    assert!(head.memory_bytes() < dataset.memory_bytes());
}
