//! The values of a column under construction.
//!
//! `column` decides when a column becomes JSON.

use std::fmt::Write as _;
use std::io;

use arrow_array::builder::{
    ArrayBuilder, BooleanBuilder, Float64Builder, Int64Builder, LargeStringBuilder, UInt64Builder,
};

use super::RowError;
use crate::model::dataset::column::{BOOL_BYTES, Cell, Cells, Gap, NUMBER_BYTES, TEXT_BYTES};
use crate::model::dataset::json::write_cell;

/// The JSON text of a null.
const NULL: &str = "null";

/// The builder of a column's array. Each starts without capacity, so that a column costs what it
/// holds.
#[derive(Debug)]
pub(super) enum Values {
    /// This many gaps and no values.
    Gaps(usize),
    Int(Int64Builder),
    UInt(UInt64Builder),
    Float(Float64Builder),
    Bool(BooleanBuilder),
    Text(LargeStringBuilder),
    Json(LargeStringBuilder),
}

impl Values {
    /// Creates empty values of the cell's type.
    pub(super) fn of_kind(cell: Cell<'_>) -> Self {
        match cell {
            Cell::Missing | Cell::Null => Self::Gaps(0),
            Cell::Int(_) => Self::Int(Int64Builder::with_capacity(0)),
            Cell::UInt(_) => Self::UInt(UInt64Builder::with_capacity(0)),
            Cell::Float(_) => Self::Float(Float64Builder::with_capacity(0)),
            Cell::Bool(_) => Self::Bool(BooleanBuilder::with_capacity(0)),
            Cell::Text(_) => Self::Text(no_texts()),
            Cell::Json(_) => Self::Json(no_texts()),
        }
    }

    /// Returns the bytes of the column, as [`Cells::memory_bytes`] counts them.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Gaps(_) => 0,
            Self::Int(values) => numbers_bytes(values.values_slice().len()),
            Self::UInt(values) => numbers_bytes(values.values_slice().len()),
            Self::Float(values) => numbers_bytes(values.values_slice().len()),
            Self::Bool(values) => BOOL_BYTES.saturating_mul(values.len() as u64),
            Self::Text(values) | Self::Json(values) => texts_bytes(values),
        }
    }

    /// Returns the bytes of `count` gaps next to values like these.
    pub(super) const fn gap_bytes(&self, gap: Gap, count: usize) -> u64 {
        let bytes = match (self, gap) {
            (Self::Gaps(_), _) => 0,
            (Self::Int(_) | Self::UInt(_) | Self::Float(_), _) => NUMBER_BYTES,
            (Self::Bool(_), _) => BOOL_BYTES,
            (Self::Json(_), Gap::Null) => TEXT_BYTES + NULL.len() as u64,
            (Self::Text(_) | Self::Json(_), _) => TEXT_BYTES,
        };
        bytes.saturating_mul(count as u64)
    }

    /// Appends gaps with this meaning. Typed values hold gaps of one meaning only.
    pub(super) fn push_gaps(&mut self, gap: Gap, count: usize) {
        match self {
            Self::Gaps(held) => *held = held.saturating_add(count),
            Self::Int(values) => values.append_nulls(count),
            Self::UInt(values) => values.append_nulls(count),
            Self::Float(values) => values.append_nulls(count),
            Self::Bool(values) => values.append_nulls(count),
            Self::Text(values) => values.append_nulls(count),
            Self::Json(values) => push_json_gaps(values, gap, count),
        }
    }

    /// Appends the cell if it has this type. Returns whether it did.
    pub(super) fn accept(&mut self, cell: Cell<'_>) -> Result<bool, RowError> {
        match (self, cell) {
            (Self::Int(values), Cell::Int(value)) => values.append_value(value),
            (Self::UInt(values), Cell::UInt(value)) => values.append_value(value),
            (Self::UInt(values), Cell::Int(value)) => match u64::try_from(value) {
                Ok(value) => values.append_value(value),
                Err(_) => return Ok(false),
            },
            (Self::Float(values), Cell::Float(value)) => values.append_value(value),
            (Self::Bool(values), Cell::Bool(value)) => values.append_value(value),
            (Self::Text(values), Cell::Text(value)) => values.append_value(value),
            (Self::Json(values), cell) => push_json(values, cell)?,
            (
                Self::Gaps(_)
                | Self::Int(_)
                | Self::UInt(_)
                | Self::Float(_)
                | Self::Bool(_)
                | Self::Text(_),
                _,
            ) => return Ok(false),
        }
        Ok(true)
    }

    pub(super) fn finish(self) -> Cells {
        match self {
            Self::Gaps(count) => Cells::Gaps(count),
            Self::Int(mut values) => Cells::Int(values.finish()),
            Self::UInt(mut values) => Cells::UInt(values.finish()),
            Self::Float(mut values) => Cells::Float(values.finish()),
            Self::Bool(mut values) => Cells::Bool(values.finish()),
            Self::Text(mut values) => Cells::Text(values.finish()),
            Self::Json(mut values) => Cells::Json(values.finish()),
        }
    }
}

fn numbers_bytes(count: usize) -> u64 {
    NUMBER_BYTES.saturating_mul(count as u64)
}

pub(super) fn texts_bytes(texts: &LargeStringBuilder) -> u64 {
    let positions = TEXT_BYTES.saturating_mul(texts.len() as u64);
    positions.saturating_add(texts.values_slice().len() as u64)
}

pub(super) fn no_texts() -> LargeStringBuilder {
    LargeStringBuilder::with_capacity(0, 0)
}

/// Returns the integers as `u64`, or `None` if one is negative.
pub(super) fn widened(ints: &Int64Builder) -> Option<UInt64Builder> {
    let held = ints.finish_cloned();
    let mut wider = UInt64Builder::with_capacity(held.values().len());
    for value in &held {
        match value.map(u64::try_from) {
            None => wider.append_null(),
            Some(Ok(value)) => wider.append_value(value),
            Some(Err(_)) => return None,
        }
    }
    Some(wider)
}

fn push_json_gaps(texts: &mut LargeStringBuilder, gap: Gap, count: usize) {
    match gap {
        Gap::Missing => texts.append_nulls(count),
        Gap::Null => texts.append_value_n(NULL, count),
    }
}

pub(super) fn push_json(texts: &mut LargeStringBuilder, cell: Cell<'_>) -> Result<(), RowError> {
    match cell {
        Cell::Missing => texts.append_null(),
        Cell::Null => texts.append_value(NULL),
        Cell::Json(text) => texts.append_value(text),
        Cell::Int(_) | Cell::UInt(_) | Cell::Float(_) | Cell::Bool(_) | Cell::Text(_) => {
            write_cell(&mut Unfinished(texts), cell)
                .map_err(|error| RowError::new(error.to_string()))?;
            texts.append_value("");
        }
    }
    Ok(())
}

/// Writes bytes to the text that the next `append_value` completes.
struct Unfinished<'a>(&'a mut LargeStringBuilder);

impl io::Write for Unfinished<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = std::str::from_utf8(bytes).map_err(io::Error::other)?;
        self.0.write_str(text).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_column_holds_no_memory() {
        for cell in [
            Cell::Int(1),
            Cell::UInt(u64::MAX),
            Cell::Float(0.5),
            Cell::Bool(true),
            Cell::Text("a"),
            Cell::Json("[]"),
        ] {
            let capacity = match Values::of_kind(cell) {
                Values::Gaps(count) => count,
                Values::Int(values) => values.capacity(),
                Values::UInt(values) => values.capacity(),
                Values::Float(values) => values.capacity(),
                Values::Bool(values) => values.capacity(),
                Values::Text(texts) | Values::Json(texts) => texts.values_slice().len(),
            };
            assert_eq!(capacity, 0, "{cell:?}");
        }
    }
}
