//! Builds the preview of a dataset: its first rows, with truncated cells.
//!
//! The caller takes the bounds from `Limits`.

use serde_json::{Map, Value};

use super::Dataset;
use super::column::Cell;
use super::number::has_exact_value;
use super::rows::to_value;
use crate::error::{Result, truncate};
use crate::model::{Preview, PreviewBounds, PreviewBuilder};

pub(super) fn preview(dataset: &Dataset, bounds: PreviewBounds) -> Result<Preview> {
    let mut builder = PreviewBuilder::new(dataset.columns(), dataset.row_count(), bounds);
    for row_index in 0..dataset.len() {
        let (row, is_truncated) = row(dataset, row_index, bounds.cell_bytes_max)?;
        if is_truncated {
            builder.set_truncated();
        }
        if !builder.push(row) {
            break;
        }
    }
    Ok(builder.finish())
}

/// Returns a row with truncated cells, and whether a cell was truncated.
pub(super) fn row(
    dataset: &Dataset,
    row_index: usize,
    cell_bytes_max: usize,
) -> Result<(Map<String, Value>, bool)> {
    let (mut row, mut is_truncated) = (Map::new(), false);
    for column in dataset.table() {
        let (value, was_truncated) = shortened(column.cell(row_index), cell_bytes_max)?;
        is_truncated |= was_truncated;
        if let Some(value) = value {
            row.insert(column.name.to_string(), value);
        }
    }
    Ok((row, is_truncated))
}

/// Returns the value, and whether it was truncated to `bytes_max` bytes. A truncated nested value
/// becomes a string.
pub(super) fn shortened(cell: Cell<'_>, bytes_max: usize) -> Result<(Option<Value>, bool)> {
    let text = match cell {
        Cell::Text(text) => text,
        // As a JSON value it would be rounded, so its digits are shown as a text.
        Cell::Json(text) if is_inexact(text) => {
            return Ok(shortened_value(Some(Value::from(text)), bytes_max));
        }
        Cell::Json(text) if !text.starts_with('"') => text,
        Cell::Json(_)
        | Cell::Missing
        | Cell::Null
        | Cell::Int(_)
        | Cell::UInt(_)
        | Cell::Float(_)
        | Cell::Bool(_) => return Ok(shortened_value(to_value(cell)?, bytes_max)),
    };
    if text.len() <= bytes_max {
        return Ok((to_value(cell)?, false));
    }
    // Copies only the beginning, because a cell can have any length.
    let longer = text.floor_char_boundary(bytes_max.saturating_add(4));
    let truncated = truncate(text[..longer].to_owned(), bytes_max);
    Ok((Some(Value::String(truncated)), true))
}

/// Returns whether the text is a number that 64 bits do not hold.
fn is_inexact(text: &str) -> bool {
    text.starts_with(|first: char| first == '-' || first.is_ascii_digit()) && !has_exact_value(text)
}

fn shortened_value(value: Option<Value>, bytes_max: usize) -> (Option<Value>, bool) {
    match value {
        Some(Value::String(text)) if text.len() > bytes_max => {
            (Some(Value::String(truncate(text, bytes_max))), true)
        }
        value => (value, false),
    }
}
