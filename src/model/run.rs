//! A run of a pipeline: its status, what started it, and what it takes over from earlier runs.
//!
//! Its nodes are [`NodeRun`](super::NodeRun)s; its history is a list of [`Event`](super::Event)s.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::{BackfillId, NodeIndex, NodeStatus, PipelineId, Priority, RunId, TenantId};

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum RunStatus {
    /// Created, waits for an execution slot.
    Pending,
    /// Executes, or will go on after a crash or a shutdown.
    Running,
    /// All nodes completed, or were left out without failure.
    Success,
    /// A node failed, the time ran out, or the run was given up as poisoned.
    Failed,
    /// Cancelled on request.
    Cancelled,
}

impl RunStatus {
    /// Whether the status never changes again.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Success | Self::Failed | Self::Cancelled)
    }

    /// Whether a run may go from this status to `next`: the one table of transitions, enforced by
    /// storage.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        match self {
            Self::Pending => matches!(next, Self::Running | Self::Cancelled),
            Self::Running => matches!(next, Self::Success | Self::Failed | Self::Cancelled),
            Self::Success | Self::Failed | Self::Cancelled => false,
        }
    }

    /// How a node without an entry reads in a run of this status.
    #[must_use]
    pub const fn unstarted_node(self) -> NodeStatus {
        match self {
            Self::Pending | Self::Running | Self::Success => NodeStatus::Pending,
            Self::Failed => NodeStatus::Skipped,
            Self::Cancelled => NodeStatus::Cancelled,
        }
    }
}

/// What made a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Trigger {
    /// A caller asked for it.
    Manual,
    /// A schedule was due.
    Schedule,
    /// A backfill.
    Backfill,
    /// A failed run goes on.
    Resume,
    /// A missed tick of a schedule is made up for.
    Catchup,
    /// A call of the pipeline's webhook.
    Webhook,
    /// An upstream pipeline ended.
    Dependency,
}

impl Trigger {
    /// Returns the priority of a run with this trigger.
    #[must_use]
    pub const fn priority(self) -> Priority {
        match self {
            Self::Manual | Self::Resume | Self::Webhook => Priority::Manual,
            Self::Schedule | Self::Catchup | Self::Dependency => Priority::Schedule,
            Self::Backfill => Priority::Backfill,
        }
    }
}

/// How a run was asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Cancel {
    /// Executing nodes finish, nothing new starts.
    Plain,
    /// Executing nodes are told to stop and left behind after the grace.
    Forced,
}

/// A run as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// Its pipeline.
    pub pipeline_id: PipelineId,
    /// The version of the definition that it runs.
    pub pipeline_version: u32,
    /// The tenant it belongs to: its pipeline's when it was created.
    pub tenant: Option<TenantId>,
    /// Where it stands.
    pub status: RunStatus,
    /// Whether and how it was asked to stop.
    pub cancel: Option<Cancel>,
    /// What made it.
    pub trigger: Trigger,
    /// The pipeline's parameters with the given ones over them.
    pub params: BTreeMap<String, String>,
    /// What `${run.date}` reads.
    pub date: NaiveDate,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was first claimed.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Why it failed: the first error.
    pub error: Option<String>,
    /// The backfill that it was made by; a resume belongs to none.
    pub backfill_id: Option<BackfillId>,
    /// The run that this one resumes.
    pub resumed_from: Option<RunId>,
    /// The first run of its chain of resumes; itself where it resumes none.
    pub first_run: RunId,
    /// What it takes over from earlier runs of its chain.
    pub inherited: Vec<InheritedOutput>,
}

impl Run {
    /// A pending run; what is optional is set afterwards.
    #[must_use]
    pub const fn new(
        id: RunId,
        pipeline_id: PipelineId,
        version: u32,
        trigger: Trigger,
        date: NaiveDate,
        created_at: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            pipeline_id,
            pipeline_version: version,
            tenant: None,
            status: RunStatus::Pending,
            cancel: None,
            trigger,
            params: BTreeMap::new(),
            date,
            created_at,
            started_at: None,
            finished_at: None,
            error: None,
            backfill_id: None,
            resumed_from: None,
            first_run: id,
            inherited: Vec::new(),
        }
    }
}

/// A node that succeeded earlier in a chain of resumes, so that the new run need not execute it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InheritedOutput {
    /// The node's place in the new run.
    pub node_index: NodeIndex,
    /// The run that executed it.
    pub from_run: RunId,
    /// Its place there.
    pub from_node_index: NodeIndex,
    /// Rows that it handed on.
    pub row_count: Option<u64>,
    /// Whether it handed on a dataset.
    pub has_dataset: bool,
    /// SHA-256 of the output kept there, where one is kept.
    pub output_hash: Option<[u8; 32]>,
}

impl InheritedOutput {
    /// Takes over the node at `from_node_index` of `from_run` as the one at `node_index`; what else
    /// is known is set afterwards.
    #[must_use]
    pub const fn new(node_index: NodeIndex, from_run: RunId, from_node_index: NodeIndex) -> Self {
        Self {
            node_index,
            from_run,
            from_node_index,
            row_count: None,
            has_dataset: false,
            output_hash: None,
        }
    }
}
