//! The handle by which an executor writes lines to its run's log.
//!
//! Storing the lines is left to `engine/journal`, which also applies back-pressure.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::model::Level;

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogLine {
    pub(crate) level: Level,
    pub(crate) message: String,
}

/// The receiver of log lines.
#[async_trait]
pub(crate) trait LogSink: Send + Sync {
    /// Accepts a line, and waits while too many lines are pending.
    async fn send(&self, line: LogLine);
}

/// Writes lines to the log of a run, each with its node and attempt.
///
/// Clones write to the same log. A line is stored within 50 ms, and before the result of its node.
/// While too many lines are pending, the call waits.
#[derive(Clone)]
pub struct NodeLog(Option<Arc<dyn LogSink>>);

impl fmt::Debug for NodeLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeLog").finish_non_exhaustive()
    }
}

impl NodeLog {
    /// Creates a log that discards every line.
    #[must_use]
    pub const fn discard() -> Self {
        Self(None)
    }

    pub(crate) fn to_sink(sink: Arc<dyn LogSink>) -> Self {
        Self(Some(sink))
    }

    /// Writes a line at this level.
    pub async fn line(&self, level: Level, message: impl Into<String>) {
        if let Some(sink) = &self.0 {
            sink.send(LogLine {
                level,
                message: message.into(),
            })
            .await;
        }
    }

    /// Writes a line for debugging.
    pub async fn debug(&self, message: impl Into<String>) {
        self.line(Level::Debug, message).await;
    }

    /// Writes a line about normal progress.
    pub async fn info(&self, message: impl Into<String>) {
        self.line(Level::Info, message).await;
    }

    /// Writes a line about something unexpected but harmless.
    pub async fn warning(&self, message: impl Into<String>) {
        self.line(Level::Warning, message).await;
    }

    /// Writes a line about a failure.
    pub async fn error(&self, message: impl Into<String>) {
        self.line(Level::Error, message).await;
    }
}
