//! Infers types for columns of strings. A column becomes numbers or booleans only if each of them
//! prints its string back exactly; otherwise the column keeps its strings.
//!
//! `number` decides what a number prints. `typed` converts columns whose type is given.

use std::sync::Arc;

use super::build::{ColumnBuilder, Room, RowError};
use super::column::{Cell, Cells, Column};
use super::number::exact_cell;
use crate::limits::DatasetLimits;

/// Returns the column with numbers or booleans, or `None` if it keeps its strings.
pub(super) fn infer(
    column: &Column,
    rows: usize,
    limits: DatasetLimits,
) -> Result<Option<Column>, RowError> {
    let Cells::Text(texts) = &column.cells else {
        return Ok(None);
    };
    for parse in [exact_cell, boolean] {
        if texts.iter().flatten().all(|text| parse(text).is_some()) {
            return convert(column, rows, parse, limits).map(Some);
        }
    }
    Ok(None)
}

fn boolean(text: &str) -> Option<Cell<'static>> {
    match text {
        "true" => Some(Cell::Bool(true)),
        "false" => Some(Cell::Bool(false)),
        _ => None,
    }
}

fn convert(
    column: &Column,
    rows: usize,
    parse: fn(&str) -> Option<Cell<'static>>,
    limits: DatasetLimits,
) -> Result<Column, RowError> {
    let mut builder = ColumnBuilder::new(Arc::clone(&column.name));
    let mut room = Room::new(limits);
    for row in 0..rows {
        let cell = match column.cell(row) {
            Cell::Text(text) => parse(text).unwrap_or(Cell::Text(text)),
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
    builder.finish(rows, &mut room)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::limits::DatasetLimits;
    use crate::model::{Dataset, OtherColumns};

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
            .with_types(&[], OtherColumns::Infer, DatasetLimits::default())
            .unwrap();
        let rows = inferred.rows().unwrap();
        rows.into_iter()
            .map(|mut row| row.remove("a").unwrap())
            .collect()
    }

    #[test]
    fn a_column_has_the_type_that_prints_all_its_strings() {
        assert_eq!(
            infer(&["1", "", "-20", "0"]),
            [json!(1), json!(null), json!(-20), json!(0)]
        );
        assert_eq!(
            infer(&["-1", "18446744073709551615"]),
            [json!(-1), json!(u64::MAX)]
        );
        assert_eq!(
            infer(&["1", "2.5", "-0.25"]),
            [json!(1), json!(2.5), json!(-0.25)]
        );
        assert_eq!(infer(&["true", "false"]), [json!(true), json!(false)]);
        assert_eq!(infer(&["", ""]), [json!(null), json!(null)]);
    }

    #[test]
    fn a_string_that_no_type_prints_keeps_the_column_as_strings() {
        for text in [
            "1E5",
            "10E4",
            "3.10",
            "19.90",
            "32E0134",
            "0E12",
            "TRUE",
            "True",
            "007",
            "+1",
            "1.",
            ".5",
            "0x10",
            "1 ",
            " 1",
            "01.5",
            "1_000",
            "NaN",
            "inf",
            "1e999",
            "-0",
            "18446744073709551616",
            "0.12345678901234567890",
            "true ",
            "yes",
            "true",
            "−1",
            "١",
        ] {
            assert_eq!(infer(&["1", text]), [json!("1"), json!(text)], "{text}");
        }
        assert_eq!(infer(&["true", "FALSE"]), [json!("true"), json!("FALSE")]);
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_inferred_prints_the_given_texts(texts in proptest::collection::vec("-?[0-9]{1,3}(\\.[0-9]{1,3})?([eE]-?[0-9]{1,2})?|true|TRUE", 0..4)) {
            let given: Vec<_> = texts.iter().map(String::as_str).collect();
            let printed: Vec<_> = infer(&given)
                .into_iter()
                .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
                .collect();
            proptest::prop_assert_eq!(printed, texts);
        }
    }
}
