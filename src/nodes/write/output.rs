//! The text of a file that is written: its encoding, and why writing ends early.
//!
//! `csv` and `json` write the rows.

use std::io::{self, Write};

use encoding_rs::{Encoding, UTF_8};

use crate::executor::ExecutorError;
use crate::nodes::blocking::StopCheck;

/// How many rows a writer writes between checks whether to stop.
const ROWS_BETWEEN_CHECKS: usize = 1024;

/// Why rows cannot be written.
pub(in crate::nodes) enum WriteError {
    Io(io::Error),
    /// The number of a row, counted from 1 (0 for the header), and why the file cannot hold it.
    Row(usize, String),
    Stopped(ExecutorError),
}

impl From<io::Error> for WriteError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Writes text in an encoding.
pub(in crate::nodes) struct Text<'a, W> {
    out: &'a mut W,
    encoding: &'static Encoding,
    stop: &'a StopCheck,
}

impl<'a, W: Write> Text<'a, W> {
    pub(in crate::nodes) fn new(
        out: &'a mut W,
        encoding: Option<&'static Encoding>,
        stop: &'a StopCheck,
    ) -> Self {
        Self {
            out,
            encoding: encoding.unwrap_or(UTF_8),
            stop,
        }
    }

    /// Writes the text of the row with this number.
    pub(super) fn write(&mut self, number: usize, text: &str) -> Result<(), WriteError> {
        if number.is_multiple_of(ROWS_BETWEEN_CHECKS) {
            self.stop.check().map_err(WriteError::Stopped)?;
        }
        let (bytes, _, has_unknown) = self.encoding.encode(text);
        if has_unknown {
            let encoding = self.encoding.name();
            return Err(WriteError::Row(
                number,
                format!("it has a character that {encoding} does not have"),
            ));
        }
        Ok(self.out.write_all(&bytes)?)
    }
}
