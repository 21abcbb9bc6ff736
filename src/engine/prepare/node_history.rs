//! The history of each node of a run before the run executes.
//!
//! `graph/plan` decides what must execute again.

use std::sync::Arc;

use crate::graph::Graph;
use crate::graph::frontier::{Frontier, Known, NodeOutcome};
use crate::graph::plan::{EarlierResult, ExecutionPlan, OutputState};
use crate::model::{InheritedOutput, NodeIndex, NodeRun, NodeStatus};
use crate::storage::ClaimedRun;

/// What one node did in this run and earlier in its chain.
#[derive(Debug, Clone, Default)]
pub(super) struct NodeHistory {
    /// Its row in this run.
    pub(super) row: Option<NodeRun>,
    /// Its result earlier in the chain.
    pub(super) inherited: Option<InheritedOutput>,
}

impl NodeHistory {
    /// Returns its outcome in this run. A node that reuses an output counts as a success.
    pub(super) fn outcome(&self) -> Option<NodeOutcome> {
        let row = self.row.as_ref()?;
        match row.status {
            NodeStatus::Success => Some(NodeOutcome::Success),
            NodeStatus::Skipped if row.reused_from.is_some() => Some(NodeOutcome::Success),
            NodeStatus::Skipped => Some(NodeOutcome::Skipped),
            NodeStatus::Failed => Some(NodeOutcome::Failed),
            NodeStatus::Cancelled => Some(NodeOutcome::Cancelled),
            NodeStatus::Pending | NodeStatus::Running => None,
        }
    }

    /// Returns its outcome and its branch, in this run or else earlier in the chain.
    pub(super) fn known(&self) -> Known {
        let is_inherited = self.inherited.is_some() && !self.has_started();
        let inherited = is_inherited.then_some(NodeOutcome::Success);
        Known {
            outcome: self.outcome().or(inherited),
            branch: self.branch(),
        }
    }

    /// Returns the branch that it has taken in this run or earlier in the chain.
    fn branch(&self) -> Option<bool> {
        let own = self.row.as_ref().and_then(|row| row.branch);
        own.or_else(|| self.inherited.as_ref()?.branch)
    }

    /// Returns whether it has started in this run. Then its earlier result no longer counts.
    pub(super) fn has_started(&self) -> bool {
        self.row.as_ref().is_some_and(|row| row.attempt.is_some())
    }

    /// Returns the first attempt to make, if the node had started and is not finished.
    ///
    /// An attempt that a crash interrupted is repeated; one that failed is followed by the next.
    pub(super) fn first_attempt(&self) -> Option<u32> {
        let row = self.row.as_ref()?;
        if row.status != NodeStatus::Pending {
            return None;
        }
        let has_failed = row.error.is_some();
        Some(row.attempt?.saturating_add(u32::from(has_failed)))
    }

    /// Returns whether an attempt had begun and neither succeeded nor failed.
    pub(super) fn is_interrupted(&self) -> bool {
        self.row.as_ref().is_some_and(|row| {
            row.status == NodeStatus::Pending && row.attempt.is_some() && row.error.is_none()
        })
    }

    /// Returns what `graph/plan` needs to know.
    pub(super) fn past(&self, is_sink: bool) -> EarlierResult {
        let output = match (self.outcome(), &self.row, &self.inherited) {
            (Some(NodeOutcome::Success), Some(row), _) => {
                kept_output(row.has_dataset, row.output_hash.is_some())
            }
            (None, _, Some(inherited)) if !self.has_started() => {
                kept_output(inherited.has_dataset, inherited.output_hash.is_some())
            }
            _ => return EarlierResult::NotSucceeded,
        };
        EarlierResult::Succeeded {
            output,
            branch: self.branch(),
            is_sink,
        }
    }
}

const fn kept_output(has_dataset: bool, is_stored: bool) -> OutputState {
    match (has_dataset, is_stored) {
        (false, _) => OutputState::NoDataset,
        (true, true) => OutputState::Stored,
        (true, false) => OutputState::Unavailable,
    }
}

/// Returns the history of every node, by node index.
pub(super) fn node_histories(graph: &Graph, claimed: &ClaimedRun) -> Vec<NodeHistory> {
    histories_of(graph, &claimed.nodes, &claimed.run.inherited)
}

/// Returns the history of every node from its row in the run and what it inherits.
pub(super) fn histories_of(
    graph: &Graph,
    rows: &[NodeRun],
    inherited: &[InheritedOutput],
) -> Vec<NodeHistory> {
    let mut histories = vec![NodeHistory::default(); graph.len()];
    for row in rows {
        if let Some(slot) = histories.get_mut(usize::from(row.node_index)) {
            slot.row = Some(row.clone());
        }
    }
    for inherited in inherited {
        if let Some(slot) = histories.get_mut(usize::from(inherited.node_index)) {
            slot.inherited = Some(inherited.clone());
        }
    }
    histories
}

/// Returns what `graph/plan` needs to know of each node.
///
/// A node that can no longer execute needs no output, whatever executes again for others.
pub(super) fn earlier_results(
    graph: &Arc<Graph>,
    histories: &[NodeHistory],
    is_sink: impl Fn(NodeIndex) -> bool,
) -> Vec<EarlierResult> {
    let known = histories.iter().map(NodeHistory::known).collect();
    let (frontier, _) = Frontier::new(Arc::clone(graph), known);
    (0..)
        .zip(histories)
        .map(
            |(node_index, history)| match frontier.has_ended(node_index) {
                true => EarlierResult::Ended,
                false => history.past(is_sink(node_index)),
            },
        )
        .collect()
}

/// Returns what `graph/frontier` needs to know of each node: those that the plan executes have no
/// outcome.
pub(super) fn known_nodes(plan: &ExecutionPlan<'_>, histories: &[NodeHistory]) -> Vec<Known> {
    let known = |(node_index, history): (NodeIndex, &NodeHistory)| {
        let known = history.known();
        let outcome = known.outcome.filter(|_| !plan.executes(node_index));
        Known { outcome, ..known }
    };
    (0..).zip(histories).map(known).collect()
}

/// Returns the error of the node that failed first.
pub(super) fn first_error(histories: &[NodeHistory]) -> Option<String> {
    let failed = histories
        .iter()
        .filter_map(|history| history.row.as_ref())
        .filter(|row| row.status == NodeStatus::Failed);
    let first = failed.min_by_key(|row| row.finished_at)?;
    Some(format!(
        "node {}: {}",
        first.node_id,
        first.error.as_deref().unwrap_or("it failed")
    ))
}
