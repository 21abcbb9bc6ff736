//! Captures the log of an executor that a test calls without a Floret.
//!
//! The log of a run is left to [`RunHandle::logs`](crate::RunHandle::logs).

use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::executor::{LogLine, LogSink, NodeLog};
use crate::model::Level;

/// Keeps the lines that an executor writes, for a test that calls it with a
/// [`Ctx`](crate::executor::Ctx) of its own.
///
/// Clones keep the same lines.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use floret::executor::{Ctx, ExecutorError};
/// use floret::testing::CapturedLog;
/// use floret::{Level, Node, PipelineId, RunId};
///
/// async fn load(ctx: Ctx) -> Result<(), ExecutorError> {
///     ctx.log.warning("no orders").await;
///     Ok(())
/// }
/// let log = CapturedLog::new();
/// let run = RunId::from_uuid(uuid::Uuid::nil());
/// let node = Node::new("load", "load");
/// let mut ctx = Ctx::new(run, PipelineId::new("daily")?, "2024-01-15".parse()?, node);
/// ctx.log = log.node_log();
/// assert!(load(ctx).await.is_ok());
/// assert_eq!(log.lines(), [(Level::Warning, "no orders".to_owned())]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct CapturedLog(Arc<Lines>);

#[derive(Debug, Default)]
struct Lines(Mutex<Vec<(Level, String)>>);

impl CapturedLog {
    /// Returns a log without lines.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the handle for [`Ctx::log`](crate::executor::Ctx::log), whose lines are kept here.
    #[must_use]
    pub fn node_log(&self) -> NodeLog {
        NodeLog::to_sink(Arc::clone(&self.0) as Arc<dyn LogSink>)
    }

    /// Returns every line so far with its level, in order.
    #[must_use]
    pub fn lines(&self) -> Vec<(Level, String)> {
        self.0.0.lock().clone()
    }
}

#[async_trait]
impl LogSink for Lines {
    async fn send(&self, line: LogLine) {
        let LogLine { level, message } = line;
        self.0.lock().push((level, message));
    }
}
