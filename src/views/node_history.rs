//! What a node of a pipeline did in the newest runs, for charts of its duration and its rows.
//!
//! `grid` shows all nodes of the same runs.

use serde::Serialize;

use super::Views;
use crate::error::{Error, Problem, Result, quote};
use crate::model::{NodeId, NodeStatus, RunId, Scope};
use crate::storage::{NewestRuns, PastNodeRun};

/// The number of runs of a history, if the caller names none.
pub(crate) const HISTORY_RUNS: u32 = 20;

/// What a node did in a run. Fields are in the order of the wire contract.
///
/// In JSON, fields without a value are absent.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct NodeHistory {
    /// The run.
    pub run_id: RunId,
    /// The status of the node.
    pub status: NodeStatus,
    /// The duration of its newest attempt in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// The time from when the node could start to the start of its first attempt, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_ms: Option<u64>,
    /// The number of rows of its output. For a skipped node with a reused output, the rows of that
    /// output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row_count: Option<u64>,
    /// How many cells of its output are null, in percent with one decimal. Absent if the run has no
    /// profile of the node, or the output has no cells.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(range(min = 0, max = 100)))]
    pub null_pct: Option<f64>,
}

impl Views {
    /// Returns what a node did in the newest runs of the pipeline with this id or slug, the newest
    /// first. Runs whose version does not have the node are left out.
    ///
    /// # Errors
    /// `NotFound` (`pipeline-not-found`; `node-not-found` if neither the newest version nor one of
    /// the runs has the node); `Conflict` (`tenant-required`); `Unavailable`.
    pub(crate) async fn node_history(
        &self,
        key: &str,
        node: &str,
        scope: &Scope,
        runs_max: u32,
    ) -> Result<Vec<NodeHistory>> {
        let pipeline = self.pipeline(key, scope).await?;
        let missing = || {
            let (id, shown) = (&pipeline.id, quote(node));
            let detail = format!("pipeline {id} and its newest runs have no node {shown}");
            Error::new(Problem::NodeNotFound, detail)
        };
        let id = NodeId::new(node).map_err(|_| missing())?;
        let newest = NewestRuns::new(pipeline.qualified_id(), runs_max);
        let found = self.storage.list_past_node_runs(newest, &id).await?;
        let mut nodes = pipeline.definition.nodes.iter();
        if found.is_empty() && !nodes.any(|own| own.id == node) {
            return Err(missing());
        }
        Ok(found.into_iter().map(NodeHistory::from).collect())
    }
}

impl From<PastNodeRun> for NodeHistory {
    fn from(past: PastNodeRun) -> Self {
        let PastNodeRun {
            run,
            node,
            null_pct,
        } = past;
        Self {
            run_id: run,
            status: node.status,
            duration_ms: node.duration_ms,
            queue_ms: node.queue_ms,
            row_count: node.row_count,
            null_pct,
        }
    }
}
