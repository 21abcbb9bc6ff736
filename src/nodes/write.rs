//! Encodes rows in each file format.
//!
//! `sink_file` opens the output.

use std::io::{self, Write};

use super::blocking::StopCheck;
use crate::executor::ExecutorError;
use crate::model::{Cell, Dataset, write_cell};

/// How many rows a writer writes between checks whether to stop.
const ROWS_BETWEEN_CHECKS: usize = 1024;

/// Why rows cannot be written.
pub(super) enum WriteError {
    Io(io::Error),
    Stopped(ExecutorError),
}

impl From<io::Error> for WriteError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn check(row: usize, stop: &StopCheck) -> Result<(), WriteError> {
    if row.is_multiple_of(ROWS_BETWEEN_CHECKS) {
        stop.check().map_err(WriteError::Stopped)?;
    }
    Ok(())
}

/// Writes one JSON object per line.
pub(super) fn ndjson(
    dataset: &Dataset,
    out: &mut impl Write,
    stop: &StopCheck,
) -> Result<(), WriteError> {
    for row in 0..dataset.len() {
        check(row, stop)?;
        dataset.write_row(out, row)?;
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}

/// Writes a header and one record per row. Null and missing cells are empty, texts are verbatim,
/// others are JSON.
pub(super) fn csv(
    dataset: &Dataset,
    out: &mut impl Write,
    stop: &StopCheck,
) -> Result<(), WriteError> {
    let columns = dataset.columns();
    if columns.is_empty() {
        return Ok(out.flush()?);
    }
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(&columns).map_err(io::Error::from)?;
    let mut field = Vec::new();
    for row in 0..dataset.len() {
        check(row, stop)?;
        for cell in dataset.cells(row) {
            field.clear();
            write_field(&mut field, cell)?;
            writer.write_field(&field).map_err(io::Error::from)?;
        }
        writer
            .write_record(None::<&[u8]>)
            .map_err(io::Error::from)?;
    }
    Ok(writer.flush()?)
}

fn write_field(field: &mut Vec<u8>, cell: Cell<'_>) -> io::Result<()> {
    match cell {
        Cell::Missing | Cell::Null => Ok(()),
        Cell::Text(text) => field.write_all(text.as_bytes()),
        // A text in a column of mixed kinds is stored as JSON, but written as text.
        Cell::Json(text) if text.starts_with('"') => {
            let text: String = serde_json::from_str(text)?;
            field.write_all(text.as_bytes())
        }
        Cell::Int(_) | Cell::UInt(_) | Cell::Float(_) | Cell::Bool(_) | Cell::Json(_) => {
            write_cell(field, cell)
        }
    }
}
