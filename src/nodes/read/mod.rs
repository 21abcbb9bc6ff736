//! Reads the rows of a file in each format. Nothing is guessed and nothing is lost: what a format
//! does not allow is an error with its place.
//!
//! `text` opens the text of a file. `csv`, `ndjson` and `array` read its rows.

mod array;
mod csv;
mod error;
mod names;
mod ndjson;
mod options;
mod record;
mod records;
mod scanner;
mod table;
mod text;
mod whole_file;

use std::io::Read;

pub(super) use error::ReadError;
pub(super) use options::CsvOptions;
pub(super) use table::{Bounds, Table};
pub(super) use text::open;
pub(super) use whole_file::WholeFile;

use super::blocking::StopCheck;
use super::compression::Compression;
use super::format::Format;
use crate::model::{Dataset, OtherColumns};

/// Reads the rows of a text. Only the formats of CSV have `options`.
pub(super) fn rows(
    text: impl Read,
    format: Format,
    options: &CsvOptions<'_>,
    bounds: Bounds,
) -> Result<Table, ReadError> {
    match format {
        Format::Csv | Format::Tsv => csv::read(text, options, bounds),
        Format::Ndjson => ndjson::read(text, bounds),
        Format::Json => array::read(text, bounds),
    }
}

/// Reads the rows of a document that has no options, such as the output of a program. Also returns
/// what is odd in it.
pub(super) fn document(
    bytes: impl Read,
    format: Format,
    bounds: Bounds,
    stop: &StopCheck,
) -> Result<(Dataset, Vec<String>), ReadError> {
    let text = open(bytes, Compression::None, None, stop)?;
    let table = rows(text, format, &CsvOptions::default(), bounds)?;
    let (builder, mut notes) = (table.builder, table.notes);
    let failed = |reason: String| ReadError::File(reason);
    let texts = builder
        .finish()
        .map_err(|error| failed(error.to_string()))?;
    if !format.is_csv() {
        return Ok((texts, notes));
    }
    notes.extend(bounds.inference_note(texts.len()));
    texts
        .with_types(&[], OtherColumns::Infer, bounds.limits)
        .map(|typed| (typed, notes))
        .map_err(|misfit| failed(misfit.to_string()))
}
