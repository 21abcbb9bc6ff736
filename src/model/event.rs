//! What happened, as stored and sent: one event a change of a run or a node, and one a line of a
//! log.
//!
//! Storage writes events beside the change itself; `events` hands them on.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{NodeId, NodeStatus, PipelineId, RunId, RunStatus, TenantId};

/// What kind of change an [`Event`] tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum EventKind {
    /// A run was created and waits for its slot.
    #[serde(rename = "run.created")]
    RunCreated,
    /// A run was claimed for the first time.
    #[serde(rename = "run.started")]
    RunStarted,
    /// Cancelling a running run was asked for.
    #[serde(rename = "run.cancelling")]
    RunCancelling,
    /// A run ended with success.
    #[serde(rename = "run.completed")]
    RunCompleted,
    /// A run ended failed.
    #[serde(rename = "run.failed")]
    RunFailed,
    /// A run ended cancelled.
    #[serde(rename = "run.cancelled")]
    RunCancelled,
    /// An attempt at a node began.
    #[serde(rename = "node.started")]
    NodeStarted,
    /// A node ended with success.
    #[serde(rename = "node.completed")]
    NodeCompleted,
    /// A node ended failed.
    #[serde(rename = "node.failed")]
    NodeFailed,
    /// An attempt failed and another follows.
    #[serde(rename = "node.retrying")]
    NodeRetrying,
    /// A node will not run, since its upstream failed, chose otherwise, or succeeded in an earlier
    /// run.
    #[serde(rename = "node.skipped")]
    NodeSkipped,
    /// A node will not run, or was stopped, since its run was cancelled.
    #[serde(rename = "node.cancelled")]
    NodeCancelled,
    /// A line that an executor logged.
    #[serde(rename = "log")]
    Log,
}

impl EventKind {
    /// Whether this is the last event of its run.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::RunCompleted | Self::RunFailed | Self::RunCancelled
        )
    }
}

/// How important a line of a log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Level {
    /// For whoever looks for a fault.
    Debug,
    /// What went as planned.
    Info,
    /// What was unexpected and did no harm.
    Warning,
    /// What went wrong.
    Error,
}

/// One stored event. Fields that do not apply to the kind are absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Event {
    /// The place in the order of all events; grows with each, never used twice.
    pub seq: u64,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: EventKind,
    /// The run it happened to.
    pub run_id: RunId,
    /// The run's pipeline.
    pub pipeline_id: PipelineId,
    /// The node, for events of nodes and their lines.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub node_id: Option<NodeId>,
    /// The status after the event: a run's or a node's, as on the wire.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<EventStatus>,
    /// Rows that the node handed on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub row_count: Option<u64>,
    /// How long it took, or (retrying) how long until the next attempt; milliseconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub duration_ms: Option<u64>,
    /// Which attempt of the node, from 1.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub attempt: Option<u32>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
    /// The level of a line.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub level: Option<Level>,
    /// The text of a line.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub message: Option<String>,
    /// When it happened.
    pub timestamp: DateTime<Utc>,
    /// The tenant that the run belongs to. It is not on the wire: whoever reads an event over HTTP
    /// is inside its scope.
    #[serde(skip)]
    pub tenant: Option<TenantId>,
}

/// The status that an event carries: a run's in run events, a node's in node events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum EventStatus {
    /// Waits.
    Pending,
    /// Executes.
    Running,
    /// Ended with success.
    Success,
    /// Ended failed.
    Failed,
    /// Ended cancelled.
    Cancelled,
    /// Never ran.
    Skipped,
}

impl From<RunStatus> for EventStatus {
    fn from(status: RunStatus) -> Self {
        match status {
            RunStatus::Pending => Self::Pending,
            RunStatus::Running => Self::Running,
            RunStatus::Success => Self::Success,
            RunStatus::Failed => Self::Failed,
            RunStatus::Cancelled => Self::Cancelled,
        }
    }
}

impl From<NodeStatus> for EventStatus {
    fn from(status: NodeStatus) -> Self {
        match status {
            NodeStatus::Pending => Self::Pending,
            NodeStatus::Running => Self::Running,
            NodeStatus::Success => Self::Success,
            NodeStatus::Failed => Self::Failed,
            NodeStatus::Cancelled => Self::Cancelled,
            NodeStatus::Skipped => Self::Skipped,
        }
    }
}

impl Event {
    /// An event with the fields that every kind has; the rest is set afterwards.
    #[must_use]
    pub const fn new(
        seq: u64,
        kind: EventKind,
        run_id: RunId,
        pipeline_id: PipelineId,
        timestamp: DateTime<Utc>,
    ) -> Self {
        Self {
            seq,
            kind,
            run_id,
            pipeline_id,
            node_id: None,
            status: None,
            row_count: None,
            duration_ms: None,
            attempt: None,
            error: None,
            level: None,
            message: None,
            timestamp,
            tenant: None,
        }
    }
}
