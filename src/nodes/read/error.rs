//! Why a file cannot be read. I/O errors are retryable, since a file may come later. Its content is
//! permanent.
//!
//! The readers know the line and what is wrong in it.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use crate::executor::ExecutorError;
use crate::nodes::data_dir::file_error;

/// Why a file cannot be read.
#[derive(Debug)]
pub(in crate::nodes) enum ReadError {
    Io(io::Error),
    /// What is wrong, and where.
    At(Place, String),
    File(String),
    /// The file became shorter while it was read.
    Shortened,
    Stopped(ExecutorError),
}

/// A place in a text. Lines, and characters in a line, count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::nodes) struct Place {
    pub(super) line: u64,
    /// `None` if the whole line is meant.
    pub(super) column: Option<u64>,
}

impl Place {
    pub(super) const fn line(line: u64) -> Self {
        Self { line, column: None }
    }

    pub(super) const fn at(line: u64, column: u64) -> Self {
        Self {
            line,
            column: Some(column),
        }
    }
}

/// A fault that passes through the traits of `std::io`.
#[derive(Debug)]
pub(super) enum Fault {
    Stopped(ExecutorError),
    /// The line of bytes that are invalid in this encoding.
    Malformed(u64, &'static str),
    /// The file ended before all bytes were read that it had at first.
    Shortened,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped(_) => f.write_str("stopped"),
            Self::Malformed(_, encoding) => write!(f, "it is not {encoding}"),
            Self::Shortened => f.write_str("it became shorter while it was read"),
        }
    }
}

impl StdError for Fault {}

impl From<Fault> for io::Error {
    fn from(fault: Fault) -> Self {
        Self::other(fault)
    }
}

impl ReadError {
    /// Converts this into the error of an attempt that reads the file at `path`.
    pub(in crate::nodes) fn into_executor_error(self, path: &str) -> ExecutorError {
        match self {
            Self::Io(error) => file_error(path, "read", &error),
            Self::At(Place { line, column }, reason) => {
                let column = column.map_or_else(String::new, |column| format!(", column {column}"));
                ExecutorError::permanent(format!("line {line}{column} of {path}: {reason}"))
            }
            Self::File(reason) => ExecutorError::permanent(format!("{path}: {reason}")),
            Self::Shortened => {
                // A writer may be at work, so the next attempt may find a whole file.
                ExecutorError::retryable(format!("file {path} became shorter while it was read"))
            }
            Self::Stopped(error) => error,
        }
    }
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        match error.downcast::<Fault>() {
            Ok(Fault::Stopped(error)) => Self::Stopped(error),
            Ok(Fault::Malformed(line, encoding)) => {
                Self::At(Place::line(line), format!("it is not {encoding}"))
            }
            Ok(Fault::Shortened) => Self::Shortened,
            Err(error) if error.raw_os_error().is_some() => Self::Io(error),
            // The system reports no such error: the decompression does.
            Err(error) => Self::File(format!("its compressed data is damaged: {error}")),
        }
    }
}
