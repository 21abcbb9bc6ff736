//! The reason why the server could not start: one line for a person, an exit code for a script.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

/// Displays as one line with every cause.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    is_usage: bool,
}

impl Failure {
    /// The options contradict each other.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            is_usage: true,
        }
    }

    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            is_usage: false,
        }
    }

    /// The message of an error and of every cause.
    pub(crate) fn of(what: impl Into<String>, error: impl Error) -> Self {
        let mut message = format!("{}: {error}", what.into());
        let mut source = error.source();
        while let Some(cause) = source {
            message.push_str(&format!(": {cause}"));
            source = cause.source();
        }
        Self::new(message)
    }

    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(if self.is_usage { 2 } else { 1 })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message.replace('\n', " "))
    }
}
