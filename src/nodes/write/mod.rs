//! Writes rows in each file format.
//!
//! `sink_file` opens the output. `csv` and `json` encode the rows.

mod csv;
mod json;
mod options;
mod output;

use std::io::Write;

pub(super) use options::CsvLayout;
pub(super) use output::{Text, WriteError};

use super::format::Format;
use crate::model::Dataset;

/// Writes the rows of a dataset. Only the formats of CSV have a `layout`.
pub(super) fn rows(
    dataset: &Dataset,
    format: Format,
    layout: &CsvLayout<'_>,
    text: &mut Text<'_, impl Write>,
) -> Result<(), WriteError> {
    match format {
        Format::Csv | Format::Tsv => csv::write(dataset, layout, text),
        Format::Ndjson => json::lines(dataset, text),
        Format::Json => json::array(dataset, text),
    }
}
