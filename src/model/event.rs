//! Events: one event for each change of a run or a node, and one for each log line.
//!
//! Storage writes an event in the same transaction as the change. `events` delivers them to
//! subscribers.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{NodeId, NodeStatus, PipelineId, RunId, RunStatus, TenantId, TraceParent, rfc3339};

/// The kind of an [`Event`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use floret::{Pipeline, executor::Ctx, testing::memory};
/// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
/// # let daily = Pipeline::new("daily").node("load", "load");
/// # let floret = memory().node("load", load).pipeline(daily).start().await?;
/// use floret::{EventKind, storage::EventFilter};
///
/// let run = floret.run("daily").start().await?;
/// let mut nodes_only = EventFilter::default();
/// nodes_only.kinds = vec![EventKind::NodeStarted, EventKind::NodeCompleted];
/// let first = floret.events_of(nodes_only, 0).next().await.expect("Floret is running")?;
/// assert_eq!((first.kind, first.run_id), (EventKind::NodeStarted, run.id()));
/// assert!(!first.kind.is_terminal());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub enum EventKind {
    /// A run was created and is pending.
    #[serde(rename = "run.created")]
    RunCreated,
    /// A run was claimed for the first time.
    #[serde(rename = "run.started")]
    RunStarted,
    /// A caller requested the cancellation of a running run.
    #[serde(rename = "run.cancelling")]
    RunCancelling,
    /// A run finished with success.
    #[serde(rename = "run.completed")]
    RunCompleted,
    /// A run failed.
    #[serde(rename = "run.failed")]
    RunFailed,
    /// A run was cancelled.
    #[serde(rename = "run.cancelled")]
    RunCancelled,
    /// An attempt of a node started.
    #[serde(rename = "node.started")]
    NodeStarted,
    /// A node starts again, because its attempt was interrupted: its process crashed or was shut
    /// down. The attempt that starts next has the same number.
    #[serde(rename = "node.recovered")]
    NodeRecovered,
    /// A node finished with success.
    #[serde(rename = "node.completed")]
    NodeCompleted,
    /// A node failed.
    #[serde(rename = "node.failed")]
    NodeFailed,
    /// An attempt failed, and another attempt follows.
    #[serde(rename = "node.retrying")]
    NodeRetrying,
    /// A node was skipped: an upstream did not succeed, the run reached its timeout, or an earlier
    /// run of the chain executed the node with success.
    #[serde(rename = "node.skipped")]
    NodeSkipped,
    /// A node was cancelled with its run, before or during its execution.
    #[serde(rename = "node.cancelled")]
    NodeCancelled,
    /// An executor logged a line.
    #[serde(rename = "log")]
    Log,
}

impl EventKind {
    /// Returns whether an event of this kind is the last of its run.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::RunCompleted | Self::RunFailed | Self::RunCancelled
        )
    }
}

/// The severity of a log line, in ascending order.
///
/// ```
/// use floret::Level;
///
/// let lines = [(Level::Info, "3 rows"), (Level::Warning, "a row is empty")];
/// let important: Vec<_> = lines.iter().filter(|(level, _)| *level >= Level::Warning).collect();
/// assert_eq!(important, [&(Level::Warning, "a row is empty")]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Level {
    /// Details for the analysis of a fault.
    Debug,
    /// Normal progress.
    Info,
    /// Something unexpected that did no harm.
    Warning,
    /// A failure.
    Error,
}

impl Level {
    /// Every level, in ascending order.
    pub const ALL: [Self; 4] = [Self::Debug, Self::Info, Self::Warning, Self::Error];

    /// Returns the name of the level on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A stored event.
///
/// The fields `seq` to `pipeline_id` and `timestamp` are always set. Every other field is `None`,
/// and absent in JSON, if it does not apply to the kind.
///
/// ```
/// use floret::{Event, EventKind};
///
/// let json = r#"{"seq": 7, "type": "node.completed", "pipeline_id": "daily", "node_id": "load",
///     "run_id": "018d0c5e-7a00-7000-8000-000000000001", "timestamp": "2024-01-15T06:30:00Z"}"#;
/// let event: Event = serde_json::from_str(json)?;
/// assert_eq!((event.seq, event.kind), (7, EventKind::NodeCompleted));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Event {
    /// The sequence number in the order of all events. It grows with each event and is never
    /// reused.
    pub seq: u64,
    /// The kind of the event.
    #[serde(rename = "type")]
    pub kind: EventKind,
    /// The run that the event belongs to.
    pub run_id: RunId,
    /// The pipeline of that run.
    pub pipeline_id: PipelineId,
    /// The node, for a node event and for a log line of a node.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub node_id: Option<NodeId>,
    /// The status after the event: of the run for a run event, of the node for a node event.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<EventStatus>,
    /// The number of rows of the node's output.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub row_count: Option<u64>,
    /// The duration in milliseconds. For [`EventKind::NodeRetrying`], the time until the next
    /// attempt.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub duration_ms: Option<u64>,
    /// The number of the attempt of the node, from 1. For [`EventKind::NodeRetrying`], that of the
    /// next attempt; `error` is that of the one before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub attempt: Option<u32>,
    /// The error message of a failure. For [`EventKind::NodeRecovered`], what interrupted the
    /// attempt.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
    /// The severity of a log line.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub level: Option<Level>,
    /// The text of a log line.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub message: Option<String>,
    /// When the event happened.
    #[serde(serialize_with = "rfc3339::serialize")]
    pub timestamp: DateTime<Utc>,
    /// The tenant that owns the run. The id of the pipeline is unique within it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tenant: Option<TenantId>,
    /// The [`Run::traceparent`](super::Run::traceparent) of the run. It is absent in JSON: a
    /// webhook has it in its header.
    #[serde(skip)]
    pub traceparent: Option<TraceParent>,
}

/// The status in an event: a run's in a run event, a node's in a node event.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use floret::{Pipeline, executor::Ctx, testing::memory};
/// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
/// # let daily = Pipeline::new("daily").node("load", "load");
/// # let floret = memory().node("load", load).pipeline(daily).start().await?;
/// use floret::{EventStatus, RunStatus};
///
/// let mut events = floret.events();
/// floret.run("daily").start().await?;
/// let created = events.next().await.expect("Floret is running")?;
/// assert_eq!(created.status, Some(EventStatus::from(RunStatus::Pending)));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum EventStatus {
    /// Pending.
    Pending,
    /// Running.
    Running,
    /// Finished with success.
    Success,
    /// Failed.
    Failed,
    /// Cancelled.
    Cancelled,
    /// Skipped. Only nodes have this status.
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
    /// Creates an event with the fields that every kind has. Set the other public fields as needed.
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
            traceparent: None,
        }
    }
}
