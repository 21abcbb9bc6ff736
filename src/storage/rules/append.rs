//! The checks of an append that ask for the run's rows: the wish to cancel, then the transitions.
//!
//! Epoch, position and the terminal status are numbers that a backend compares itself, before these.

use std::collections::BTreeMap;

use super::{cancel_requested, illegal_transition};
use crate::error::Result;
use crate::model::{NodeStatus, Place, Run, RunStatus};
use crate::storage::Entry;

/// Refuses entries that a running run cannot take. `node` tells where the node at a place stands, and none where there is no node.
pub(in crate::storage) fn check_entries(
    run: &Run,
    entries: &[Entry],
    node: impl Fn(Place) -> Option<NodeStatus>,
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

/// Whether an end may still name a chunk of a node's output. `node` is where the node stands; none where there is no node.
pub(in crate::storage) fn may_name_chunk(node: Option<NodeStatus>) -> bool {
    node.is_some_and(|status| !status.is_terminal())
}

/// Where the run and its nodes would stand after the entries so far.
struct Walk<'a, F> {
    run: &'a Run,
    status: RunStatus,
    nodes: BTreeMap<Place, NodeStatus>,
    node: F,
}

impl<F: Fn(Place) -> Option<NodeStatus>> Walk<'_, F> {
    fn step(&mut self, entry: &Entry) -> Result<()> {
        if self.status.is_terminal() {
            return Err(illegal_transition(self.run.id, "the run's end is its last"));
        }
        match entry {
            Entry::NodeStarted { place, .. } => self.move_node(*place, NodeStatus::Running),
            Entry::NodeRetrying { place, .. } => self.move_node(*place, NodeStatus::Pending),
            Entry::NodeFinished(end) if end.status.is_terminal() => {
                self.move_node(end.place, end.status)
            }
            Entry::NodeFinished(end) => Err(illegal_transition(
                self.run.id,
                format_args!("{:?} is no end of a node", end.status),
            )),
            Entry::Profile { place, .. } => self.find(*place).map(drop),
            Entry::Log { place, .. } => place.map_or(Ok(()), |place| self.find(place).map(drop)),
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

    fn find(&self, place: Place) -> Result<NodeStatus> {
        let found = self.nodes.get(&place).copied();
        found.or_else(|| (self.node)(place)).ok_or_else(|| {
            illegal_transition(self.run.id, format_args!("no node has place {place}"))
        })
    }

    fn move_node(&mut self, place: Place, next: NodeStatus) -> Result<()> {
        let status = self.find(place)?;
        if !status.may_become(next) {
            return Err(illegal_transition(
                self.run.id,
                format_args!("node {place} is {status:?} and may not become {next:?}"),
            ));
        }
        self.nodes.insert(place, next);
        Ok(())
    }
}
