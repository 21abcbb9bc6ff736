//! A node of a run: its status, its attempts and its output.
//!
//! [`Node`](super::Node) is its definition. `graph/frontier` decides when it may start.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{NodeId, RunId, rfc3339};

/// The index of a node in the topological order of its pipeline, from 0.
///
/// A pipeline has at most 1,000 nodes by default (`Limits::nodes_max`), and never more than 4,096.
pub type NodeIndex = u16;

/// The status of a node of a run.
///
/// On the wire it is the name in lower case.
///
/// ```
/// use floret::NodeStatus;
///
/// assert!(NodeStatus::Skipped.is_terminal());
/// // After a failed attempt, the node waits for the next one.
/// assert!(NodeStatus::Running.may_become(NodeStatus::Pending));
/// assert!(!NodeStatus::Success.may_become(NodeStatus::Running));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum NodeStatus {
    /// Waits for its upstreams, for a slot or for its next attempt.
    Pending,
    /// An attempt is executing.
    Running,
    /// Finished with success. Its output is committed.
    Success,
    /// Failed in its last attempt.
    Failed,
    /// Cancelled with its run, before or during its execution.
    Cancelled,
    /// Not executed: an upstream did not succeed, no edge to the node was taken, the run reached
    /// its timeout, or an earlier run of the chain executed the node with success.
    Skipped,
}

impl NodeStatus {
    /// Returns the name of the status on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }

    /// Returns whether the status is final.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Success | Self::Failed | Self::Cancelled | Self::Skipped
        )
    }

    /// Returns whether a node may change from this status to `next`.
    ///
    /// This is the only table of node transitions. Storage enforces it.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        match self {
            Self::Pending => matches!(next, Self::Running | Self::Skipped | Self::Cancelled),
            Self::Running => matches!(
                next,
                Self::Success | Self::Failed | Self::Cancelled | Self::Pending
            ),
            Self::Success | Self::Failed | Self::Cancelled | Self::Skipped => false,
        }
    }
}

/// Why the output of a node that returned one was never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UnstoredOutput {
    /// It is larger than [`Limits::output_bytes_max`](crate::Limits::output_bytes_max).
    TooLarge,
    /// It contains a secret that the run has opened.
    Secret,
}

/// A node of a run.
///
/// In JSON, fields without a value are absent.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use floret::{Pipeline, testing::{memory, run_to_end}};
/// use floret::NodeStatus;
/// use floret::executor::{Ctx, ExecutorError};
///
/// async fn load(_: Ctx) -> Result<(), ExecutorError> {
///     Err(ExecutorError::permanent("no such file"))
/// }
/// let daily = Pipeline::new("daily").node("load", "load");
/// let finished = run_to_end(memory().node("load", load), daily).await?;
/// let node = &finished.detail.nodes[0];
/// assert_eq!((node.status, node.attempt), (NodeStatus::Failed, Some(1)));
/// assert!(node.error.as_ref().is_some_and(|error| error.contains("no such file")));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct NodeRun {
    /// The id `<run id>.<node_index>`.
    pub id: String,
    /// The id of the node in its pipeline.
    pub node_id: NodeId,
    /// The index of the node in the topological order of the pipeline.
    #[serde(skip)]
    pub node_index: NodeIndex,
    /// The current status.
    pub status: NodeStatus,
    /// The number of the newest attempt, from 1, or `None` before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// The number of rows of its output. For a skipped node with a reused output, the rows of that
    /// output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row_count: Option<u64>,
    /// The duration of the newest attempt in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// The time from when the node could start to the start of its first attempt, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_ms: Option<u64>,
    /// When the first attempt started.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "rfc3339::serialize_option"
    )]
    pub started_at: Option<DateTime<Utc>>,
    /// When the node finished.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "rfc3339::serialize_option"
    )]
    pub finished_at: Option<DateTime<Utc>>,
    /// The error message of the node, or of its newest failed attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The run that executed the node, if this run reuses its output. For a node that a resume was
    /// asked to skip, that resume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reused_from: Option<RunId>,
    /// The branch that the node has taken, if it takes one: its edges with the other condition are
    /// not taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<bool>,
    /// The SHA-256 of the stored output, or `None` if no output is stored.
    #[serde(skip)]
    pub output_hash: Option<[u8; 32]>,
    /// Whether the node returned a dataset, even one without rows, whether or not it is stored.
    #[serde(skip)]
    pub has_dataset: bool,
    /// Why the output was never stored, or `None` if it was stored or there is none.
    #[serde(skip)]
    pub unstored: Option<UnstoredOutput>,
}

impl NodeRun {
    /// Creates a node that storage has no row for.
    ///
    /// [`RunStatus::unstarted_node`](super::RunStatus::unstarted_node) returns its status.
    #[must_use]
    pub fn unstarted(
        run: RunId,
        node_id: NodeId,
        node_index: NodeIndex,
        status: NodeStatus,
    ) -> Self {
        Self {
            id: format!("{run}.{node_index}"),
            node_id,
            node_index,
            status,
            attempt: None,
            row_count: None,
            duration_ms: None,
            queue_ms: None,
            started_at: None,
            finished_at: None,
            error: None,
            reused_from: None,
            branch: None,
            output_hash: None,
            has_dataset: false,
            unstored: None,
        }
    }
}
