//! Converts rows to a dataset and back.
//!
//! `preview` truncates rows.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::Dataset;
use super::build::{DatasetBuilder, RowError};
use super::column::Cell;
use super::parse::describe;
use crate::error::{Error, Result};
use crate::limits::DatasetLimits;

type Row = Map<String, Value>;

pub(super) fn from_rows(rows: Vec<Row>, limits: DatasetLimits) -> Result<Dataset> {
    let mut builder = DatasetBuilder::new(limits);
    // Drops each row once it is added, so that memory does not hold a large input twice.
    for (row_index, row) in rows.into_iter().enumerate() {
        builder
            .push_row(&row)
            .map_err(|error| error.in_row(row_index))?;
    }
    Ok(builder.finish()?)
}

pub(super) fn from_serialize<T: Serialize>(rows: &[T], limits: DatasetLimits) -> Result<Dataset> {
    let mut builder = DatasetBuilder::new(limits);
    let mut text = Vec::new();
    for (row_index, row) in rows.iter().enumerate() {
        text.clear();
        serde_json::to_writer(&mut text, row)
            .map_err(|error| RowError::new(describe(&error)).in_row(row_index))?;
        builder
            .push_json_row(&text)
            .map_err(|error| error.in_row(row_index))?;
    }
    Ok(builder.finish()?)
}

pub(super) fn to_rows(dataset: &Dataset) -> Result<Vec<Row>> {
    (0..dataset.len())
        .map(|row_index| to_row(dataset, row_index))
        .collect()
}

pub(super) fn deserialize<T: DeserializeOwned>(dataset: &Dataset) -> Result<Vec<T>> {
    (0..dataset.len())
        .map(|row_index| {
            serde_json::from_value(Value::Object(to_row(dataset, row_index)?))
                .map_err(|error| RowError::new(describe(&error)).in_row(row_index))
        })
        .collect()
}

fn to_row(dataset: &Dataset, row_index: usize) -> Result<Row> {
    let mut row = Row::new();
    for column in dataset.table() {
        if let Some(value) = to_value(column.cell(row_index))? {
            row.insert(column.name.to_string(), value);
        }
    }
    Ok(row)
}

/// Returns the value of a cell, or `None` if the cell is missing.
pub(super) fn to_value(cell: Cell<'_>) -> Result<Option<Value>> {
    Ok(match cell {
        Cell::Missing => None,
        Cell::Null => Some(Value::Null),
        Cell::Int(value) => Some(Value::from(value)),
        Cell::UInt(value) => Some(Value::from(value)),
        Cell::Float(value) => Some(Value::from(value)),
        Cell::Bool(value) => Some(Value::from(value)),
        Cell::Text(value) => Some(Value::from(value)),
        Cell::Json(text) => Some(serde_json::from_str(text).map_err(|error| {
            Error::internal("a stored value cannot be read").with_source(error)
        })?),
    })
}
