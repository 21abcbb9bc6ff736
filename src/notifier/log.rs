//! Events as lines of the host's own log.
//!
//! Where the lines go is left to the host's subscriber of `tracing`.

use async_trait::async_trait;

use super::{Notifier, NotifierError, Wanted};
use crate::model::{Event, EventKind};

/// Writes events to the host's log (`tracing`, target `floret::notifier`): failures as errors, cancelled runs as warnings, the rest as information.
///
/// Texts of executors are escaped, so that they forge no line.
#[derive(Debug, Clone)]
pub struct LogNotifier {
    wanted: Wanted,
}

impl LogNotifier {
    /// Writes how runs ended.
    #[must_use]
    pub fn new() -> Self {
        Self::of([
            EventKind::RunCompleted,
            EventKind::RunFailed,
            EventKind::RunCancelled,
        ])
    }

    /// Writes events of these kinds.
    #[must_use]
    pub fn of(kinds: impl IntoIterator<Item = EventKind>) -> Self {
        Self {
            wanted: Wanted::Of(kinds.into_iter().collect()),
        }
    }
}

impl Default for LogNotifier {
    fn default() -> Self {
        Self::new()
    }
}

/// One line at a level, with the fields that the event has.
macro_rules! line {
    ($level:ident, $event:expr) => {
        tracing::$level!(
            target: "floret::notifier",
            seq = $event.seq,
            kind = ?$event.kind,
            run_id = %$event.run_id,
            pipeline_id = %$event.pipeline_id,
            node_id = $event.node_id.as_ref().map(tracing::field::display),
            duration_ms = $event.duration_ms,
            error = $event.error.as_ref().map(tracing::field::debug),
            message = $event.message.as_ref().map(tracing::field::debug),
        )
    };
}

#[async_trait]
impl Notifier for LogNotifier {
    async fn notify(&self, event: &Event) -> Result<(), NotifierError> {
        match event.kind {
            EventKind::RunFailed | EventKind::NodeFailed => line!(error, event),
            EventKind::RunCancelled | EventKind::NodeRetrying => line!(warn, event),
            EventKind::RunCreated
            | EventKind::RunStarted
            | EventKind::RunCancelling
            | EventKind::RunCompleted
            | EventKind::NodeStarted
            | EventKind::NodeCompleted
            | EventKind::NodeSkipped
            | EventKind::NodeCancelled
            | EventKind::Log => line!(info, event),
        }
        Ok(())
    }

    fn wants(&self, event: &Event) -> bool {
        self.wanted.includes(event.kind)
    }
}
