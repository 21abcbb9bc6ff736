//! What is known of each node of a run before it goes on.
//!
//! What follows from it is decided by `graph/plan`.

use crate::graph::Graph;
use crate::graph::frontier::NodeOutcome;
use crate::graph::plan::{EarlierResult, OutputState};
use crate::model::{InheritedOutput, NodeRun, NodeStatus};
use crate::storage::ClaimedRun;

/// What is known of one node before the run goes on.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// Its row in this run.
    pub(super) row: Option<NodeRun>,
    /// What it did earlier in the chain.
    pub(super) inherited: Option<InheritedOutput>,
}

impl Known {
    /// How it ended in this run; a node that reuses an output counts as a success.
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

    /// Whether it has begun in this run: then what it did earlier no longer counts.
    pub(super) fn has_begun(&self) -> bool {
        self.row.as_ref().is_some_and(|row| row.attempt.is_some())
    }

    pub(super) fn past(&self, is_sink: bool) -> EarlierResult {
        let output = match (self.outcome(), &self.row, &self.inherited) {
            (Some(NodeOutcome::Success), Some(row), _) => {
                kept(row.has_dataset, row.output_hash.is_some())
            }
            (None, _, Some(inherited)) if !self.has_begun() => {
                kept(inherited.has_dataset, inherited.output_hash.is_some())
            }
            _ => return EarlierResult::NotSucceeded,
        };
        EarlierResult::Succeeded { output, is_sink }
    }
}

const fn kept(has_dataset: bool, is_stored: bool) -> OutputState {
    match (has_dataset, is_stored) {
        (false, _) => OutputState::NoDataset,
        (true, true) => OutputState::Stored,
        (true, false) => OutputState::Unavailable,
    }
}

/// The rows of this run and what it inherits, by place.
pub(super) fn known(graph: &Graph, claimed: &ClaimedRun) -> Vec<Known> {
    let mut known = vec![Known::default(); graph.len()];
    for row in &claimed.nodes {
        if let Some(slot) = known.get_mut(usize::from(row.node_index)) {
            slot.row = Some(row.clone());
        }
    }
    for inherited in &claimed.run.inherited {
        if let Some(slot) = known.get_mut(usize::from(inherited.node_index)) {
            slot.inherited = Some(inherited.clone());
        }
    }
    known
}
