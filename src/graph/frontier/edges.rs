//! What the edges of a run mean, now and after the nodes above have finished.

use super::{Frontier, NodeOutcome, State};
use crate::model::NodeIndex;

/// What an edge means for its downstream node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EdgeState {
    /// The upstream has no outcome so far.
    Undecided,
    Live,
    /// The upstream took another branch, or is untaken itself.
    Dead,
    /// The upstream did not succeed.
    Broken,
}

impl Frontier {
    /// Returns what the edge from an upstream to a node means now.
    pub(super) fn edge(&self, upstream: NodeIndex, node_index: NodeIndex) -> EdgeState {
        match self.node(upstream).state {
            State::Pending | State::Executing | State::Held => EdgeState::Undecided,
            State::Untaken => EdgeState::Dead,
            State::Finished(NodeOutcome::Success) => match self.leads(upstream, node_index) {
                true => EdgeState::Live,
                false => EdgeState::Dead,
            },
            State::Finished(_) => EdgeState::Broken,
        }
    }

    fn leads(&self, upstream: NodeIndex, node_index: NodeIndex) -> bool {
        let branch = self.node(upstream).branch;
        self.graph.leads(upstream, node_index, branch)
    }

    /// Returns whether all edges to a node are dead, also if an upstream executes again.
    pub(super) fn is_untaken(&self, node_index: NodeIndex) -> bool {
        let upstream = self.graph.upstream(node_index);
        !upstream.is_empty() && upstream.iter().all(|up| self.is_dead(*up, node_index))
    }

    /// Returns whether all edges to a node are dead or may become so.
    pub(super) fn may_be_untaken(&self, node_index: NodeIndex) -> bool {
        let upstream = self.graph.upstream(node_index);
        !upstream.is_empty()
            && upstream
                .iter()
                .all(|up| self.is_dead(*up, node_index) || self.may_become_dead(*up, node_index))
    }

    fn is_dead(&self, upstream: NodeIndex, node_index: NodeIndex) -> bool {
        match self.edge(upstream, node_index) {
            EdgeState::Dead => true,
            EdgeState::Undecided => {
                self.node(upstream).branch.is_some() && !self.leads(upstream, node_index)
            }
            EdgeState::Live | EdgeState::Broken => false,
        }
    }

    fn may_become_dead(&self, upstream: NodeIndex, node_index: NodeIndex) -> bool {
        self.edge(upstream, node_index) == EdgeState::Undecided
            && (self.node(upstream).is_unsure || !self.leads(upstream, node_index))
    }
}
