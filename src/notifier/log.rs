//! A notifier that writes events to the host's log.
//!
//! The host's `tracing` subscriber decides where the lines go.

use async_trait::async_trait;

use super::{Notifier, NotifierError, Wanted};
use crate::model::{Event, EventKind};

/// Writes events to the host's log (`tracing`, target `floret::notifier`).
///
/// Failures are errors, cancelled runs and retries are warnings, and other events are information.
/// Texts of executors are escaped, so that they cannot forge a line.
#[derive(Debug, Clone)]
pub struct LogNotifier {
    wanted: Wanted,
}

impl LogNotifier {
    /// Creates a notifier for the events of finished runs.
    #[must_use]
    pub fn new() -> Self {
        Self::of([
            EventKind::RunCompleted,
            EventKind::RunFailed,
            EventKind::RunCancelled,
        ])
    }

    /// Creates a notifier for events of these kinds.
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

/// Writes one line at a level, with the fields of the event.
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
            EventKind::RunCancelled | EventKind::NodeRetrying | EventKind::NodeRecovered => {
                line!(warn, event)
            }
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

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use parking_lot::Mutex;
    use tracing_subscriber::fmt;

    use super::*;
    use crate::testing::contract::fixtures::{at, node_id, pipeline_id, run_id};

    /// The log output so far.
    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn an_event_is_one_line_at_its_level_with_escaped_texts() {
        let written = Written::default();
        let writer = written.clone();
        let subscriber = fmt().with_ansi(false).with_writer(move || writer.clone());
        let _guard = tracing::subscriber::set_default(subscriber.finish());
        for (kind, level) in [
            (EventKind::RunFailed, "ERROR"),
            (EventKind::RunCancelled, "WARN"),
            (EventKind::RunCompleted, "INFO"),
        ] {
            let mut event = Event::new(7, kind, run_id(1), pipeline_id("daily"), at(0));
            event.node_id = Some(node_id("load"));
            event.error = Some("no\ndisk\u{1b}[31m".to_owned());
            assert_eq!(LogNotifier::new().notify(&event).await, Ok(()));
            let line = String::from_utf8(std::mem::take(&mut *written.0.lock())).unwrap();
            assert_eq!(line.lines().count(), 1, "{line}");
            for part in [
                level,
                "floret::notifier",
                "seq=7",
                "pipeline_id=daily",
                "node_id=load",
            ] {
                assert!(line.contains(part), "{line} has no {part}");
            }
            assert!(
                line.contains(r"no\ndisk") && !line.contains('\u{1b}'),
                "{line}"
            );
        }
    }

    #[test]
    fn events_of_finished_runs_are_wanted_unless_kinds_are_named() {
        let event = |kind| Event::new(1, kind, run_id(1), pipeline_id("daily"), at(0));
        assert!(LogNotifier::default().wants(&event(EventKind::RunFailed)));
        assert!(!LogNotifier::new().wants(&event(EventKind::Log)));
        let lines = LogNotifier::of([EventKind::Log]);
        assert!(lines.wants(&event(EventKind::Log)) && !lines.wants(&event(EventKind::RunFailed)));
    }
}
