//! Decides which nodes of a run may start, which are skipped, and how the run finishes. It is a
//! state machine without I/O.
//!
//! The driver in `engine` carries out the decisions. `plan` decides which nodes a resume or a
//! recovery executes again.

mod edges;
#[cfg(test)]
mod history_tests;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::edges::EdgeState;
use super::Graph;
use crate::model::{NodeIndex, RunStatus};

/// The final outcome of a node of a run. A node with a reused output counts as `Success`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum NodeOutcome {
    Success,
    Failed,
    Skipped,
    Cancelled,
}

/// What is known of a node before this execution of its run.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Known {
    /// Its outcome. `None` if it executes, also again.
    pub(crate) outcome: Option<NodeOutcome>,
    /// The branch that it took, also if it executes again.
    pub(crate) branch: Option<bool>,
}

/// The state of each node of a run.
///
/// A node starts when each of its edges is decided and one of them is live. An edge is live once
/// its upstream has succeeded, unless its condition is another branch than that of the upstream. A
/// node whose edges are all dead is skipped without a failure, and so are the edges from it. A node
/// below another one without success is skipped at once.
///
/// The success of an earlier run counts only if an edge to its node is live: where a node above
/// decides again, it is held until then.
#[derive(Debug)]
pub(crate) struct Frontier {
    graph: Arc<Graph>,
    nodes: Vec<Node>,
    /// The pending nodes that may start.
    ready: Vec<NodeIndex>,
    /// The number of pending and held nodes.
    pending: usize,
    executing: usize,
    run_outcome: RunStatus,
}

#[derive(Debug)]
struct Node {
    state: State,
    /// The branch that it took, now or in an earlier execution.
    branch: Option<bool>,
    /// While it is pending or held: the number of edges to it that are neither live nor dead.
    undecided: usize,
    /// Whether an edge to it is live, as far as it is pending or held.
    is_live: bool,
    /// Whether it may still turn out to be untaken, while an edge to it is undecided.
    is_unsure: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not started.
    Pending,
    /// Started, without an outcome so far.
    Executing,
    /// Succeeded earlier in the chain, below a node that decides again whether that counts.
    Held,
    Finished(NodeOutcome),
    /// Skipped, because all its edges are dead.
    Untaken,
}

impl Frontier {
    /// Builds the frontier from what is known of the nodes (`known[node_index]`). Nothing is known
    /// of the nodes of a new run.
    ///
    /// Also returns each pending node that can no longer run, in ascending order of node indexes.
    /// These nodes count as skipped.
    pub(crate) fn new(graph: Arc<Graph>, mut known: Vec<Known>) -> (Self, Vec<NodeIndex>) {
        known.resize(graph.len(), Known::default());
        let pending = |known: &Known| Node {
            state: State::Pending,
            branch: known.branch,
            undecided: 0,
            is_live: false,
            is_unsure: false,
        };
        let mut frontier = Self {
            nodes: known.iter().map(pending).collect(),
            ready: Vec::new(),
            pending: graph.len(),
            executing: 0,
            run_outcome: RunStatus::Success,
            graph,
        };
        let mut skipped = Vec::new();
        // Node indexes follow the topological order: each upstream is known before its consumers.
        for (node_index, known) in frontier.graph.node_indexes().zip(known) {
            match known.outcome {
                Some(outcome) => frontier.add_finished(node_index, outcome),
                None => {
                    frontier.add_pending(node_index);
                    if frontier.node(node_index).state != State::Pending {
                        skipped.push(node_index);
                    }
                }
            }
        }
        (frontier, skipped)
    }

    fn node(&self, node_index: NodeIndex) -> &Node {
        &self.nodes[usize::from(node_index)]
    }

    fn node_mut(&mut self, node_index: NodeIndex) -> &mut Node {
        &mut self.nodes[usize::from(node_index)]
    }

    fn add_finished(&mut self, node_index: NodeIndex, outcome: NodeOutcome) {
        self.record_outcome(outcome);
        match outcome {
            NodeOutcome::Success | NodeOutcome::Skipped if self.is_untaken(node_index) => {
                self.end(node_index, State::Untaken);
            }
            NodeOutcome::Success if self.may_be_untaken(node_index) => {
                self.node_mut(node_index).state = State::Held;
                self.add_pending(node_index);
            }
            outcome => self.end(node_index, State::Finished(outcome)),
        }
    }

    fn add_pending(&mut self, node_index: NodeIndex) {
        let (mut undecided, mut is_live, mut is_broken) = (0, false, false);
        for up in self.graph.upstream(node_index) {
            match self.edge(*up, node_index) {
                EdgeState::Undecided => undecided += 1,
                EdgeState::Live => is_live = true,
                EdgeState::Dead => {}
                EdgeState::Broken => is_broken = true,
            }
        }
        let is_unsure = self.may_be_untaken(node_index);
        let node = self.node_mut(node_index);
        (node.undecided, node.is_live, node.is_unsure) = (undecided, is_live, is_unsure);
        if is_broken {
            self.end(node_index, State::Finished(NodeOutcome::Skipped));
        } else if undecided == 0 {
            self.start_or_end(node_index);
        }
    }

    /// Returns the branch that a node has taken.
    pub(crate) fn branch(&self, node_index: NodeIndex) -> Option<bool> {
        self.nodes.get(usize::from(node_index))?.branch
    }

    /// Returns whether a node can no longer succeed: it has finished otherwise, or all its edges
    /// are dead.
    pub(crate) fn has_ended(&self, node_index: NodeIndex) -> bool {
        self.nodes
            .get(usize::from(node_index))
            .is_some_and(|node| match node.state {
                State::Pending | State::Executing | State::Held => false,
                State::Finished(outcome) => outcome != NodeOutcome::Success,
                State::Untaken => true,
            })
    }

    /// Returns whether the output of an upstream goes to a node that starts.
    pub(crate) fn delivers(&self, upstream: NodeIndex, node_index: NodeIndex) -> bool {
        self.edge(upstream, node_index) == EdgeState::Live
    }

    /// Records the branch of a node. The first one stands: what it led to has begun.
    pub(crate) fn take_branch(&mut self, node_index: NodeIndex, branch: Option<bool>) {
        if let Some(node) = self.nodes.get_mut(usize::from(node_index)) {
            node.branch = node.branch.or(branch);
        }
    }

    /// Returns each node that may start and was not returned before, in ascending order of node
    /// indexes. The nodes count as executing until they finish.
    pub(crate) fn take_ready(&mut self) -> Vec<NodeIndex> {
        let mut ready = std::mem::take(&mut self.ready);
        ready.sort_unstable();
        for node_index in &ready {
            self.node_mut(*node_index).state = State::Executing;
        }
        self.pending -= ready.len();
        self.executing += ready.len();
        ready
    }

    /// Records the outcome of an executing node. Returns each pending node that can no longer run,
    /// in ascending order of node indexes. These nodes count as skipped.
    ///
    /// Does nothing if the node is not executing.
    pub(crate) fn finish_node(
        &mut self,
        node_index: NodeIndex,
        outcome: NodeOutcome,
    ) -> Vec<NodeIndex> {
        let node = self.nodes.get_mut(usize::from(node_index));
        let Some(node) = node.filter(|node| node.state == State::Executing) else {
            debug_assert!(
                false,
                "node {node_index} finished although it was not executing"
            );
            return Vec::new();
        };
        node.state = State::Finished(outcome);
        self.executing -= 1;
        self.record_outcome(outcome);
        self.settle_downstream(node_index)
    }

    /// Stops starting nodes because of a cancel request. Returns the pending nodes, which count as
    /// cancelled.
    ///
    /// A second call returns no node.
    pub(crate) fn cancel(&mut self) -> Vec<NodeIndex> {
        self.record_outcome(NodeOutcome::Cancelled);
        self.finish_pending(NodeOutcome::Cancelled)
    }

    /// Stops starting nodes because the run reached its timeout. Returns the pending nodes, which
    /// count as skipped.
    pub(crate) fn time_out(&mut self) -> Vec<NodeIndex> {
        self.record_outcome(NodeOutcome::Failed);
        self.finish_pending(NodeOutcome::Skipped)
    }

    /// Returns whether the run finishes with this node, whatever its outcome. This holds when the
    /// node is the only one executing and no node is pending.
    pub(crate) fn is_last_unfinished(&self, node_index: NodeIndex) -> bool {
        let node = self.nodes.get(usize::from(node_index));
        let is_executing = node.is_some_and(|node| node.state == State::Executing);
        is_executing && self.executing == 1 && self.pending == 0
    }

    /// Returns the final status of the run, or `None` while a node executes or may still start.
    ///
    /// After a cancel request the run is cancelled, whatever the outcomes of its nodes. Otherwise
    /// the run fails if a node failed or the run reached its timeout.
    pub(crate) const fn run_outcome(&self) -> Option<RunStatus> {
        if self.executing == 0 && self.pending == 0 {
            Some(self.run_outcome)
        } else {
            None
        }
    }

    /// Returns how many nodes have failed.
    pub(crate) fn failed_count(&self) -> usize {
        let failed = State::Finished(NodeOutcome::Failed);
        let failed = self.nodes.iter().filter(|node| node.state == failed);
        failed.count()
    }

    fn record_outcome(&mut self, outcome: NodeOutcome) {
        match outcome {
            NodeOutcome::Success | NodeOutcome::Skipped => {}
            NodeOutcome::Failed if self.run_outcome == RunStatus::Cancelled => {}
            NodeOutcome::Failed => self.run_outcome = RunStatus::Failed,
            NodeOutcome::Cancelled => self.run_outcome = RunStatus::Cancelled,
        }
    }

    /// Decides the edges from a node that has finished, and those from each node that ends
    /// meanwhile. Returns the pending ones among them, in ascending order of node indexes.
    ///
    /// Each edge is decided once, so all calls for a run together follow each edge at most once.
    fn settle_downstream(&mut self, node_index: NodeIndex) -> Vec<NodeIndex> {
        let graph = Arc::clone(&self.graph);
        let (mut settled, mut skipped) = (vec![node_index], Vec::new());
        while let Some(node_index) = settled.pop() {
            for &next in graph.downstream(node_index) {
                let before = self.node(next).state;
                if !matches!(before, State::Pending | State::Held) {
                    continue;
                }
                self.decide_edge(node_index, next);
                if self.node(next).state != before {
                    settled.push(next);
                    skipped.extend((before == State::Pending).then_some(next));
                }
            }
        }
        skipped.sort_unstable();
        skipped
    }

    /// Decides an edge from a node that has finished.
    fn decide_edge(&mut self, upstream: NodeIndex, node_index: NodeIndex) {
        let edge = self.edge(upstream, node_index);
        if edge == EdgeState::Broken {
            self.end(node_index, State::Finished(NodeOutcome::Skipped));
            return;
        }
        let node = self.node_mut(node_index);
        node.is_live |= edge == EdgeState::Live;
        node.undecided -= 1;
        if node.undecided == 0 {
            self.start_or_end(node_index);
        }
    }

    /// Decides about a node whose edges are all live or dead.
    fn start_or_end(&mut self, node_index: NodeIndex) {
        let node = self.node(node_index);
        let is_taken = node.is_live || self.graph.upstream(node_index).is_empty();
        match (is_taken, node.state) {
            (false, _) => self.end(node_index, State::Untaken),
            (true, State::Held) => self.end(node_index, State::Finished(NodeOutcome::Success)),
            (true, _) => self.ready.push(node_index),
        }
    }

    /// Ends a node that is pending or held.
    fn end(&mut self, node_index: NodeIndex, state: State) {
        self.node_mut(node_index).state = state;
        self.pending -= 1;
    }

    fn finish_pending(&mut self, outcome: NodeOutcome) -> Vec<NodeIndex> {
        if self.pending == 0 {
            return Vec::new();
        }
        self.ready.clear();
        self.pending = 0;
        let mut finished = Vec::new();
        for (node_index, node) in (0..).zip(&mut self.nodes) {
            match node.state {
                State::Pending => {
                    node.state = State::Finished(outcome);
                    finished.push(node_index);
                }
                State::Held => node.state = State::Finished(NodeOutcome::Success),
                State::Executing | State::Finished(_) | State::Untaken => {}
            }
        }
        finished
    }
}
