//! The codec of events: a journal row holds them as a JSON array, without what the row implies.
//!
//! A node is stored as its index, because an append has no graph. `events` reads the rows, and `tx`
//! writes them.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::definitions::Definition;
use super::store_error::StoreError;
use super::values::{millis, time};
use crate::model::{
    Event, EventKind, EventStatus, Level, NodeIndex, NodeStatus, PipelineId, RunId, RunStatus,
    TenantId, TraceParent,
};
use crate::storage::{Entry, FinishedNode};

/// One event in the body of a row.
#[derive(Debug, Serialize, Deserialize)]
struct Packed<'a> {
    #[serde(rename = "type")]
    kind: EventKind,
    // Stores have this key; another one would read as no node.
    #[serde(rename = "place", skip_serializing_if = "Option::is_none", default)]
    node_index: Option<NodeIndex>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    status: Option<EventStatus>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    row_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    duration_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    attempt: Option<u32>,
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    error: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    level: Option<Level>,
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    message: Option<Cow<'a, str>>,
    at: i64,
}

impl<'a> Packed<'a> {
    fn new(kind: EventKind, at: DateTime<Utc>) -> Self {
        Packed {
            kind,
            node_index: None,
            status: None,
            row_count: None,
            duration_ms: None,
            attempt: None,
            error: None,
            level: None,
            message: None,
            at: millis(at),
        }
    }

    fn of_node(
        kind: EventKind,
        node_index: NodeIndex,
        status: NodeStatus,
        at: DateTime<Utc>,
    ) -> Self {
        Packed {
            node_index: Some(node_index),
            status: Some(status.into()),
            ..Packed::new(kind, at)
        }
    }

    fn of_run(
        kind: EventKind,
        status: RunStatus,
        error: Option<&'a str>,
        at: DateTime<Utc>,
    ) -> Self {
        Packed {
            status: Some(status.into()),
            error: error.map(Cow::Borrowed),
            ..Packed::new(kind, at)
        }
    }

    /// Returns the event of an entry, or `None` for a profile or a status that is not terminal.
    fn of_entry(entry: &'a Entry) -> Option<Self> {
        match entry {
            Entry::NodeStarted {
                node_index,
                attempt,
                queue_ms: _,
                at,
            } => Some(Packed {
                attempt: Some(*attempt),
                ..Packed::of_node(
                    EventKind::NodeStarted,
                    *node_index,
                    NodeStatus::Running,
                    *at,
                )
            }),
            Entry::NodeRetrying {
                node_index,
                attempt,
                error,
                delay_ms,
                at,
            } => Some(Packed {
                attempt: Some(*attempt),
                error: Some(Cow::Borrowed(error)),
                duration_ms: Some(*delay_ms),
                ..Packed::of_node(
                    EventKind::NodeRetrying,
                    *node_index,
                    NodeStatus::Pending,
                    *at,
                )
            }),
            Entry::NodeRecovered {
                node_index,
                attempt,
                reason,
                at,
            } => Some(Packed {
                attempt: Some(*attempt),
                error: Some(Cow::Borrowed(reason)),
                ..Packed::of_node(
                    EventKind::NodeRecovered,
                    *node_index,
                    NodeStatus::Pending,
                    *at,
                )
            }),
            Entry::NodeFinished(finished) => Packed::of_finished_node(finished),
            Entry::Profile {
                node_index: _,
                profile: _,
            } => None,
            Entry::Log {
                node_index,
                attempt,
                level,
                message,
                at,
            } => Some(Packed {
                node_index: *node_index,
                attempt: *attempt,
                level: Some(*level),
                message: Some(Cow::Borrowed(message)),
                ..Packed::new(EventKind::Log, *at)
            }),
            Entry::RunFinished { status, error, at } => terminal_kind(*status)
                .map(|kind| Packed::of_run(kind, *status, error.as_deref(), *at)),
        }
    }

    fn of_finished_node(finished: &'a FinishedNode) -> Option<Self> {
        let kind = match finished.status {
            NodeStatus::Success => EventKind::NodeCompleted,
            NodeStatus::Failed => EventKind::NodeFailed,
            NodeStatus::Skipped => EventKind::NodeSkipped,
            NodeStatus::Cancelled => EventKind::NodeCancelled,
            NodeStatus::Pending | NodeStatus::Running => return None,
        };
        Some(Packed {
            attempt: finished.attempt,
            row_count: finished.row_count,
            duration_ms: finished.duration_ms,
            error: finished.error.as_deref().map(Cow::Borrowed),
            ..Packed::of_node(kind, finished.node_index, finished.status, finished.at)
        })
    }
}

/// Returns the kind of a run's terminal event, or `None` if the status is not terminal.
pub(super) const fn terminal_kind(status: RunStatus) -> Option<EventKind> {
    match status {
        RunStatus::Success => Some(EventKind::RunCompleted),
        RunStatus::Failed => Some(EventKind::RunFailed),
        RunStatus::Cancelled => Some(EventKind::RunCancelled),
        RunStatus::Pending | RunStatus::Running => None,
    }
}

/// The encoded events of one row.
#[derive(Debug)]
pub(super) struct JournalBody {
    /// The number of events.
    pub(super) count: i64,
    /// The events as a JSON array.
    pub(super) text: String,
}

impl JournalBody {
    /// Encodes the events of entries.
    pub(super) fn of_entries(entries: &[Entry]) -> Result<Self, StoreError> {
        let events: Vec<_> = entries.iter().filter_map(Packed::of_entry).collect();
        Self::pack(&events)
    }

    /// Encodes one event of the run itself.
    pub(super) fn of_run(
        kind: EventKind,
        status: RunStatus,
        error: Option<&str>,
        at: DateTime<Utc>,
    ) -> Result<Self, StoreError> {
        Self::pack(&[Packed::of_run(kind, status, error, at)])
    }

    fn pack(events: &[Packed<'_>]) -> Result<Self, StoreError> {
        Ok(Self {
            count: i64::try_from(events.len()).unwrap_or(i64::MAX),
            text: super::values::text(&events)?,
        })
    }
}

/// The values that all events of a journal row share.
pub(super) struct Shared<'a> {
    /// The number of the first event.
    pub(super) first_seq: u64,
    pub(super) run: RunId,
    pub(super) pipeline: PipelineId,
    pub(super) tenant: Option<&'a TenantId>,
    pub(super) started_at: Option<DateTime<Utc>>,
    pub(super) definition: &'a Definition,
    pub(super) traceparent: Option<TraceParent>,
}

/// Decodes the events of a row.
pub(super) fn unpack(text: &str, shared: &Shared<'_>) -> Result<Vec<Event>, StoreError> {
    let events: Vec<Packed<'_>> =
        serde_json::from_str(text).map_err(|error| StoreError::unreadable("events", error))?;
    (shared.first_seq..)
        .zip(events)
        .map(|(seq, packed)| unpack_one(seq, packed, shared))
        .collect()
}

fn unpack_one(seq: u64, packed: Packed<'_>, shared: &Shared<'_>) -> Result<Event, StoreError> {
    let Packed {
        kind,
        node_index,
        status,
        row_count,
        duration_ms,
        attempt,
        error,
        level,
        message,
        at,
    } = packed;
    let at = time(at)?;
    let mut event = Event::new(seq, kind, shared.run, shared.pipeline.clone(), at);
    event.node_id = node_index
        .map(|node_index| shared.definition.node(node_index).cloned())
        .transpose()?;
    event.status = status;
    event.row_count = row_count;
    event.duration_ms = duration_ms;
    if kind.is_terminal() {
        // The wall clock may have stepped back. A duration is never negative.
        event.duration_ms = shared
            .started_at
            .map(|start| u64::try_from((at - start).num_milliseconds()).unwrap_or(0));
    }
    event.attempt = attempt;
    event.error = error.map(Cow::into_owned);
    event.level = level;
    event.message = message.map(Cow::into_owned);
    event.tenant = shared.tenant.cloned();
    event.traceparent = shared.traceparent;
    Ok(event)
}
