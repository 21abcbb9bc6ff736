//! The room that the limits leave to a dataset under construction.
//!
//! The builders of columns count their bytes, and `RowError` carries a refusal.

use super::RowError;
use crate::error::quote;
use crate::limits::DatasetLimits;
use crate::model::dataset::column::Cell;

/// The bytes of a dataset under construction, and its limits.
#[derive(Debug)]
pub(in crate::model::dataset) struct Room {
    limits: DatasetLimits,
    /// The bytes of all columns so far.
    bytes: u64,
}

impl Room {
    /// Creates the room of an empty dataset.
    pub(in crate::model::dataset) const fn new(limits: DatasetLimits) -> Self {
        Self { limits, bytes: 0 }
    }

    #[cfg(feature = "nodes")]
    pub(super) const fn limits(&self) -> &DatasetLimits {
        &self.limits
    }

    /// Checks the size of a cell. The cell may be in memory already, but its copies are not.
    pub(super) fn check_cell(&self, column: &str, cell: Cell<'_>) -> Result<(), RowError> {
        match cell {
            Cell::Text(text) | Cell::Json(text) if text.len() > self.limits.cell_bytes_max => {
                Err(RowError::too_large(format!(
                    "a cell of the column {} has {} bytes, and at most {} are allowed",
                    quote(column),
                    text.len(),
                    self.limits.cell_bytes_max
                )))
            }
            Cell::Text(_)
            | Cell::Json(_)
            | Cell::Missing
            | Cell::Null
            | Cell::Int(_)
            | Cell::UInt(_)
            | Cell::Float(_)
            | Cell::Bool(_) => Ok(()),
        }
    }

    /// Checks a new column and takes the room of its name.
    pub(in crate::model::dataset) fn take_column(
        &mut self,
        name: &str,
        columns: usize,
    ) -> Result<(), RowError> {
        if columns >= self.limits.columns_max {
            return Err(RowError::too_large(format!(
                "a dataset has at most {} columns, and {} would be one more",
                self.limits.columns_max,
                quote(name)
            )));
        }
        if name.len() > self.limits.cell_bytes_max {
            return Err(RowError::too_large(format!(
                "the name of the column {} has {} bytes, and at most {} are allowed",
                quote(name),
                name.len(),
                self.limits.cell_bytes_max
            )));
        }
        self.replace(0, name.len() as u64)
    }

    /// Checks that the column has the room to grow from `old` to `new` bytes.
    pub(super) fn check(&self, old: u64, new: u64) -> Result<(), RowError> {
        let bytes = self.bytes.saturating_sub(old).saturating_add(new);
        if bytes > self.limits.bytes_max {
            return Err(RowError::too_large(format!(
                "a dataset has at most {} bytes, and this one has more",
                self.limits.bytes_max
            )));
        }
        Ok(())
    }

    /// Counts a column that had `old` bytes and has `new` bytes now.
    pub(in crate::model::dataset) fn replace(
        &mut self,
        old: u64,
        new: u64,
    ) -> Result<(), RowError> {
        self.check(old, new)?;
        self.bytes = self.bytes.saturating_sub(old).saturating_add(new);
        Ok(())
    }
}
