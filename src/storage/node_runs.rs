//! The nodes of the newest runs of a pipeline, for an overview.
//!
//! `runs` finds a single run with its nodes.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::error::Result;
use crate::model::{NodeId, NodeRun, NodeStatus, PipelineId, Qualified, Run, RunId, RunStatus};

/// The newest runs of a pipeline, also of a deleted one.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewestRuns {
    /// The pipeline. Its tenant is the scope of the query.
    pub pipeline: Qualified<PipelineId>,
    /// The maximum number of runs.
    pub limit: u32,
}

impl NewestRuns {
    /// Asks for this number of runs of a pipeline.
    #[must_use]
    pub const fn new(pipeline: Qualified<PipelineId>, limit: u32) -> Self {
        Self { pipeline, limit }
    }
}

/// A run with the status of each of its nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunNodes {
    /// The run.
    pub run: RunId,
    /// The version of the pipeline that it executes.
    pub version: u32,
    /// Its status.
    pub status: RunStatus,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it started.
    pub started_at: Option<DateTime<Utc>>,
    /// When it finished.
    pub finished_at: Option<DateTime<Utc>>,
    /// The nodes of its definition by [`NodeIndex`](crate::storage::NodeIndex). The runs of a
    /// version share them.
    pub nodes: Arc<[NodeId]>,
    /// The status of each of these nodes. One without an entry has the status
    /// [`RunStatus::unstarted_node`].
    pub statuses: Vec<NodeStatus>,
}

impl RunNodes {
    /// Creates a run whose nodes have no entry.
    #[must_use]
    pub fn new(run: &Run, nodes: Arc<[NodeId]>) -> Self {
        Self {
            run: run.id,
            version: run.pipeline_version,
            status: run.status,
            created_at: run.created_at,
            started_at: run.started_at,
            finished_at: run.finished_at,
            statuses: vec![run.status.unstarted_node(); nodes.len()],
            nodes,
        }
    }
}

/// A node of one of the newest runs.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PastNodeRun {
    /// The run.
    pub run: RunId,
    /// Its node.
    pub node: NodeRun,
    /// The share of nulls in the profile of its output
    /// ([`Profile::null_pct`](crate::Profile::null_pct)), or `None` if the run has no profile of
    /// the node.
    pub null_pct: Option<f64>,
}

impl PastNodeRun {
    /// Creates a node without a profile.
    #[must_use]
    pub const fn new(run: RunId, node: NodeRun) -> Self {
        Self {
            run,
            node,
            null_pct: None,
        }
    }
}

/// Reads the nodes of the newest runs of a pipeline.
#[async_trait]
pub trait NodeRuns: Send + Sync + 'static {
    /// Returns the newest runs of a pipeline with the statuses of their nodes, the greatest id
    /// first.
    ///
    /// - A run MUST have the nodes of its own definition, whatever the newest one has.
    /// - A read SHOULD take few queries, whatever the number of runs.
    ///
    /// # Errors
    /// `Unavailable` if storage cannot answer.
    async fn list_run_nodes(&self, runs: NewestRuns) -> Result<Vec<RunNodes>>;

    /// Returns a node of the newest runs of a pipeline, the greatest id first.
    ///
    /// - A run whose definition does not have the node MUST be left out, although it counts as one
    ///   of the newest.
    /// - A node without an entry MUST have the status [`RunStatus::unstarted_node`].
    /// - A node whose output the run reuses MUST have no profile: it is that of another run.
    ///
    /// # Errors
    /// `Unavailable` if storage cannot answer.
    async fn list_past_node_runs(
        &self,
        runs: NewestRuns,
        node: &NodeId,
    ) -> Result<Vec<PastNodeRun>>;
}
