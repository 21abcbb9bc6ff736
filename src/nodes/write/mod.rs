//! Writes rows in each file format.
//!
//! `sink_file` opens the output. `csv` and `json` encode the rows.

mod csv;
mod json;
mod options;
mod output;

use std::io::Write;

pub(super) use options::CsvLayout;
pub(super) use output::WriteError;

use super::blocking::StopCheck;
use super::format::Format;
use crate::model::Dataset;
use output::Text;

/// Writes the rows of a dataset. Only the formats of CSV have a `layout`.
pub(super) fn rows(
    dataset: &Dataset,
    format: Format,
    layout: &CsvLayout<'_>,
    out: &mut impl Write,
    stop: &StopCheck,
) -> Result<(), WriteError> {
    let mut text = Text::new(out, layout.encoding, stop);
    match format {
        Format::Csv | Format::Tsv => csv::write(dataset, layout, &mut text),
        Format::Ndjson => json::lines(dataset, &mut text),
        Format::Json => json::array(dataset, &mut text),
    }
}
