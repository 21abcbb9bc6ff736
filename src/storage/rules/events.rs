//! The event that a change writes.
//!
//! The backend that stores an event gives it its number. Here it is 0.

use chrono::{DateTime, Utc};

use crate::model::{Event, EventKind, NodeId, NodeIndex, NodeStatus, Run, RunStatus};
use crate::storage::{Entry, FinishedNode};

/// Returns the event of a change of the run itself.
///
/// `run` is the run after the change.
pub(in crate::storage) fn run_event(run: &Run, kind: EventKind, at: DateTime<Utc>) -> Event {
    let mut event = new_event(run, kind, at);
    event.status = Some(run.status.into());
    if kind.is_terminal() {
        event.error.clone_from(&run.error);
        // The wall clock may have stepped back since the start. No reader sees a negative duration.
        event.duration_ms = run
            .started_at
            .map(|start| u64::try_from((at - start).num_milliseconds()).unwrap_or(0));
    }
    event
}

/// Returns the event of an entry, or `None` for a profile.
///
/// `run` is the run after the entry. `node` returns the id of a node.
pub(in crate::storage) fn entry_event<'a>(
    run: &Run,
    entry: &Entry,
    node: impl Fn(NodeIndex) -> Option<&'a NodeId>,
) -> Option<Event> {
    let node_event = |node_index: NodeIndex, kind, status: NodeStatus, attempt: u32, at| {
        let mut event = new_event(run, kind, at);
        event.node_id = node(node_index).cloned();
        event.status = Some(status.into());
        event.attempt = Some(attempt);
        event
    };
    match entry {
        Entry::NodeStarted {
            node_index,
            attempt,
            at,
            ..
        } => {
            let (kind, status) = (EventKind::NodeStarted, NodeStatus::Running);
            Some(node_event(*node_index, kind, status, *attempt, *at))
        }
        Entry::NodeRetrying {
            node_index,
            attempt,
            error,
            delay_ms,
            at,
        } => {
            let (kind, status) = (EventKind::NodeRetrying, NodeStatus::Pending);
            let mut event = node_event(*node_index, kind, status, *attempt, *at);
            event.error = Some(error.clone());
            event.duration_ms = Some(*delay_ms);
            Some(event)
        }
        Entry::NodeRecovered {
            node_index,
            attempt,
            reason,
            at,
        } => {
            let (kind, status) = (EventKind::NodeRecovered, NodeStatus::Pending);
            let mut event = node_event(*node_index, kind, status, *attempt, *at);
            event.error = Some(reason.clone());
            Some(event)
        }
        Entry::NodeFinished(finished) => {
            finished_event(run, finished, node(finished.node_index).cloned())
        }
        Entry::Profile { .. } => None,
        Entry::Log {
            node_index,
            attempt,
            level,
            message,
            at,
        } => {
            let mut event = new_event(run, EventKind::Log, *at);
            event.node_id = node_index.and_then(&node).cloned();
            event.attempt = *attempt;
            event.level = Some(*level);
            event.message = Some(message.clone());
            Some(event)
        }
        Entry::RunFinished { status, at, .. } => {
            run_event_kind(*status).map(|kind| run_event(run, kind, *at))
        }
    }
}

/// Returns the event of a finished node, or `None` if its status is not terminal.
fn finished_event(run: &Run, finished: &FinishedNode, node: Option<NodeId>) -> Option<Event> {
    let mut event = new_event(run, node_event_kind(finished)?, finished.at);
    event.node_id = node;
    event.status = Some(finished.status.into());
    event.attempt = finished.attempt;
    event.row_count = finished.row_count;
    event.duration_ms = finished.duration_ms;
    event.error.clone_from(&finished.error);
    Some(event)
}

fn new_event(run: &Run, kind: EventKind, at: DateTime<Utc>) -> Event {
    let mut event = Event::new(0, kind, run.id, run.pipeline_id.clone(), at);
    event.tenant.clone_from(&run.tenant);
    event.traceparent = run.traceparent;
    event
}

/// Returns the kind of the event of a finished node.
///
/// Returns `None` for a status that is not terminal, which the checks refuse earlier.
fn node_event_kind(finished: &FinishedNode) -> Option<EventKind> {
    match finished.status {
        NodeStatus::Success => Some(EventKind::NodeCompleted),
        NodeStatus::Failed => Some(EventKind::NodeFailed),
        NodeStatus::Skipped => Some(EventKind::NodeSkipped),
        NodeStatus::Cancelled => Some(EventKind::NodeCancelled),
        NodeStatus::Pending | NodeStatus::Running => None,
    }
}

/// Returns the kind of the event of a finished run.
///
/// Returns `None` for a status that is not terminal, which the checks refuse earlier.
fn run_event_kind(status: RunStatus) -> Option<EventKind> {
    match status {
        RunStatus::Success => Some(EventKind::RunCompleted),
        RunStatus::Failed => Some(EventKind::RunFailed),
        RunStatus::Cancelled => Some(EventKind::RunCancelled),
        RunStatus::Pending | RunStatus::Running => None,
    }
}
