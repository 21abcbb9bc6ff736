//! The handle with which an executor writes lines to its run's log.
//!
//! Gathering and storing the lines is left to the run's journal, which is where the handle's back-pressure comes from.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::model::Level;

/// A line on its way to the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogLine {
    pub(crate) level: Level,
    pub(crate) message: String,
}

/// Where lines go.
#[async_trait]
pub(crate) trait LogSink: Send + Sync {
    /// Takes a line, waiting while too many are under way.
    async fn send(&self, line: LogLine);
}

/// Writes lines to the log of a run, each with the node and the attempt. Clones write to the same log.
///
/// A line is stored within 50 ms and before the node's end; while too many are under way the call waits.
#[derive(Clone)]
pub struct NodeLog(Option<Arc<dyn LogSink>>);

impl fmt::Debug for NodeLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeLog").finish_non_exhaustive()
    }
}

impl NodeLog {
    /// A log that keeps nothing.
    #[must_use]
    pub const fn discard() -> Self {
        Self(None)
    }

    pub(crate) fn to(sink: Arc<dyn LogSink>) -> Self {
        Self(Some(sink))
    }

    /// Writes a line of this level.
    pub async fn line(&self, level: Level, message: impl Into<String>) {
        if let Some(sink) = &self.0 {
            sink.send(LogLine {
                level,
                message: message.into(),
            })
            .await;
        }
    }

    /// Writes what helps to look for a fault.
    pub async fn debug(&self, message: impl Into<String>) {
        self.line(Level::Debug, message).await;
    }

    /// Writes what went as planned.
    pub async fn info(&self, message: impl Into<String>) {
        self.line(Level::Info, message).await;
    }

    /// Writes what was unexpected and did no harm.
    pub async fn warning(&self, message: impl Into<String>) {
        self.line(Level::Warning, message).await;
    }

    /// Writes what went wrong.
    pub async fn error(&self, message: impl Into<String>) {
        self.line(Level::Error, message).await;
    }
}
