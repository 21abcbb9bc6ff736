//! Builds columns from rows. A column is typed while all its values have one type, and becomes JSON
//! at the first other value.
//!
//! `parse` reads rows from JSON texts, `concat` joins datasets.

mod column;
mod room;
mod row_error;
mod values;

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Number, Value};

use super::Dataset;
use super::column::Cell;
use crate::error::Problem;
use crate::limits::DatasetLimits;
pub(super) use column::ColumnBuilder;
pub(super) use room::Room;
pub(crate) use row_error::RowError;

/// The most levels of arrays and objects in a value. `serde_json` reads at most 127 levels, and a
/// written value must be readable inside its row and an answer.
pub(super) const NESTING_MAX: usize = 120;

/// Builds a dataset row by row. Unusable after an error.
#[derive(Debug)]
pub(crate) struct DatasetBuilder {
    room: Room,
    columns: Vec<ColumnBuilder>,
    indexes_by_name: HashMap<Arc<str>, usize, foldhash::fast::RandomState>,
    row_count: usize,
    /// The index of the next cell's column, if the row has the same order as the previous ones.
    next_index: usize,
    /// A reusable buffer for the JSON text of a nested value.
    scratch: Vec<u8>,
    /// The problem of the last refused cell, for errors that pass through a deserializer.
    pub(super) refused: Option<Problem>,
}

impl DatasetBuilder {
    /// Creates a builder without columns. It refuses the row that exceeds one of the limits.
    pub(crate) fn new(limits: DatasetLimits) -> Self {
        Self {
            room: Room::new(limits),
            columns: Vec::new(),
            indexes_by_name: HashMap::default(),
            row_count: 0,
            next_index: 0,
            scratch: Vec::new(),
            refused: None,
        }
    }

    /// Returns the limits of the dataset.
    #[cfg(feature = "nodes")]
    pub(crate) const fn limits(&self) -> &DatasetLimits {
        self.room.limits()
    }

    /// Returns the number of completed rows.
    pub(crate) const fn row_count(&self) -> usize {
        self.row_count
    }

    /// Returns the index of a column. Adds the column if it does not exist.
    pub(crate) fn find_or_add_column(&mut self, name: &str) -> Result<usize, RowError> {
        let column_index = match self.columns.get(self.next_index) {
            Some(column) if *column.name == *name => self.next_index,
            Some(_) | None => self.find_or_add_by_name(name)?,
        };
        self.next_index = column_index.saturating_add(1);
        Ok(column_index)
    }

    fn find_or_add_by_name(&mut self, name: &str) -> Result<usize, RowError> {
        if let Some(column_index) = self.indexes_by_name.get(name) {
            return Ok(*column_index);
        }
        self.room.take_column(name, self.columns.len())?;
        let (name, column_index) = (Arc::<str>::from(name), self.columns.len());
        self.columns.push(ColumnBuilder::new(Arc::clone(&name)));
        self.indexes_by_name.insert(name, column_index);
        Ok(column_index)
    }

    /// Adds a cell to the current row.
    pub(crate) fn push(&mut self, column_index: usize, cell: Cell<'_>) -> Result<(), RowError> {
        let column = self
            .columns
            .get_mut(column_index)
            .ok_or_else(|| RowError::new("no such column"))?;
        if column.len > self.row_count {
            let name = crate::error::quote(&column.name);
            return Err(RowError::new(format!("the key {name} comes twice")));
        }
        column.push(self.row_count, cell, &mut self.room)
    }

    /// Adds a value to the current row.
    pub(super) fn push_value(
        &mut self,
        column_index: usize,
        value: &Value,
    ) -> Result<(), RowError> {
        match value {
            Value::Null => self.push(column_index, Cell::Null),
            Value::Bool(value) => self.push(column_index, Cell::Bool(*value)),
            Value::String(value) => self.push(column_index, Cell::Text(value)),
            Value::Number(number) => match cell_from_number(number) {
                Some(cell) => self.push(column_index, cell),
                None => self.push_json(column_index, value),
            },
            Value::Array(_) | Value::Object(_) if is_nested_deeper(value, NESTING_MAX) => {
                Err(RowError::new(format!(
                    "a value is nested more than {NESTING_MAX} levels deep"
                )))
            }
            Value::Array(_) | Value::Object(_) => self.push_json(column_index, value),
        }
    }

    fn push_json(&mut self, column_index: usize, value: &Value) -> Result<(), RowError> {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        serde_json::to_writer(&mut scratch, value)
            .map_err(|error| RowError::new(error.to_string()))?;
        let text = std::str::from_utf8(&scratch).map_err(|error| RowError::new(error.to_string()));
        let pushed = text.and_then(|text| self.push(column_index, Cell::Json(text)));
        self.scratch = scratch;
        pushed
    }

    /// Ends the current row.
    pub(crate) const fn end_row(&mut self) {
        self.row_count += 1;
        self.next_index = 0;
    }

    /// Adds a complete row.
    pub(super) fn push_row(&mut self, row: &Map<String, Value>) -> Result<(), RowError> {
        for (name, value) in row {
            let column_index = self.find_or_add_column(name)?;
            self.push_value(column_index, value)?;
        }
        self.end_row();
        Ok(())
    }

    /// Returns the dataset of the rows so far.
    pub(crate) fn finish(mut self) -> Result<Dataset, RowError> {
        let rows = self.row_count;
        let columns = self
            .columns
            .into_iter()
            .map(|column| column.finish(rows, &mut self.room))
            .collect::<Result<_, _>>()?;
        Ok(Dataset::from_parts(columns, rows))
    }
}

/// Returns a cell that preserves this number exactly. Returns `None` for a number that only its
/// text preserves, which is possible if the host enables `arbitrary_precision`.
fn cell_from_number(number: &Number) -> Option<Cell<'static>> {
    if let Some(value) = number.as_i64() {
        return (Number::from(value) == *number).then_some(Cell::Int(value));
    }
    if let Some(value) = number.as_u64() {
        return (Number::from(value) == *number).then_some(Cell::UInt(value));
    }
    let value = number.as_f64()?;
    (Number::from_f64(value)? == *number).then_some(Cell::Float(value))
}

fn is_nested_deeper(value: &Value, levels: usize) -> bool {
    match (value, levels.checked_sub(1)) {
        (Value::Array(_) | Value::Object(_), None) => true,
        (Value::Array(items), Some(rest)) => items.iter().any(|item| is_nested_deeper(item, rest)),
        (Value::Object(map), Some(rest)) => map.values().any(|item| is_nested_deeper(item, rest)),
        (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_), _) => false,
    }
}
