//! A line of a run's log: created from an event, written as text.
//!
//! The engine logs nothing that node events already say; this file words those events. `logs` reads
//! the events.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::model::{Event, EventKind, Level, NodeId, Pipeline, RunId, rfc3339};

/// A line of a log. Fields are in the order of the wire contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct LogLine {
    /// The run.
    pub run_id: RunId,
    /// The node, or `None` for a line of the run itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_id: Option<NodeId>,
    /// The level.
    pub level: Level,
    /// The text.
    pub message: String,
    /// When the line was written.
    #[serde(serialize_with = "rfc3339::serialize")]
    pub timestamp: DateTime<Utc>,
    /// The attempt of the node, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// The sequence number of its event; present only where a reader pages by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
}

impl LogLine {
    /// Returns the line for an event, or `None` if the event has no line.
    pub(super) fn from_event(event: Event, definition: &Pipeline) -> Option<Self> {
        let (level, message) = match event.kind {
            EventKind::Log => (
                event.level.unwrap_or(Level::Info),
                event.message.unwrap_or_default(),
            ),
            EventKind::NodeStarted => (
                Level::Info,
                started_message(event.node_id.as_ref(), definition),
            ),
            EventKind::NodeCompleted => (
                Level::Info,
                completed_message(event.row_count, event.duration_ms.unwrap_or_default()),
            ),
            EventKind::NodeFailed => (
                Level::Error,
                format!("Node failed: {}", event.error.unwrap_or_default()),
            ),
            EventKind::NodeRetrying => (
                Level::Warning,
                format!(
                    "Retrying node: {}, attempt {} in {}s",
                    event.error.unwrap_or_default(),
                    event.attempt.unwrap_or_default(),
                    seconds(event.duration_ms.unwrap_or_default()),
                ),
            ),
            EventKind::NodeRecovered => (
                Level::Warning,
                format!(
                    "The node starts again: its attempt {} was interrupted, because {}",
                    event.attempt.unwrap_or_default(),
                    event.error.unwrap_or_default(),
                ),
            ),
            EventKind::RunCreated
            | EventKind::RunStarted
            | EventKind::RunCancelling
            | EventKind::RunCompleted
            | EventKind::RunFailed
            | EventKind::RunCancelled
            | EventKind::NodeSkipped
            | EventKind::NodeCancelled => return None,
        };
        Some(Self {
            run_id: event.run_id,
            node_id: event.node_id,
            level,
            message,
            timestamp: event.timestamp,
            attempt: event.attempt,
            seq: Some(event.seq),
        })
    }

    /// Appends the line as text: `<timestamp> <LEVEL> [<node>] <message>`. A line of the run itself
    /// has `[-]`.
    ///
    /// A message stays on its line and controls no terminal: characters that could do either are
    /// escaped.
    pub(super) fn write_text(&self, text: &mut String) {
        let timestamp = rfc3339::text(&self.timestamp);
        let level = level_name(self.level);
        let node = self.node_id.as_ref().map_or("-", NodeId::as_str);
        // Writing into a string cannot fail.
        let _infallible = write!(text, "{timestamp} {level} [{node}] ");
        for character in self.message.chars() {
            if must_escape(character) {
                text.extend(character.escape_default());
            } else {
                text.push(character);
            }
        }
        text.push('\n');
    }
}

pub(super) const fn level_name(level: Level) -> &'static str {
    match level {
        Level::Debug => "DEBUG",
        Level::Info => "INFO",
        Level::Warning => "WARNING",
        Level::Error => "ERROR",
    }
}

/// Returns whether a character must be escaped: controls (line ends, ESC and DEL among them),
/// Unicode separators, and characters that change the direction of text.
pub(super) fn must_escape(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{61c}'
        )
        || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn started_message(node: Option<&NodeId>, definition: &Pipeline) -> String {
    let id = node.map_or("", NodeId::as_str);
    match definition.nodes.iter().find(|own| own.id == id) {
        Some(node) => format!("Starting node: {} ({})", node.name, node.kind),
        None => format!("Starting node: {id}"),
    }
}

/// A node without rows of its own, such as a sink, has no rate. The rate counts a duration of zero
/// as one millisecond.
fn completed_message(row_count: Option<u64>, duration_ms: u64) -> String {
    let took = seconds(duration_ms);
    let Some(row_count) = row_count else {
        return format!("Node completed in {took}s");
    };
    let rate = u128::from(row_count) * 1_000 / u128::from(duration_ms.max(1));
    format!("Node completed: {row_count} rows in {took}s ({rate} rows/sec)")
}

/// Formats milliseconds as seconds, rounded to one decimal.
fn seconds(ms: u64) -> String {
    let tenths = ms.saturating_add(50) / 100;
    format!("{}.{}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;
    use uuid::Uuid;

    use super::*;
    use crate::model::{Node, PipelineId};

    fn event(kind: EventKind) -> Event {
        let mut event = Event::new(
            7,
            kind,
            RunId::from_uuid(Uuid::nil()),
            PipelineId::new("daily").unwrap(),
            Utc.with_ymd_and_hms(2024, 1, 15, 6, 0, 0).unwrap(),
        );
        event.node_id = NodeId::new("source1").ok();
        event
    }

    fn definition() -> Pipeline {
        Pipeline::new("daily").with(Node::new("source1", "source_api").name("Fetch Users"))
    }

    fn line(event: Event) -> LogLine {
        LogLine::from_event(event, &definition()).unwrap()
    }

    #[test]
    fn node_events_have_the_texts_of_the_contract() {
        let started = line(event(EventKind::NodeStarted));
        assert_eq!(started.message, "Starting node: Fetch Users (source_api)");

        let mut completed = event(EventKind::NodeCompleted);
        (completed.row_count, completed.duration_ms) = (Some(1_500), Some(2_300));
        let completed = line(completed);
        assert_eq!(
            completed.message,
            "Node completed: 1500 rows in 2.3s (652 rows/sec)"
        );

        let mut failed = event(EventKind::NodeFailed);
        failed.error = Some("no route".to_owned());
        let failed = line(failed);
        assert_eq!(
            (failed.level, failed.message.as_str()),
            (Level::Error, "Node failed: no route")
        );

        let mut retrying = event(EventKind::NodeRetrying);
        retrying.error = Some("no route".to_owned());
        (retrying.attempt, retrying.duration_ms) = (Some(2), Some(1_100));
        let retrying = line(retrying);
        assert_eq!(
            (retrying.level, retrying.message.as_str()),
            (Level::Warning, "Retrying node: no route, attempt 2 in 1.1s")
        );
    }

    #[test]
    fn a_completed_node_says_its_rows_duration_and_rate() {
        for (row_count, duration_ms, expected) in [
            (Some(5), 0, "Node completed: 5 rows in 0.0s (5000 rows/sec)"),
            (
                Some(u64::MAX),
                0,
                "Node completed: 18446744073709551615 rows in 0.0s (18446744073709551615000 rows/sec)",
            ),
            (Some(3), 287, "Node completed: 3 rows in 0.3s (10 rows/sec)"),
            (None, 59_950, "Node completed in 60.0s"),
        ] {
            assert_eq!(completed_message(row_count, duration_ms), expected);
        }
    }

    #[test]
    fn run_events_have_no_lines() {
        assert_eq!(
            LogLine::from_event(event(EventKind::RunStarted), &definition()),
            None
        );
        assert_eq!(
            LogLine::from_event(event(EventKind::NodeSkipped), &definition()),
            None
        );
    }

    #[test]
    fn a_message_cannot_forge_a_line_or_control_a_terminal() {
        let mut hostile = event(EventKind::Log);
        hostile.level = Some(Level::Warning);
        hostile.message =
            Some("a\r\n2024 INFO [x] b\u{1b}[31m\u{85}\u{2028}\u{202e}ä\\n".to_owned());
        let mut text = String::new();
        line(hostile).write_text(&mut text);
        assert_eq!(
            text,
            concat!(
                r"2024-01-15T06:00:00Z WARNING [source1] a\r\n2024 INFO [x] b\u{1b}[31m\u{85}\u{2028}\u{202e}ä\n",
                "\n"
            )
        );
    }

    #[test]
    fn a_line_of_the_run_has_no_node() {
        let mut own = event(EventKind::Log);
        (own.node_id, own.message) = (None, Some("given up".to_owned()));
        let mut text = String::new();
        line(own).write_text(&mut text);
        assert_eq!(text, "2024-01-15T06:00:00Z INFO [-] given up\n");
    }
}
