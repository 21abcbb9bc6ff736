//! A node of a run: where it stands and how it went.
//!
//! What the node is (type, config, edges) stands in the pipeline; who may start when is decided by
//! `graph/frontier`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{NodeId, RunId};

/// The place of a node in the topological order of its pipeline, from 0; below 1,000 by
/// `Limits::nodes_max`.
pub type NodeIndex = u16;

/// Where a node of a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum NodeStatus {
    /// Waits for its upstreams, its slot or its next attempt.
    Pending,
    /// Executes.
    Running,
    /// Ended with success; its output is committed.
    Success,
    /// Ended failed.
    Failed,
    /// Never ran, or was stopped, since the run was cancelled.
    Cancelled,
    /// Never ran: an upstream failed or chose otherwise, or the node succeeded in an earlier run of
    /// the chain.
    Skipped,
}

impl NodeStatus {
    /// Whether the status never changes again.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Success | Self::Failed | Self::Cancelled | Self::Skipped
        )
    }

    /// Whether a node may go from this status to `next`: the one table of transitions, enforced by
    /// storage.
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

/// A node of a run as readers see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NodeRun {
    /// `<run id>.<node_index>`.
    pub id: String,
    /// The node.
    pub node_id: NodeId,
    /// Its place in the topological order.
    #[serde(skip)]
    pub node_index: NodeIndex,
    /// Where it stands.
    pub status: NodeStatus,
    /// The newest attempt, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// Rows that it handed on; of a skipped node, those of the execution that is reused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row_count: Option<u64>,
    /// From the start of its newest attempt to its end, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// From the moment it could have started to the start of its first attempt, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_ms: Option<u64>,
    /// The first start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<DateTime<Utc>>,
    /// The end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<DateTime<Utc>>,
    /// Why it failed, or why its newest attempt did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The run that executed it, where this one reuses the output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reused_from: Option<RunId>,
    /// SHA-256 of the kept output, where one is kept.
    #[serde(skip)]
    pub output_hash: Option<[u8; 32]>,
    /// Whether it handed on a dataset (even one without rows), kept or not.
    #[serde(skip)]
    pub has_dataset: bool,
}

impl NodeRun {
    /// A node that has no entry yet; it reads `pending`, in a cancelled run `cancelled`, in a
    /// failed one `skipped`.
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
            output_hash: None,
            has_dataset: false,
        }
    }
}
