//! The checks of an append that need the run's rows: the cancel request, then the transitions.
//!
//! Epoch, position and terminal status are numbers. A backend checks them itself, before these.

use std::collections::BTreeMap;

use super::{cancel_requested, illegal_transition};
use crate::error::Result;
use crate::model::{NodeIndex, NodeStatus, Run, RunStatus};
use crate::storage::Entry;

/// Refuses entries that a running run cannot take.
///
/// `node` returns the status of a node, or `None` if there is no node with this index.
pub(in crate::storage) fn check_entries(
    run: &Run,
    entries: &[Entry],
    node: impl Fn(NodeIndex) -> Option<NodeStatus>,
) -> Result<()> {
    let finishes_otherwise = |entry: &Entry| matches!(entry, Entry::RunFinished { status, .. } if *status != RunStatus::Cancelled);
    if run.cancel.is_some() && entries.iter().any(finishes_otherwise) {
        return Err(cancel_requested(run.id));
    }
    let mut check = EntryCheck {
        run,
        status: run.status,
        nodes: BTreeMap::new(),
        node,
    };
    entries.iter().try_for_each(|entry| check.apply(entry))
}

/// Returns whether a node's outcome may still name a chunk.
///
/// `node` is the status of the node, or `None` if there is no such node.
pub(in crate::storage) fn accepts_chunk(node: Option<NodeStatus>) -> bool {
    node.is_some_and(|status| !status.is_terminal())
}

/// The statuses of a run and its nodes after the entries checked so far.
struct EntryCheck<'a, F> {
    run: &'a Run,
    status: RunStatus,
    nodes: BTreeMap<NodeIndex, NodeStatus>,
    node: F,
}

impl<F: Fn(NodeIndex) -> Option<NodeStatus>> EntryCheck<'_, F> {
    fn apply(&mut self, entry: &Entry) -> Result<()> {
        if self.status.is_terminal() {
            return Err(illegal_transition(
                self.run.id,
                "no entry may follow the outcome of the run",
            ));
        }
        match entry {
            Entry::NodeStarted { node_index, .. } => {
                self.change_node(*node_index, NodeStatus::Running)
            }
            Entry::NodeRetrying { node_index, .. } => {
                self.change_node(*node_index, NodeStatus::Pending)
            }
            Entry::NodeRecovered { node_index, .. } => self.check_pending(*node_index),
            Entry::NodeFinished(finished) if finished.status.is_terminal() => {
                self.change_node(finished.node_index, finished.status)
            }
            Entry::NodeFinished(finished) => Err(illegal_transition(
                self.run.id,
                format_args!("a node cannot finish as {:?}", finished.status),
            )),
            Entry::Profile { node_index, .. } => self.node_status(*node_index).map(drop),
            Entry::Log { node_index, .. } => {
                node_index.map_or(Ok(()), |node_index| self.node_status(node_index).map(drop))
            }
            Entry::RunFinished { status, .. } if self.status.may_become(*status) => {
                self.status = *status;
                Ok(())
            }
            Entry::RunFinished { status, .. } => Err(illegal_transition(
                self.run.id,
                format_args!("the run is {:?} and may not become {status:?}", self.status),
            )),
        }
    }

    fn node_status(&self, node_index: NodeIndex) -> Result<NodeStatus> {
        let found = self.nodes.get(&node_index).copied();
        found.or_else(|| (self.node)(node_index)).ok_or_else(|| {
            illegal_transition(self.run.id, format_args!("no node has index {node_index}"))
        })
    }

    fn check_pending(&self, node_index: NodeIndex) -> Result<()> {
        match self.node_status(node_index)? {
            NodeStatus::Pending => Ok(()),
            status => Err(illegal_transition(
                self.run.id,
                format_args!(
                    "node {node_index} is {status:?}, and only a pending one is recovered"
                ),
            )),
        }
    }

    fn change_node(&mut self, node_index: NodeIndex, next: NodeStatus) -> Result<()> {
        let status = self.node_status(node_index)?;
        if !status.may_become(next) {
            return Err(illegal_transition(
                self.run.id,
                format_args!("node {node_index} is {status:?} and may not become {next:?}"),
            ));
        }
        self.nodes.insert(node_index, next);
        Ok(())
    }
}
