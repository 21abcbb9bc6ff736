//! The event that a change writes.
//!
//! The number of an event is given by the backend that stores it; here it is 0.

use chrono::{DateTime, Utc};

use crate::model::{Event, EventKind, NodeId, NodeIndex, NodeStatus, Run, RunStatus};
use crate::storage::{Entry, FinishedNode};

/// The event of a change of the run itself; `run` stands as it does after the change.
pub(in crate::storage) fn run_event(run: &Run, kind: EventKind, at: DateTime<Utc>) -> Event {
    let mut event = new_event(run, kind, at);
    event.status = Some(run.status.into());
    if kind.is_terminal() {
        event.error.clone_from(&run.error);
        // The wall clock may have stepped back meanwhile: no negative duration is shown.
        event.duration_ms = run
            .started_at
            .map(|start| u64::try_from((at - start).num_milliseconds()).unwrap_or(0));
    }
    event
}

/// The event of an entry, none for a profile; `run` stands as it does after the entry, `node` names
/// the node at a place.
pub(in crate::storage) fn entry_event<'a>(
    run: &Run,
    entry: &Entry,
    node: impl Fn(NodeIndex) -> Option<&'a NodeId>,
) -> Option<Event> {
    let of = |node_index: NodeIndex, kind, status: Option<NodeStatus>, at| {
        let mut event = new_event(run, kind, at);
        event.node_id = node(node_index).cloned();
        event.status = status.map(Into::into);
        event
    };
    match entry {
        Entry::NodeStarted {
            node_index,
            attempt,
            at,
            ..
        } => {
            let status = Some(NodeStatus::Running);
            let mut event = of(*node_index, EventKind::NodeStarted, status, *at);
            event.attempt = Some(*attempt);
            Some(event)
        }
        Entry::NodeRetrying {
            node_index,
            attempt,
            error,
            delay_ms,
            at,
        } => {
            let status = Some(NodeStatus::Pending);
            let mut event = of(*node_index, EventKind::NodeRetrying, status, *at);
            event.attempt = Some(*attempt);
            event.error = Some(error.clone());
            event.duration_ms = Some(*delay_ms);
            Some(event)
        }
        Entry::NodeFinished(end) => {
            let kind = end_kind(end)?;
            let mut event = of(end.node_index, kind, Some(end.status), end.at);
            event.attempt = end.attempt;
            event.row_count = end.row_count;
            event.duration_ms = end.duration_ms;
            event.error.clone_from(&end.error);
            Some(event)
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
            run_end_kind(*status).map(|kind| run_event(run, kind, *at))
        }
    }
}

fn new_event(run: &Run, kind: EventKind, at: DateTime<Utc>) -> Event {
    let mut event = Event::new(0, kind, run.id, run.pipeline_id.clone(), at);
    event.tenant.clone_from(&run.tenant);
    event
}

/// None for a status that is no end, which the checks have refused before.
fn end_kind(end: &FinishedNode) -> Option<EventKind> {
    match end.status {
        NodeStatus::Success => Some(EventKind::NodeCompleted),
        NodeStatus::Failed => Some(EventKind::NodeFailed),
        NodeStatus::Skipped => Some(EventKind::NodeSkipped),
        NodeStatus::Cancelled => Some(EventKind::NodeCancelled),
        NodeStatus::Pending | NodeStatus::Running => None,
    }
}

/// None for a status that is no end, which the checks have refused before.
fn run_end_kind(status: RunStatus) -> Option<EventKind> {
    match status {
        RunStatus::Success => Some(EventKind::RunCompleted),
        RunStatus::Failed => Some(EventKind::RunFailed),
        RunStatus::Cancelled => Some(EventKind::RunCancelled),
        RunStatus::Pending | RunStatus::Running => None,
    }
}
