//! Reads the rows of a CSV text. All cells are text or null.
//!
//! `records` splits the text, `names` finds the names of the columns. `model::dataset` decides the
//! types afterwards.

use std::io::Read;

use super::error::{Place, ReadError};
use super::names;
use super::options::{CsvOptions, Header, Ragged};
use super::record::Record;
use super::records::Records;
use super::table::{Bounds, Oddity, Table};
use crate::model::Cell;

/// Reads the rows of a CSV text.
pub(super) fn read(
    text: impl Read,
    options: &CsvOptions<'_>,
    bounds: Bounds,
) -> Result<Table, ReadError> {
    let mut records = Records::new(text, options.dialect, options.comment, bounds.limits);
    records.skip_lines(options.skip_lines)?;
    let mut table = Table::new(bounds);
    let mut record = Record::default();
    let mut has_record = records.read(&mut record)?;
    if has_record && names::is_delimiter_line(&record, &options.dialect)? {
        has_record = records.read(&mut record)?;
    }
    let names = names::find(has_record.then_some(&record), options, &mut table.notes)?;
    for name in &names {
        let added = table.builder.find_or_add_column(name);
        added.map_err(|error| ReadError::File(error.to_string()))?;
    }
    table.has_content = has_record;
    if has_record && options.header == Header::FirstRecord {
        has_record = records.read(&mut record)?;
    }
    let mut padded = Oddity::default();
    while has_record && table.wants_more() {
        if needs_padding(&record, names.len(), options.ragged)? {
            padded.add(record.line);
        }
        push(&mut table, &record, &names, options)?;
        has_record = table.wants_more() && records.read(&mut record)?;
    }
    let notes = [
        padded.note("records with too few fields were filled with null"),
        records.blank_lines.note("blank lines were skipped"),
    ];
    table.notes.extend(notes.into_iter().flatten());
    Ok(table)
}

fn push(
    table: &mut Table,
    record: &Record,
    names: &[String],
    options: &CsvOptions<'_>,
) -> Result<(), ReadError> {
    let at =
        |error: crate::model::RowError| ReadError::At(Place::line(record.line), error.to_string());
    for (index, text) in record.texts().enumerate() {
        let text = text?;
        let is_null = match &options.nulls {
            Some(nulls) => {
                let raw = record.raw(index);
                nulls.iter().any(|null| null.as_bytes() == raw)
            }
            // A record of one empty field has quotes, or it would be a blank line.
            None => text.is_empty() && (!record.is_quoted(index) || names.len() == 1),
        };
        let cell = if is_null {
            Cell::Null
        } else {
            Cell::Text(text)
        };
        table.builder.push(index, cell).map_err(at)?;
    }
    for index in record.len()..names.len() {
        table.builder.push(index, Cell::Null).map_err(at)?;
    }
    table.end_row(record.line);
    Ok(())
}

/// Returns whether the record lacks fields.
///
/// # Errors
/// Refuses a record with too many fields, and one that lacks fields unless `ragged` says to pad it.
fn needs_padding(record: &Record, width: usize, ragged: Ragged) -> Result<bool, ReadError> {
    let found = record.len();
    if found == width {
        return Ok(false);
    }
    if found < width && ragged == Ragged::Pad {
        return Ok(true);
    }
    let advice = if found < width {
        " (set ragged to \"pad\" to fill them with null)"
    } else {
        ""
    };
    Err(ReadError::At(
        Place::line(record.line),
        format!("it has {found} fields, not {width}{advice}"),
    ))
}
