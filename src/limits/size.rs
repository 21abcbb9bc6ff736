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

/// The bytes that an array has besides its items and their commas.
pub(crate) const BRACKETS: usize = 2;

/// The bytes that are left for the items of a JSON array.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room(pub(crate) usize);

impl Room {
    /// Takes the bytes of the next item and its comma. Returns whether there was room; if not,
    /// none is left.
    pub(crate) fn take(&mut self, item: &impl Serialize) -> bool {
        let rest = self.0.checked_sub(json_size(item).saturating_add(1));
        self.0 = rest.unwrap_or(0);
        rest.is_some()
    }

    /// Removes the items, from the end, for which there is no room. Returns whether there were any.
    pub(crate) fn cut<T: Serialize>(&mut self, items: &mut Vec<T>) -> bool {
        let count = items.iter().take_while(|item| self.take(item)).count();
        let is_cut = count < items.len();
        items.truncate(count);
        is_cut
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
