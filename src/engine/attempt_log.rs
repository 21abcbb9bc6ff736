//! The log of one attempt: masks and cuts its lines, and sends them to the journal.
//!
//! Storing the lines is left to `journal`.

use std::sync::Arc;

use async_trait::async_trait;

use super::Shared;
use super::journal::Journal;
use crate::error::cut;
use crate::executor::{LogLine, LogSink};
use crate::model::NodeIndex;
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
}

#[async_trait]
impl LogSink for AttemptLog {
    async fn send(&self, line: LogLine) {
        // Masked before it is cut: half a secret at the cut would not be found.
        let message = self.mask.text(line.message);
        let entry = Entry::Log {
            node_index: Some(self.node_index),
            attempt: Some(self.attempt),
            level: line.level,
            message: cut(message, self.shared.limits.log_line_bytes_max),
            at: self.shared.clock.now(),
        };
        // After a lost lease no line can be stored, and the executor is about to be dropped.
        drop(self.journal.send(entry).await);
    }
}
