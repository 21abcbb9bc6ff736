//! The checks of an append that ask for the run's rows: the wish to cancel, then the transitions.
//!
//! Epoch, position and the terminal status are numbers that a backend compares itself, before
//! these.

use std::collections::BTreeMap;

use super::{cancel_requested, illegal_transition};
use crate::error::Result;
use crate::model::{NodeIndex, NodeStatus, Run, RunStatus};
use crate::storage::Entry;

/// Refuses entries that a running run cannot take. `node` tells where the node at a place stands,
/// and none where there is no node.
pub(in crate::storage) fn check_entries(
    run: &Run,
    entries: &[Entry],
    node: impl Fn(NodeIndex) -> Option<NodeStatus>,
) -> Result<()> {
    let ends_otherwise = |entry: &Entry| matches!(entry, Entry::RunFinished { status, .. } if *status != RunStatus::Cancelled);
    if run.cancel.is_some() && entries.iter().any(ends_otherwise) {
        return Err(cancel_requested(run.id));
    }
    let mut walk = Walk {
        run,
        status: run.status,
        nodes: BTreeMap::new(),
        node,
    };
    entries.iter().try_for_each(|entry| walk.step(entry))
}

/// Whether an end may still name a chunk of a node's output. `node` is where the node stands; none
/// where there is no node.
pub(in crate::storage) fn may_name_chunk(node: Option<NodeStatus>) -> bool {
    node.is_some_and(|status| !status.is_terminal())
}

/// Where the run and its nodes would stand after the entries so far.
struct Walk<'a, F> {
    run: &'a Run,
    status: RunStatus,
    nodes: BTreeMap<NodeIndex, NodeStatus>,
    node: F,
}

impl<F: Fn(NodeIndex) -> Option<NodeStatus>> Walk<'_, F> {
    fn step(&mut self, entry: &Entry) -> Result<()> {
        if self.status.is_terminal() {
            return Err(illegal_transition(self.run.id, "the run's end is its last"));
        }
        match entry {
            Entry::NodeStarted { node_index, .. } => {
                self.move_node(*node_index, NodeStatus::Running)
            }
            Entry::NodeRetrying { node_index, .. } => {
                self.move_node(*node_index, NodeStatus::Pending)
            }
            Entry::NodeFinished(end) if end.status.is_terminal() => {
                self.move_node(end.node_index, end.status)
            }
            Entry::NodeFinished(end) => Err(illegal_transition(
                self.run.id,
                format_args!("{:?} is no end of a node", end.status),
            )),
            Entry::Profile { node_index, .. } => self.find(*node_index).map(drop),
            Entry::Log { node_index, .. } => {
                node_index.map_or(Ok(()), |node_index| self.find(node_index).map(drop))
            }
            Entry::RunFinished { status, .. } if self.status.may_become(*status) => {
                self.status = *status;
                Ok(())
            }
            Entry::RunFinished { status, .. } => Err(illegal_transition(
                self.run.id,
                format_args!("{:?} may not become {status:?}", self.status),
            )),
        }
    }

    fn find(&self, node_index: NodeIndex) -> Result<NodeStatus> {
        let found = self.nodes.get(&node_index).copied();
        found.or_else(|| (self.node)(node_index)).ok_or_else(|| {
            illegal_transition(self.run.id, format_args!("no node has place {node_index}"))
        })
    }

    fn move_node(&mut self, node_index: NodeIndex, next: NodeStatus) -> Result<()> {
        let status = self.find(node_index)?;
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
