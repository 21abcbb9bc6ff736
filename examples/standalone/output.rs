//! The output of a task that prints and exits.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use crate::failure::Failure;

/// Writes a text to standard output. A reader that has seen enough, such as `head`, is no failure.
pub(crate) fn write(text: &str) -> Result<ExitCode, Failure> {
    let mut stdout = std::io::stdout().lock();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::of("cannot write to standard output", error))
        }
        Ok(()) | Err(_) => Ok(ExitCode::SUCCESS),
    }
}
