//! Writes cells and rows as JSON texts.
//!
//! `parse` reads them. `nodes` handles lines and files.

use std::io;

#[cfg(any(feature = "nodes", test))]
use super::Dataset;
use super::column::Cell;

/// Writes a cell as JSON. A missing cell becomes null.
pub(crate) fn write_cell(out: &mut impl io::Write, cell: Cell<'_>) -> io::Result<()> {
    match cell {
        Cell::Missing | Cell::Null => out.write_all(b"null"),
        Cell::Int(value) => Ok(serde_json::to_writer(out, &value)?),
        Cell::UInt(value) => Ok(serde_json::to_writer(out, &value)?),
        Cell::Float(value) => Ok(serde_json::to_writer(out, &value)?),
        Cell::Bool(value) => Ok(serde_json::to_writer(out, &value)?),
        Cell::Text(value) => Ok(serde_json::to_writer(out, value)?),
        Cell::Json(text) => out.write_all(text.as_bytes()),
    }
}

#[cfg(any(feature = "nodes", test))]
impl Dataset {
    /// Writes a row as a JSON object without a trailing newline. Omits missing cells.
    pub(crate) fn write_row(&self, out: &mut impl io::Write, row: usize) -> io::Result<()> {
        let mut separator: &[u8] = b"{";
        for column in self.table() {
            let cell = column.cell(row);
            if cell != Cell::Missing {
                out.write_all(separator)?;
                serde_json::to_writer(&mut *out, &*column.name)?;
                out.write_all(b":")?;
                write_cell(out, cell)?;
                separator = b",";
            }
        }
        if separator == b"{" {
            out.write_all(separator)?;
        }
        out.write_all(b"}")
    }
}
