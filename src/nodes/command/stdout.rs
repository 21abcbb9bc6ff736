//! Reads what a program writes to its stdout: rows, a document, or lines for the log.
//!
//! The program always finishes: an output that is not rows is reported after its exit, because a
//! program that is killed in the middle may have done half of its work.

use std::io;

use tokio::io::{AsyncRead, BufReader};

use super::document::{DocumentFormat, OutputPart, read_document};
use super::lines::{LOG_BYTES_MAX, Line, log_lines, next_line};
use super::tail::Tail;
use crate::error::{Problem, quote};
use crate::executor::{Ctx, ExecutorError};
use crate::model::{Dataset, DatasetBuilder};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Why reading stopped before the end of the output.
pub(super) enum EarlyStop {
    /// The maximum number of rows was read.
    RowLimit,
    Failed(ExecutorError),
}

impl From<io::Error> for EarlyStop {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// How the stdout of a program is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OutputFormat {
    /// One JSON object per line.
    Ndjson,
    /// One document with all rows.
    Document(DocumentFormat),
    /// Lines of text for the run's log, and no rows.
    Log,
}

/// The stdout of a program, and what was read from it.
pub(super) struct StdoutReader {
    format: OutputFormat,
    rows_max: usize,
    /// The rows of [`OutputFormat::Ndjson`] so far.
    rows: DatasetBuilder,
    /// The rows of a document, once it is read.
    document: Option<Dataset>,
    /// Why the output is invalid, if it is.
    invalid: Option<ExecutorError>,
    pub(super) tail: Tail,
}

impl StdoutReader {
    pub(super) fn new(format: OutputFormat, ctx: &Ctx) -> Self {
        Self {
            format,
            rows_max: ctx.row_limit.unwrap_or(usize::MAX),
            rows: DatasetBuilder::new(ctx.dataset_limits),
            document: None,
            invalid: None,
            tail: Tail::default(),
        }
    }

    /// Reads all rows, so that the program comes to its end.
    pub(super) const fn read_to_the_end(&mut self) {
        self.rows_max = usize::MAX;
    }

    /// Reads until the program closes its stdout or enough rows are read.
    pub(super) async fn read(
        &mut self,
        stdout: &mut BufReader<impl AsyncRead + Unpin>,
        ctx: &Ctx,
    ) -> Result<(), EarlyStop> {
        match self.format {
            OutputFormat::Ndjson => self.read_rows(stdout).await,
            OutputFormat::Document(format) => self.read_document(stdout, format, ctx).await,
            OutputFormat::Log => Ok(log_lines(stdout, &mut self.tail, &ctx.log).await?),
        }
    }

    /// Returns the rows, or `None` if the output is a log.
    ///
    /// # Errors
    /// Returns a permanent error if the output is invalid.
    pub(super) fn finish(self) -> Result<Option<Dataset>, ExecutorError> {
        if let Some(error) = self.invalid {
            return Err(error);
        }
        match self.format {
            OutputFormat::Ndjson => self
                .rows
                .finish()
                .map(Some)
                .map_err(|error| ExecutorError::permanent(error.to_string())),
            OutputFormat::Document(_) => Ok(self.document),
            OutputFormat::Log => Ok(None),
        }
    }

    async fn read_rows(
        &mut self,
        stdout: &mut BufReader<impl AsyncRead + Unpin>,
    ) -> Result<(), EarlyStop> {
        let (mut line, mut number) = (Vec::new(), 0_u64);
        let bytes_max = self.rows.limits().row_bytes_max;
        while self.rows.row_count() < self.rows_max {
            let read = next_line(stdout, &mut line, bytes_max).await?;
            number += 1;
            let text = match number {
                1 => line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&line),
                _ => &line,
            };
            let text = text.trim_ascii();
            match read {
                Line::End => return Ok(()),
                Line::Cut => {
                    let reason = format!("it is longer than {bytes_max} bytes");
                    return Err(EarlyStop::Failed(line_error(number, &reason)));
                }
                Line::Whole if text.is_empty() => {}
                Line::Whole => {
                    self.tail.push_line(text);
                    let Err(error) = self.rows.push_json_row(text) else {
                        continue;
                    };
                    if error.problem() == Problem::DatasetTooLarge {
                        let error = line_error(number, &error.to_string());
                        return Err(EarlyStop::Failed(error));
                    }
                    self.invalid = Some(no_row(number, text, &error.to_string()));
                    return self.skip_rest(stdout).await;
                }
            }
        }
        Err(EarlyStop::RowLimit)
    }

    async fn read_document(
        &mut self,
        stdout: &mut BufReader<impl AsyncRead + Unpin>,
        format: DocumentFormat,
        ctx: &Ctx,
    ) -> Result<(), EarlyStop> {
        let rows_max = self.rows_max;
        let (part, decoded) = read_document(stdout, format, rows_max, ctx, &mut self.tail).await?;
        match decoded {
            Ok((dataset, notes)) => {
                for note in notes {
                    ctx.log.warning(note).await;
                }
                let has_enough = dataset.len() >= rows_max;
                self.document = Some(dataset);
                if has_enough {
                    return Err(EarlyStop::RowLimit);
                }
            }
            Err(error) => self.invalid = Some(error),
        }
        match part {
            OutputPart::Whole => Ok(()),
            OutputPart::Start => self.skip_rest(stdout).await,
        }
    }

    /// Reads the rest of an output that no row is read from. An output without an end stops the
    /// program, once it is larger than a dataset may be.
    async fn skip_rest(
        &mut self,
        stdout: &mut BufReader<impl AsyncRead + Unpin>,
    ) -> Result<(), EarlyStop> {
        let mut part = Vec::new();
        let mut room = self.rows.limits().bytes_max;
        loop {
            let read = next_line(stdout, &mut part, LOG_BYTES_MAX).await?;
            let size = u64::try_from(part.len()).unwrap_or(u64::MAX);
            let Some(rest) = room.checked_sub(size.saturating_add(1)) else {
                let error = self.invalid.take();
                let error = error.unwrap_or_else(|| ExecutorError::permanent("it has no end"));
                return Err(EarlyStop::Failed(error.map_message(|message| {
                    format!("{message}; the command was stopped, since its output has no end")
                })));
            };
            room = rest;
            self.tail.push(&part);
            match read {
                Line::End => return Ok(()),
                Line::Whole => self.tail.end_line(),
                Line::Cut => {}
            }
        }
    }
}

fn line_error(number: u64, reason: &str) -> ExecutorError {
    ExecutorError::permanent(format!("line {number} of the output: {reason}"))
}

fn no_row(number: u64, text: &[u8], reason: &str) -> ExecutorError {
    let text = quote(&String::from_utf8_lossy(text));
    line_error(
        number,
        &format!(
            "{text} is not a row ({reason}); write messages to stderr, or set output to json, csv or log"
        ),
    )
}
