//! The log of one attempt: masks and cuts its lines, and sends them to the journal until the log
//! is full.
//!
//! Storing the lines is left to `journal`.

use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::Shared;
use super::journal::Journal;
use crate::error::truncate;
use crate::executor::{LogLine, LogSink};
use crate::limits::Limits;
use crate::model::{Level, NodeIndex};
use crate::secret::Mask;
use crate::storage::Entry;

/// The log of one attempt.
#[derive(Debug)]
pub(super) struct AttemptLog {
    pub(super) journal: Journal,
    pub(super) shared: Arc<Shared>,
    pub(super) mask: Mask,
    pub(super) node_index: NodeIndex,
    pub(super) attempt: u32,
    pub(super) size: Mutex<LogSize>,
}

/// What an attempt has logged.
#[derive(Debug, Default)]
pub(super) struct LogSize {
    lines: usize,
    bytes: usize,
    is_full: bool,
}

/// What becomes of a line.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Stored,
    /// The line is the first that does not fit: a marker is stored in its place.
    Marked,
    Dropped,
}

impl LogSize {
    /// Counts a line of this many bytes.
    fn add(&mut self, bytes: usize, limits: &Limits) -> Fate {
        if self.is_full {
            return Fate::Dropped;
        }
        let lines = self.lines.saturating_add(1);
        let bytes = self.bytes.saturating_add(bytes);
        if lines > limits.attempt_log_lines_max || bytes > limits.attempt_log_bytes_max {
            self.is_full = true;
            return Fate::Marked;
        }
        (self.lines, self.bytes) = (lines, bytes);
        Fate::Stored
    }
}

#[async_trait]
impl LogSink for AttemptLog {
    async fn send(&self, line: LogLine) {
        if self.size.lock().is_full {
            return;
        }
        let limits = &self.shared.limits;
        // Masked before it is cut: half a secret at the cut would not be found.
        let message = self.mask.text(line.message);
        let message = truncate(message, limits.log_line_bytes_max);
        let fate = self.size.lock().add(message.len(), limits);
        let (level, message) = match fate {
            Fate::Stored => (line.level, message),
            Fate::Marked => (Level::Warning, marker(limits)),
            Fate::Dropped => return,
        };
        let entry = Entry::Log {
            node_index: Some(self.node_index),
            attempt: Some(self.attempt),
            level,
            message,
            at: self.shared.clock.now(),
        };
        // After a lost lease no line can be stored, and the executor is about to be dropped.
        drop(self.journal.send(entry).await);
    }
}

/// Returns the last line of a full log.
fn marker(limits: &Limits) -> String {
    format!(
        "the log of this attempt is full: an attempt logs at most {} lines and {} bytes, and the \
         lines after this one are not stored",
        limits.attempt_log_lines_max, limits.attempt_log_bytes_max
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_marked_once_at_the_line_beyond_a_limit() {
        let mut limits = Limits::default();
        (limits.attempt_log_lines_max, limits.attempt_log_bytes_max) = (2, 10);
        let mut size = LogSize::default();
        let fates = [1, 1, 1, 1].map(|bytes| size.add(bytes, &limits));
        assert_eq!(
            fates,
            [Fate::Stored, Fate::Stored, Fate::Marked, Fate::Dropped]
        );
        let mut size = LogSize::default();
        let fates = [10, 1, 1].map(|bytes| size.add(bytes, &limits));
        assert_eq!(fates, [Fate::Stored, Fate::Marked, Fate::Dropped]);
    }
}
