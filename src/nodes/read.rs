//! Decodes the rows of a file in each format.
//!
//! `model::dataset` infers the types of CSV columns afterwards.

use std::io::{self, BufRead, Read};

use super::blocking::StopCheck;
use super::data_dir::file_error;
use crate::executor::ExecutorError;
use crate::limits::DatasetLimits;
use crate::model::{Cell, Dataset, DatasetBuilder, RowError};

/// How many rows a reader reads between checks whether to stop.
const ROWS_BETWEEN_CHECKS: usize = 1024;

/// Why a file cannot be read.
pub(super) enum ReadError {
    Io(io::Error),
    /// The number of an invalid line, counted from 1, and what is wrong with it.
    Line(u64, String),
    File(String),
    Stopped(ExecutorError),
}

impl ReadError {
    /// Converts this into the error of an attempt that reads the file at `path`.
    pub(super) fn into_executor_error(self, path: &str) -> ExecutorError {
        match self {
            Self::Io(error) => file_error(path, "read", &error),
            Self::Line(line, reason) => {
                ExecutorError::permanent(format!("line {line} of {path}: {reason}"))
            }
            Self::File(reason) => ExecutorError::permanent(format!("{path}: {reason}")),
            Self::Stopped(error) => error,
        }
    }
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn check(rows: usize, stop: &StopCheck) -> Result<(), ReadError> {
    if rows.is_multiple_of(ROWS_BETWEEN_CHECKS) {
        stop.check().map_err(ReadError::Stopped)?;
    }
    Ok(())
}

fn finish(builder: DatasetBuilder) -> Result<Dataset, ReadError> {
    builder
        .finish()
        .map_err(|error| ReadError::File(error.to_string()))
}

/// Reads a CSV file. All cells are text; an empty cell is null.
pub(super) fn csv(
    file: impl Read,
    rows_max: usize,
    limits: DatasetLimits,
    stop: &StopCheck,
) -> Result<Dataset, ReadError> {
    let mut reader = csv::Reader::from_reader(file);
    let mut builder = DatasetBuilder::new(limits);
    for name in reader.headers().map_err(csv_error)? {
        let index = builder.column_count();
        let found = builder.find_or_add_column(name);
        if found.map_err(|error| row_error(1, &error))? != index {
            let name = crate::error::quote(name);
            return Err(ReadError::Line(
                1,
                format!("the column {name} appears twice"),
            ));
        }
    }
    let mut record = csv::StringRecord::new();
    while builder.row_count() < rows_max && reader.read_record(&mut record).map_err(csv_error)? {
        check(builder.row_count(), stop)?;
        let line = record.position().map_or(0, csv::Position::line);
        for (index, text) in record.iter().enumerate() {
            let cell = if text.is_empty() {
                Cell::Null
            } else {
                Cell::Text(text)
            };
            builder
                .push(index, cell)
                .map_err(|error| row_error(line, &error))?;
        }
        builder.end_row();
    }
    finish(builder)
}

fn row_error(line: u64, error: &RowError) -> ReadError {
    ReadError::Line(line, error.to_string())
}

fn csv_error(error: csv::Error) -> ReadError {
    let line = error.position().map_or(1, csv::Position::line);
    match error.into_kind() {
        csv::ErrorKind::Io(error) => ReadError::Io(error),
        csv::ErrorKind::Utf8 { .. } => ReadError::Line(line, "it is not UTF-8".to_owned()),
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => ReadError::Line(line, format!("it has {len} fields, not {expected_len}")),
        other => ReadError::Line(line, format!("it is not CSV: {other:?}")),
    }
}

/// Reads one JSON object per line. Blank lines are skipped.
pub(super) fn ndjson(
    mut file: impl BufRead,
    rows_max: usize,
    limits: DatasetLimits,
    stop: &StopCheck,
) -> Result<Dataset, ReadError> {
    let (mut builder, mut text, mut line) = (DatasetBuilder::new(limits), Vec::new(), 0_u64);
    let bytes_max = limits.row_bytes_max;
    while builder.row_count() < rows_max {
        check(builder.row_count(), stop)?;
        text.clear();
        line += 1;
        // One byte more than the maximum reveals a line that is too long.
        let read = file
            .by_ref()
            .take((bytes_max as u64).saturating_add(1))
            .read_until(b'\n', &mut text)?;
        if read == 0 {
            break;
        }
        if read > bytes_max {
            return Err(ReadError::Line(
                line,
                format!("it is longer than {bytes_max} bytes"),
            ));
        }
        if !text.trim_ascii().is_empty() {
            builder
                .push_json_row(text.trim_ascii())
                .map_err(|error| row_error(line, &error))?;
        }
    }
    finish(builder)
}

/// Reads one array of JSON objects.
pub(super) fn json(
    file: impl Read,
    rows_max: usize,
    limits: DatasetLimits,
    stop: &StopCheck,
) -> Result<Dataset, ReadError> {
    let mut builder = DatasetBuilder::new(limits);
    let mut stopped = None;
    let wants_more = |rows: usize| match check(rows, stop) {
        Ok(()) => rows < rows_max,
        Err(error) => {
            stopped = Some(error);
            false
        }
    };
    builder
        .push_json_rows(file, wants_more)
        .map_err(|error| ReadError::File(error.to_string()))?;
    match stopped {
        Some(error) => Err(error),
        None => finish(builder),
    }
}
