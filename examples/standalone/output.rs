//! The output of a task that prints and exits.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use crate::failure::Failure;

/// Writes a text to standard output. A reader that has seen enough, such as `head`, is no failure.
pub(crate) fn write(text: &str) -> Result<ExitCode, Failure> {
    let mut stdout = std::io::stdout().lock();
    let text = text.as_bytes();
    written(stdout.write_all(text).and_then(|()| stdout.flush()))?;
    Ok(ExitCode::SUCCESS)
}

/// Returns the failure of a write to standard output, unless its reader has seen enough.
pub(crate) fn written(outcome: std::io::Result<()>) -> Result<(), Failure> {
    match outcome {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::of("cannot write to standard output", error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Returns a text with its control characters escaped: it stays on its line, and a terminal obeys
/// nothing in it.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            line.extend(character.escape_debug());
        } else {
            line.push(character);
        }
    }
    line
}
