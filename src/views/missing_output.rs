//! Why storage has no output of a node.
//!
//! `engine/checkpoint` decides which outputs are stored, and storage which ones a finished run
//! retains.

use super::Views;
use crate::error::Result;
use crate::graph::Graph;
use crate::model::{NodeIndex, NodeRun, NodeStatus, RunId, RunStatus, Scope, UnstoredOutput};
use crate::storage::RunDetail;

impl Views {
    /// Returns why an output is not stored, as the predicate of a sentence about it.
    ///
    /// The run is read again, because it may have finished since the output was looked for.
    ///
    /// # Errors
    /// `NotFound` if the run was purged meanwhile; `Unavailable`.
    pub(super) async fn why_not_stored(
        &self,
        run: RunId,
        node_index: NodeIndex,
        scope: &Scope,
    ) -> Result<String> {
        let detail = self.detail(run, scope).await?;
        let Some(node) = find(&detail, node_index) else {
            return Ok(not_succeeded(detail.run.status.unstarted_node()));
        };
        if node.reused_from == Some(run) {
            return Ok(SKIPPED.to_owned());
        }
        if let Some(reason) = without_output(node) {
            return Ok(reason);
        }
        let unstored = match node.reused_from {
            Some(from) => self.unstored_in(from, node, scope).await?,
            None => node.unstored,
        };
        if let Some(unstored) = unstored {
            return Ok(never_stored(unstored).to_owned());
        }
        let has_recovered = match detail.run.status {
            RunStatus::Failed | RunStatus::Cancelled => self.has_recovered(&detail, scope).await?,
            RunStatus::Pending | RunStatus::Running | RunStatus::Success => false,
        };
        let graph = Graph::new(&detail.definition)?;
        if detail.run.status == RunStatus::Success && !graph.keeps_output(node_index) {
            return Ok(dropped_by_success(graph.is_leaf(node_index)).to_owned());
        }
        Ok(dropped(&detail, has_recovered).to_owned())
    }

    /// Returns why the run that executed a node stored no output of it.
    async fn unstored_in(
        &self,
        run: RunId,
        node: &NodeRun,
        scope: &Scope,
    ) -> Result<Option<UnstoredOutput>> {
        let producer = self.storage.find_run(run, scope).await?;
        let rows = producer.iter().flat_map(|detail| &detail.nodes);
        let mut rows = rows.filter(|row| row.node_id == node.node_id);
        Ok(rows.next().and_then(|row| row.unstored))
    }

    /// Returns whether a resume of the run has succeeded.
    async fn has_recovered(&self, detail: &RunDetail, scope: &Scope) -> Result<bool> {
        let chain = self.storage.find_chain(detail.run.first_run, scope).await?;
        let mut chain = chain.iter();
        Ok(chain.any(|one| one.run.status == RunStatus::Success))
    }
}

fn find(detail: &RunDetail, node_index: NodeIndex) -> Option<&NodeRun> {
    let mut nodes = detail.nodes.iter();
    nodes.find(|node| node.node_index == node_index)
}

/// Returns why a node has no output at all.
fn without_output(node: &NodeRun) -> Option<String> {
    let is_reused = node.reused_from.is_some();
    match node.status {
        NodeStatus::Success if node.has_dataset => None,
        NodeStatus::Skipped if is_reused && node.has_dataset => None,
        NodeStatus::Success => Some(NO_DATASET.to_owned()),
        NodeStatus::Skipped if is_reused => Some(NO_DATASET.to_owned()),
        status => Some(not_succeeded(status)),
    }
}

fn not_succeeded(status: NodeStatus) -> String {
    let status = status.as_str();
    format!("is not stored: the node has not succeeded, it is {status}")
}

const SKIPPED: &str = "does not exist: the resume was asked to skip the node";

const NO_DATASET: &str = "does not exist: the node succeeded and returned none";

const fn never_stored(unstored: UnstoredOutput) -> &'static str {
    match unstored {
        UnstoredOutput::TooLarge => {
            "was never stored: it is larger than the limit output_bytes_max"
        }
        UnstoredOutput::Secret => "was never stored: it contains a secret that the run has opened",
    }
}

const fn dropped_by_success(is_last: bool) -> &'static str {
    if is_last {
        "was dropped when the run succeeded: it is larger than the limit result_bytes_max; Node::keep_output keeps it"
    } else {
        "was dropped when the run succeeded, which keeps only the outputs of its last nodes; Node::keep_output keeps it"
    }
}

/// Returns why an output that was stored, and that a success keeps, is not there.
const fn dropped(detail: &RunDetail, has_recovered: bool) -> &'static str {
    match detail.run.status {
        RunStatus::Failed | RunStatus::Cancelled if has_recovered => {
            "was dropped when a resume of the run succeeded"
        }
        RunStatus::Cancelled if detail.run.resumed_from.is_none() => {
            "was dropped when the run was cancelled"
        }
        RunStatus::Pending
        | RunStatus::Running
        | RunStatus::Success
        | RunStatus::Failed
        | RunStatus::Cancelled => "is missing in storage",
    }
}
