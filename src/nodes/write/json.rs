//! Writes rows as JSON: one object per line, or one array.
//!
//! `model::dataset` writes each object.

use std::io::Write;

use super::output::{Text, WriteError};
use crate::model::Dataset;

/// Writes one JSON object per line.
pub(super) fn lines<W: Write>(dataset: &Dataset, text: &mut Text<'_, W>) -> Result<(), WriteError> {
    let mut line = Vec::new();
    for row in 0..dataset.len() {
        line.clear();
        dataset.write_row(&mut line, row)?;
        line.push(b'\n');
        write(text, row, &line)?;
    }
    Ok(())
}

/// Writes one array of JSON objects, with a line for each.
pub(super) fn array<W: Write>(dataset: &Dataset, text: &mut Text<'_, W>) -> Result<(), WriteError> {
    let mut line = Vec::new();
    for row in 0..dataset.len() {
        line.clear();
        line.extend_from_slice(if row == 0 { b"[\n" } else { b",\n" });
        dataset.write_row(&mut line, row)?;
        write(text, row, &line)?;
    }
    text.write(0, if dataset.len() == 0 { "[]\n" } else { "\n]\n" })
}

fn write<W: Write>(text: &mut Text<'_, W>, row: usize, line: &[u8]) -> Result<(), WriteError> {
    let number = row.saturating_add(1);
    let line = std::str::from_utf8(line)
        .map_err(|_| WriteError::Row(number, "it is not UTF-8".to_owned()))?;
    text.write(number, line)
}
