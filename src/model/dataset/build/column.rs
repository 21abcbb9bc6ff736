//! Builds one column. The column is typed as long as possible and JSON otherwise.
//!
//! `DatasetBuilder` decides the type of each value, and `values` holds them.

use std::sync::Arc;

use arrow_array::builder::LargeStringBuilder;

use super::values::{Values, no_texts, push_json, texts_bytes, widened};
use super::{Room, RowError};
use crate::model::dataset::column::{Cell, Column, Gap};

#[derive(Debug)]
pub(in crate::model::dataset) struct ColumnBuilder {
    pub(super) name: Arc<str>,
    /// The number of rows in `values`. Cells of later rows are missing so far.
    pub(super) len: usize,
    values: Values,
    /// The meaning of the gaps in `values`. A column with both meanings becomes JSON.
    gap: Option<Gap>,
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
        room: &mut Room,
    ) -> Result<(), RowError> {
        room.check_cell(&self.name, cell)?;
        self.fill(row, room)?;
        let old = self.values.bytes();
        match cell {
            Cell::Missing => self.push_gaps(Gap::Missing, 1, room)?,
            Cell::Null => self.push_gaps(Gap::Null, 1, room)?,
            Cell::Int(_)
            | Cell::UInt(_)
            | Cell::Float(_)
            | Cell::Bool(_)
            | Cell::Text(_)
            | Cell::Json(_) => self.push_some(cell, room)?,
        }
        self.len = row + 1;
        room.replace(old, self.values.bytes())
    }

    pub(in crate::model::dataset) fn finish(
        mut self,
        rows: usize,
        room: &mut Room,
    ) -> Result<Column, RowError> {
        self.fill(rows, room)?;
        Ok(self.take())
    }

    /// Fills the rows before `rows` with missing cells.
    fn fill(&mut self, rows: usize, room: &mut Room) -> Result<(), RowError> {
        let count = rows.saturating_sub(self.len);
        if count == 0 {
            return Ok(());
        }
        let old = self.values.bytes();
        self.push_gaps(Gap::Missing, count, room)?;
        self.len = rows;
        room.replace(old, self.values.bytes())
    }

    /// Appends gaps after a check of their room: few bytes of input can ask for many gaps.
    fn push_gaps(&mut self, gap: Gap, count: usize, room: &Room) -> Result<(), RowError> {
        let is_other_gap = *self.gap.get_or_insert(gap) != gap;
        if is_other_gap && !matches!(self.values, Values::Json(_)) {
            self.values = Values::Json(self.take_as_json(room)?);
        }
        room.check(0, self.values.gap_bytes(gap, count))?;
        self.values.push_gaps(gap, count);
        Ok(())
    }

    fn push_some(&mut self, cell: Cell<'_>, room: &Room) -> Result<(), RowError> {
        if let Values::Gaps(count) = self.values {
            self.values = Values::of_kind(cell);
            if let Some(gap) = self.gap {
                self.push_gaps(gap, count, room)?;
            }
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
        let mut texts = self.take_as_json(room)?;
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
    fn take_as_json(&mut self, room: &Room) -> Result<LargeStringBuilder, RowError> {
        let old = self.values.bytes();
        let column = self.take();
        let mut texts = no_texts();
        for row in 0..column.cells.len() {
            push_json(&mut texts, column.cell(row))?;
            room.check(old, texts_bytes(&texts))?;
        }
        Ok(texts)
    }
}
