//! Builds one column. The column is typed as long as possible and JSON otherwise.
//!
//! `DatasetBuilder` decides the type of each value.

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Float64Builder, Int64Builder, LargeStringBuilder, UInt64Builder,
};

use super::RowError;
use crate::model::dataset::column::{Cell, Cells, Column, Gap};
use crate::model::dataset::json::write_cell;

#[derive(Debug)]
pub(in crate::model::dataset) struct ColumnBuilder {
    pub(super) name: Arc<str>,
    /// The number of rows in `values`. Cells of later rows are missing so far.
    pub(super) len: usize,
    values: Values,
    /// The meaning of the gaps in `values`. A column with both meanings becomes JSON.
    gap: Option<Gap>,
}

#[derive(Debug)]
enum Values {
    /// This many gaps and no values.
    Gaps(usize),
    Int(Int64Builder),
    UInt(UInt64Builder),
    Float(Float64Builder),
    Bool(BooleanBuilder),
    Text(LargeStringBuilder),
    Json(LargeStringBuilder),
}

impl ColumnBuilder {
    pub(in crate::model::dataset) const fn new(name: Arc<str>) -> Self {
        Self {
            name,
            len: 0,
            values: Values::Gaps(0),
            gap: None,
        }
    }

    /// Sets the cell of a row. The row MUST NOT be less than `len`.
    pub(in crate::model::dataset) fn push(
        &mut self,
        row: usize,
        cell: Cell<'_>,
    ) -> Result<(), RowError> {
        self.fill(row)?;
        match cell {
            Cell::Missing => self.push_gaps(Gap::Missing, 1)?,
            Cell::Null => self.push_gaps(Gap::Null, 1)?,
            Cell::Int(_)
            | Cell::UInt(_)
            | Cell::Float(_)
            | Cell::Bool(_)
            | Cell::Text(_)
            | Cell::Json(_) => self.push_some(cell)?,
        }
        self.len = row + 1;
        Ok(())
    }

    pub(in crate::model::dataset) fn finish(mut self, rows: usize) -> Result<Column, RowError> {
        self.fill(rows)?;
        Ok(self.take())
    }

    /// Fills the rows before `rows` with missing cells.
    fn fill(&mut self, rows: usize) -> Result<(), RowError> {
        let count = rows.saturating_sub(self.len);
        if count > 0 {
            self.push_gaps(Gap::Missing, count)?;
            self.len = rows;
        }
        Ok(())
    }

    fn push_gaps(&mut self, gap: Gap, count: usize) -> Result<(), RowError> {
        if let Values::Json(texts) = &mut self.values {
            push_json_gaps(texts, gap, count);
        } else if *self.gap.get_or_insert(gap) == gap {
            self.values.push_gaps(count);
        } else {
            let mut texts = self.take_as_json()?;
            push_json_gaps(&mut texts, gap, count);
            self.values = Values::Json(texts);
        }
        Ok(())
    }

    fn push_some(&mut self, cell: Cell<'_>) -> Result<(), RowError> {
        if let Values::Gaps(count) = self.values {
            self.values = Values::of_kind(cell, self.gap, count);
        }
        if self.values.accept(cell)? {
            return Ok(());
        }
        if let (Values::Int(ints), Cell::UInt(value)) = (&mut self.values, cell)
            && let Some(mut wider) = widened(ints)
        {
            wider.append_value(value);
            self.values = Values::UInt(wider);
            return Ok(());
        }
        let mut texts = self.take_as_json()?;
        push_json(&mut texts, cell)?;
        self.values = Values::Json(texts);
        Ok(())
    }

    /// Removes the content and returns it as a column.
    fn take(&mut self) -> Column {
        Column {
            name: Arc::clone(&self.name),
            cells: std::mem::replace(&mut self.values, Values::Gaps(0)).finish(),
            gap: self.gap.unwrap_or(Gap::Missing),
        }
    }

    /// Removes the content and returns it as JSON texts.
    fn take_as_json(&mut self) -> Result<LargeStringBuilder, RowError> {
        let column = self.take();
        let mut texts = LargeStringBuilder::new();
        for row in 0..self.len {
            push_json(&mut texts, column.cell(row))?;
        }
        Ok(texts)
    }
}

impl Values {
    /// Creates values of the cell's type, with `count` gaps.
    fn of_kind(cell: Cell<'_>, gap: Option<Gap>, count: usize) -> Self {
        let mut values = match cell {
            Cell::Missing | Cell::Null => Self::Gaps(0),
            Cell::Int(_) => Self::Int(Int64Builder::new()),
            Cell::UInt(_) => Self::UInt(UInt64Builder::new()),
            Cell::Float(_) => Self::Float(Float64Builder::new()),
            Cell::Bool(_) => Self::Bool(BooleanBuilder::new()),
            Cell::Text(_) => Self::Text(LargeStringBuilder::new()),
            Cell::Json(_) => {
                let mut texts = LargeStringBuilder::new();
                push_json_gaps(&mut texts, gap.unwrap_or(Gap::Missing), count);
                return Self::Json(texts);
            }
        };
        values.push_gaps(count);
        values
    }

    fn push_gaps(&mut self, count: usize) {
        match self {
            Self::Gaps(held) => *held += count,
            Self::Int(values) => values.append_nulls(count),
            Self::UInt(values) => values.append_nulls(count),
            Self::Float(values) => values.append_nulls(count),
            Self::Bool(values) => values.append_nulls(count),
            Self::Text(values) | Self::Json(values) => values.append_nulls(count),
        }
    }

    /// Appends the cell if it has this type. Returns whether it did.
    fn accept(&mut self, cell: Cell<'_>) -> Result<bool, RowError> {
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

    fn finish(self) -> Cells {
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

/// Returns the integers as `u64`, or `None` if one is negative.
fn widened(ints: &Int64Builder) -> Option<UInt64Builder> {
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
        Gap::Null => texts.append_value_n("null", count),
    }
}

fn push_json(texts: &mut LargeStringBuilder, cell: Cell<'_>) -> Result<(), RowError> {
    match cell {
        Cell::Missing => texts.append_null(),
        Cell::Null => texts.append_value("null"),
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
