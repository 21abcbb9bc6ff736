//! Measures values in bytes, for comparison with a limit.
//!
//! What happens to a value that is too large is left to its owner.

use std::io;

use serde::Serialize;

/// Returns the number of bytes of a value as JSON. A value that does not serialize counts as too
/// large for every limit.
///
/// The value MUST NOT be nested deeper than recursion allows.
pub(crate) fn json_size(value: &impl Serialize) -> usize {
    let mut counter = Counter(0);
    match serde_json::to_writer(&mut counter, value) {
        Ok(()) => counter.0,
        Err(_) => usize::MAX,
    }
}

struct Counter(usize);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.saturating_add(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
