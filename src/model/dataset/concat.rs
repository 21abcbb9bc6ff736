//! Concatenates datasets.
//!
//! The caller chooses the datasets and their order.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, new_empty_array, new_null_array};
use arrow_schema::{ArrowError, DataType};

use super::Dataset;
use super::build::{ColumnBuilder, Room, RowError};
use super::column::{Cell, Cells, Column, Gap};
use crate::error::{Error, Result};
use crate::limits::DatasetLimits;

/// The cells of one dataset for a column. `column` is `None` if the dataset does not have it.
struct Part<'a> {
    column: Option<&'a Column>,
    rows: usize,
}

/// Returns the rows of all datasets, one dataset after another. The columns are in the order of
/// their first appearance.
pub(super) fn concat(datasets: &[Dataset], limits: DatasetLimits) -> Result<Dataset> {
    if let [only] = datasets {
        return Ok(only.clone());
    }
    let rows = datasets.iter().map(Dataset::len).sum();
    let (mut seen, mut room) = (HashSet::new(), Room::new(limits));
    let names = datasets
        .iter()
        .flat_map(Dataset::table)
        .map(|column| &column.name)
        .filter(|name| seen.insert(Arc::clone(name)));
    let columns = names.enumerate().map(|(index, name)| {
        room.take_column(name, index)?;
        let parts: Vec<_> = datasets
            .iter()
            .map(|dataset| Part {
                column: dataset.table().iter().find(|column| column.name == *name),
                rows: dataset.len(),
            })
            .collect();
        join(name, &parts, &mut room)
    });
    Ok(Dataset::from_parts(columns.collect::<Result<_>>()?, rows))
}

fn join(name: &Arc<str>, parts: &[Part<'_>], room: &mut Room) -> Result<Column> {
    let Some((sample, gap)) = common_type(parts) else {
        return Ok(join_cells(name, parts, room)?);
    };
    room.replace(0, joined_bytes(parts, sample))?;
    let cells = join_arrays(parts, sample)
        .map_err(|error| Error::internal("datasets cannot be joined").with_source(error))?;
    Ok(Column {
        name: Arc::clone(name),
        cells,
        gap,
    })
}

/// Returns the bytes of the parts as one array.
fn joined_bytes(parts: &[Part<'_>], sample: &Cells) -> u64 {
    let bytes = parts.iter().map(|part| {
        let filled = part.column.filter(|column| column.cells.array().is_some());
        match filled {
            Some(column) => column.cells.memory_bytes(),
            None => sample.gap_bytes(part.rows),
        }
    });
    bytes.fold(0, u64::saturating_add)
}

/// Returns a part with the array type of all parts with values, and the meaning of all gaps.
///
/// Returns `None` if the parts differ in either.
fn common_type<'a>(parts: &[Part<'a>]) -> Option<(&'a Cells, Gap)> {
    let filled = |cells: &&'a Cells| cells.array().is_some();
    let mut all = parts
        .iter()
        .filter_map(|part| part.column)
        .map(|column| &column.cells);
    let sample = all.clone().find(filled).or_else(|| all.clone().next())?;
    let is_json = sample.is_json();
    let kind = sample.data_type();
    if !all
        .by_ref()
        .filter(filled)
        .all(|cells| cells.is_json() == is_json && cells.data_type() == kind)
    {
        return None;
    }
    let mut gaps = parts
        .iter()
        .filter(|part| part.rows > 0)
        .filter_map(|part| match part.column {
            None => Some(Gap::Missing),
            Some(column) => column.has_gaps().then_some(column.gap),
        });
    let gap = gaps.next().unwrap_or(Gap::Missing);
    let is_same_gap = gaps.all(|other| other == gap) && !(is_json && gap == Gap::Null);
    is_same_gap.then_some((sample, gap))
}

fn join_arrays(parts: &[Part<'_>], sample: &Cells) -> Result<Cells, ArrowError> {
    let kind = sample.data_type();
    let arrays: Vec<ArrayRef> = parts
        .iter()
        .map(
            |part| match part.column.and_then(|column| column.cells.array()) {
                Some(array) => array.slice(0, array.len()),
                None => new_null_array(&kind, part.rows),
            },
        )
        .collect();
    let arrays: Vec<&dyn Array> = arrays.iter().map(|array| &**array).collect();
    let joined = match kind {
        DataType::Null => new_null_array(&kind, parts.iter().map(|part| part.rows).sum()),
        _ => concat_arrays(&arrays, &kind)?,
    };
    Cells::from_array(&*joined, sample.is_json())
        .ok_or_else(|| ArrowError::SchemaError("a column has an unsupported type".to_owned()))
}

fn join_cells(name: &Arc<str>, parts: &[Part<'_>], room: &mut Room) -> Result<Column, RowError> {
    let mut builder = ColumnBuilder::new(Arc::clone(name));
    let mut row = 0;
    for part in parts {
        for row_index in 0..part.rows {
            let cell = part
                .column
                .map_or(Cell::Missing, |column| column.cell(row_index));
            builder.push(row, cell, room)?;
            row += 1;
        }
    }
    builder.finish(row, room)
}

/// Returns the first `count` cells in memory of their own.
pub(super) fn copy(column: &Column, count: usize) -> Result<Column> {
    let cells = match column.cells.array() {
        None => Ok(Some(Cells::Gaps(count))),
        Some(array) => {
            // Only several parts are copied.
            let (first, none) = (array.slice(0, count), array.slice(0, 0));
            let copied = arrow_select::concat::concat(&[&*first, &*none]);
            copied.map(|array| Cells::from_array(&*array, column.cells.is_json()))
        }
    };
    let cells = cells
        .map_err(|error| Error::internal("rows cannot be copied").with_source(error))?
        .ok_or_else(|| Error::internal("a column has an unsupported type"))?;
    Ok(Column {
        name: Arc::clone(&column.name),
        cells,
        gap: column.gap,
    })
}

/// Returns the parts as one array. A single part is shared.
pub(super) fn concat_arrays(parts: &[&dyn Array], kind: &DataType) -> Result<ArrayRef, ArrowError> {
    match parts {
        [] => Ok(new_empty_array(kind)),
        [only] => Ok(only.slice(0, only.len())),
        several => arrow_select::concat::concat(several),
    }
}
