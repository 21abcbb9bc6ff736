//! The warnings that a node of a dry run logs, for the caller. Other lines have no reader.
//!
//! `node` returns them with the node's result.

use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::error::truncate;
use crate::executor::{LogLine, LogSink, NodeLog};
use crate::model::Level;
use crate::secret::Mask;

/// How many warnings of a node are returned. The first ones say what went wrong.
const WARNINGS_MAX: usize = 3;
/// The maximum size of a warning; the rest is cut. With this, the warnings of 1,000 nodes fit into
/// an answer.
const WARNING_BYTES_MAX: usize = 512;

/// Collects the first warnings of a node. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct NodeWarnings {
    mask: Mask,
    lines: Arc<Mutex<Vec<String>>>,
}

impl NodeWarnings {
    pub(super) fn new(mask: Mask) -> Self {
        Self {
            mask,
            lines: Arc::default(),
        }
    }

    /// Returns a log that keeps its warnings here.
    pub(super) fn log(&self) -> NodeLog {
        NodeLog::to_sink(Arc::new(self.clone()))
    }

    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.lines.lock())
    }
}

#[async_trait]
impl LogSink for NodeWarnings {
    async fn send(&self, line: LogLine) {
        match line.level {
            Level::Warning | Level::Error => {
                let mut lines = self.lines.lock();
                if lines.len() < WARNINGS_MAX {
                    let message = self.mask.text(line.message);
                    lines.push(truncate(message, WARNING_BYTES_MAX));
                }
            }
            Level::Debug | Level::Info => {}
        }
    }
}
