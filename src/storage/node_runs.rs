//! The nodes of the newest runs of a pipeline, for an overview.
//!
//! `runs` finds a single run with its nodes.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::error::Result;
use crate::model::{NodeId, NodeStatus, PipelineId, Qualified, Run, RunId, RunStatus};

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
}
