//! Decides which nodes of a run may start, which are skipped, and how the run finishes. It is a
//! state machine without I/O.
//!
//! The driver in `engine` carries out the decisions. `plan` decides which nodes a resume or a
//! recovery executes again.

use std::sync::Arc;

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
    nodes: Vec<State>,
    /// The branch of each node that has decided on one, now or in an earlier execution.
    branches: Vec<Option<bool>>,
    /// The number of edges to each pending node that are neither live nor dead.
    undecided: Vec<usize>,
    /// Whether each pending node has a live edge.
    is_live: Vec<bool>,
    /// Whether each node may still turn out to be untaken.
    is_unsure: Vec<bool>,
    /// The pending nodes that may start.
    ready: Vec<NodeIndex>,
    pending: usize,
    executing: usize,
    run_outcome: RunStatus,
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

/// What an edge means for its downstream node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EdgeState {
    /// The upstream has no outcome so far.
    Undecided,
    Live,
    /// The upstream took another branch, or is untaken itself.
    Dead,
    /// The upstream did not succeed.
    Broken,
}

impl Frontier {
    /// Builds the frontier from the outcomes that are final already (`finished[node_index]`; `None`
    /// means pending), and from the branches that nodes have decided on (`branches[node_index]`),
    /// also such that execute again.
    ///
    /// Also returns each pending node that can no longer run, in ascending order of node indexes.
    /// These nodes count as skipped.
    pub(crate) fn new(
        graph: Arc<Graph>,
        mut finished: Vec<Option<NodeOutcome>>,
        mut branches: Vec<Option<bool>>,
    ) -> (Self, Vec<NodeIndex>) {
        finished.resize(graph.len(), None);
        branches.resize(graph.len(), None);
        let mut frontier = Self {
            nodes: vec![State::Pending; graph.len()],
            undecided: vec![0; graph.len()],
            is_live: vec![false; graph.len()],
            is_unsure: vec![false; graph.len()],
            ready: Vec::new(),
            pending: finished.iter().filter(|outcome| outcome.is_none()).count(),
            executing: 0,
            run_outcome: RunStatus::Success,
            branches,
            graph,
        };
        let mut skipped = Vec::new();
        // Node indexes follow the topological order: each upstream is known before its consumers.
        for (node_index, outcome) in frontier.graph.node_indexes().zip(finished) {
            match outcome {
                Some(outcome) => frontier.add_finished(node_index, outcome),
                None => {
                    frontier.add_pending(node_index);
                    if frontier.nodes[usize::from(node_index)] != State::Pending {
                        skipped.push(node_index);
                    }
                }
            }
        }
        (frontier, skipped)
    }

    fn add_finished(&mut self, node_index: NodeIndex, outcome: NodeOutcome) {
        self.record_outcome(outcome);
        self.nodes[usize::from(node_index)] = match outcome {
            NodeOutcome::Success | NodeOutcome::Skipped if self.is_untaken(node_index) => {
                State::Untaken
            }
            NodeOutcome::Success if self.may_be_untaken(node_index) => {
                self.pending += 1;
                State::Held
            }
            outcome => State::Finished(outcome),
        };
        if self.nodes[usize::from(node_index)] == State::Held {
            self.add_pending(node_index);
        }
    }

    fn add_pending(&mut self, node_index: NodeIndex) {
        let index = usize::from(node_index);
        self.is_unsure[index] = self.may_be_untaken(node_index);
        let mut is_broken = false;
        for up in self.graph.upstream(node_index) {
            match self.edge(*up, node_index) {
                EdgeState::Undecided => self.undecided[index] += 1,
                EdgeState::Live => self.is_live[index] = true,
                EdgeState::Dead => {}
                EdgeState::Broken => is_broken = true,
            }
        }
        if is_broken {
            self.end(node_index, State::Finished(NodeOutcome::Skipped));
        } else if self.undecided[index] == 0 {
            self.start_or_end(node_index);
        }
    }

    /// Returns the branch that a node has decided on.
    pub(crate) fn branch(&self, node_index: NodeIndex) -> Option<bool> {
        let branch = self.branches.get(usize::from(node_index));
        branch.copied().flatten()
    }

    /// Returns whether a node can no longer succeed: it has finished otherwise, or all its edges
    /// are dead.
    pub(crate) fn has_ended(&self, node_index: NodeIndex) -> bool {
        self.nodes
            .get(usize::from(node_index))
            .is_some_and(|state| match state {
                State::Pending | State::Executing | State::Held => false,
                State::Finished(outcome) => *outcome != NodeOutcome::Success,
                State::Untaken => true,
            })
    }

    /// Returns whether the output of an upstream goes to a node that starts.
    pub(crate) fn delivers(&self, upstream: NodeIndex, node_index: NodeIndex) -> bool {
        self.edge(upstream, node_index) == EdgeState::Live
    }

    /// Records the branch of a node. Its first decision stands: what it led to has begun.
    pub(crate) fn decide(&mut self, node_index: NodeIndex, branch: Option<bool>) {
        if let Some(decided) = self.branches.get_mut(usize::from(node_index)) {
            *decided = decided.or(branch);
        }
    }

    /// Returns each node that may start and was not returned before, in ascending order of node
    /// indexes. The nodes count as executing until they finish.
    pub(crate) fn take_ready(&mut self) -> Vec<NodeIndex> {
        let mut ready = std::mem::take(&mut self.ready);
        ready.sort_unstable();
        for node_index in &ready {
            self.nodes[usize::from(*node_index)] = State::Executing;
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
        let mut skipped = Vec::new();
        let Some(node @ State::Executing) = self.nodes.get_mut(usize::from(node_index)) else {
            debug_assert!(
                false,
                "node {node_index} finished although it was not executing"
            );
            return skipped;
        };
        *node = State::Finished(outcome);
        self.executing -= 1;
        self.record_outcome(outcome);
        self.settle_downstream(node_index, &mut skipped);
        skipped.sort_unstable();
        skipped
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
        let is_executing = self.nodes.get(usize::from(node_index)) == Some(&State::Executing);
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
        self.nodes.iter().filter(|state| **state == failed).count()
    }

    fn record_outcome(&mut self, outcome: NodeOutcome) {
        match outcome {
            NodeOutcome::Success | NodeOutcome::Skipped => {}
            NodeOutcome::Failed if self.run_outcome == RunStatus::Cancelled => {}
            NodeOutcome::Failed => self.run_outcome = RunStatus::Failed,
            NodeOutcome::Cancelled => self.run_outcome = RunStatus::Cancelled,
        }
    }

    /// Returns what the edge from an upstream to a node means now.
    fn edge(&self, upstream: NodeIndex, node_index: NodeIndex) -> EdgeState {
        match self.nodes[usize::from(upstream)] {
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
        let branch = self.branches[usize::from(upstream)];
        self.graph.leads(upstream, node_index, branch)
    }

    /// Returns whether all edges to a node are dead, also if an upstream executes again.
    fn is_untaken(&self, node_index: NodeIndex) -> bool {
        let upstream = self.graph.upstream(node_index);
        !upstream.is_empty() && upstream.iter().all(|up| self.is_dead(*up, node_index))
    }

    /// Returns whether all edges to a node are dead or may become so.
    fn may_be_untaken(&self, node_index: NodeIndex) -> bool {
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
                self.branch(upstream).is_some() && !self.leads(upstream, node_index)
            }
            EdgeState::Live | EdgeState::Broken => false,
        }
    }

    fn may_become_dead(&self, upstream: NodeIndex, node_index: NodeIndex) -> bool {
        self.edge(upstream, node_index) == EdgeState::Undecided
            && (self.is_unsure[usize::from(upstream)] || !self.leads(upstream, node_index))
    }

    /// Decides the edges from a node that has finished, and those from each node that ends
    /// meanwhile. Adds the pending ones among them to `skipped`.
    ///
    /// Each edge is decided once, so all calls for a run together follow each edge at most once.
    fn settle_downstream(&mut self, node_index: NodeIndex, skipped: &mut Vec<NodeIndex>) {
        let graph = Arc::clone(&self.graph);
        let mut settled = vec![node_index];
        while let Some(node_index) = settled.pop() {
            for &next in graph.downstream(node_index) {
                let before = self.nodes[usize::from(next)];
                if !matches!(before, State::Pending | State::Held) {
                    continue;
                }
                self.decide_edge(node_index, next);
                if self.nodes[usize::from(next)] != before {
                    settled.push(next);
                    skipped.extend((before == State::Pending).then_some(next));
                }
            }
        }
    }

    fn decide_edge(&mut self, upstream: NodeIndex, node_index: NodeIndex) {
        let index = usize::from(node_index);
        match self.edge(upstream, node_index) {
            EdgeState::Undecided => return,
            EdgeState::Broken => {
                self.end(node_index, State::Finished(NodeOutcome::Skipped));
                return;
            }
            EdgeState::Live => self.is_live[index] = true,
            EdgeState::Dead => {}
        }
        self.undecided[index] -= 1;
        if self.undecided[index] == 0 {
            self.start_or_end(node_index);
        }
    }

    /// Decides about a node whose edges are all live or dead.
    fn start_or_end(&mut self, node_index: NodeIndex) {
        let index = usize::from(node_index);
        let is_taken = self.is_live[index] || self.graph.upstream(node_index).is_empty();
        match (is_taken, self.nodes[index]) {
            (false, _) => self.end(node_index, State::Untaken),
            (true, State::Held) => self.end(node_index, State::Finished(NodeOutcome::Success)),
            (true, _) => self.ready.push(node_index),
        }
    }

    /// Ends a node that is pending or held.
    fn end(&mut self, node_index: NodeIndex, state: State) {
        self.nodes[usize::from(node_index)] = state;
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
            match node {
                State::Pending => {
                    *node = State::Finished(outcome);
                    finished.push(node_index);
                }
                State::Held => *node = State::Finished(NodeOutcome::Success),
                State::Executing | State::Finished(_) | State::Untaken => {}
            }
        }
        finished
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::random::Random;
    use crate::model::Pipeline;

    use NodeOutcome::{Cancelled, Failed, Skipped, Success};

    /// load → (clean → sum → save, check); no node has an outcome yet.
    fn branching() -> Arc<Graph> {
        let pipeline = Pipeline::new("p")
            .node("load", "x")
            .node("clean", "x")
            .after("load")
            .node("sum", "x")
            .after("clean")
            .node("save", "x")
            .after("sum")
            .node("check", "x")
            .after("load");
        Arc::new(Graph::new(&pipeline).unwrap())
    }

    const NONE: [NodeIndex; 0] = [];
    const LOAD: NodeIndex = 0;
    const CLEAN: NodeIndex = 1;
    const SUM: NodeIndex = 2;
    const SAVE: NodeIndex = 3;
    const CHECK: NodeIndex = 4;

    #[test]
    fn a_node_may_start_once_its_last_upstream_succeeded() {
        let (mut frontier, skipped) = Frontier::new(branching(), vec![None; 5], Vec::new());
        assert_eq!((frontier.take_ready(), skipped), (vec![LOAD], vec![]));
        assert_eq!((frontier.take_ready(), frontier.executing), (vec![], 1));
        assert_eq!(frontier.finish_node(LOAD, Success), NONE);
        assert_eq!(frontier.take_ready(), [CLEAN, CHECK]);
        assert_eq!(frontier.finish_node(CLEAN, Success), NONE);
        assert_eq!(frontier.take_ready(), [SUM], "check still executes");
        assert_eq!(frontier.run_outcome(), None);
    }

    #[test]
    fn a_failure_skips_downstream_nodes_and_lets_other_branches_finish() {
        let (mut frontier, _) = Frontier::new(branching(), vec![Some(Success)], Vec::new());
        assert_eq!(frontier.take_ready(), [CLEAN, CHECK]);
        assert_eq!(frontier.finish_node(CLEAN, Failed), [SUM, SAVE]);
        assert_eq!(frontier.run_outcome(), None);
        assert_eq!(frontier.finish_node(CHECK, Success), NONE);
        assert_eq!(frontier.run_outcome(), Some(RunStatus::Failed));
    }

    #[test]
    fn a_node_below_an_earlier_failure_is_skipped_from_the_start() {
        let finished = vec![Some(Success), Some(Failed), None, None, Some(Success)];
        let (frontier, skipped) = Frontier::new(branching(), finished, Vec::new());
        assert_eq!(skipped, [SUM, SAVE]);
        assert_eq!(frontier.run_outcome(), Some(RunStatus::Failed));
    }

    #[test]
    fn a_cancel_request_cancels_pending_nodes_and_overrules_the_last_outcome() {
        for last in [Success, Failed, Cancelled] {
            let (mut frontier, _) = Frontier::new(branching(), Vec::new(), Vec::new());
            assert_eq!(frontier.take_ready(), [LOAD]);
            assert_eq!(frontier.cancel(), [CLEAN, SUM, SAVE, CHECK]);
            assert_eq!((frontier.cancel(), frontier.time_out()), (vec![], vec![]));
            assert_eq!(frontier.run_outcome(), None, "a node still executes");
            assert_eq!(frontier.finish_node(LOAD, last), NONE);
            assert_eq!(frontier.take_ready(), NONE);
            assert_eq!(frontier.run_outcome(), Some(RunStatus::Cancelled));
        }
    }

    #[test]
    fn a_run_that_times_out_fails_unless_a_cancel_was_requested() {
        let (mut frontier, _) = Frontier::new(branching(), Vec::new(), Vec::new());
        assert_eq!(frontier.take_ready(), [LOAD]);
        assert_eq!(frontier.time_out(), [CLEAN, SUM, SAVE, CHECK]);
        frontier.finish_node(LOAD, Success);
        assert_eq!(frontier.run_outcome(), Some(RunStatus::Failed));
        assert_eq!(frontier.cancel(), NONE);
        assert_eq!(frontier.run_outcome(), Some(RunStatus::Cancelled));
    }

    #[test]
    fn a_run_of_succeeded_and_skipped_nodes_succeeds() {
        let (mut frontier, _) = Frontier::new(branching(), vec![Some(Success)], Vec::new());
        frontier.take_ready();
        assert_eq!(frontier.finish_node(CLEAN, Skipped), [SUM, SAVE]);
        frontier.finish_node(CHECK, Success);
        assert_eq!(frontier.run_outcome(), Some(RunStatus::Success));
    }

    /// check → (true: good, false: bad → worse) → join; both branches lead to join.
    fn conditional() -> Arc<Graph> {
        let pipeline = Pipeline::new("p")
            .node("check", "x")
            .node("good", "x")
            .after_if("check", true)
            .node("bad", "x")
            .after_if("check", false)
            .node("worse", "x")
            .after("bad")
            .node("join", "x")
            .after("good")
            .after("worse");
        Arc::new(Graph::new(&pipeline).unwrap())
    }

    const GOOD: NodeIndex = 1;
    const BAD: NodeIndex = 2;
    const WORSE: NodeIndex = 3;
    const JOIN: NodeIndex = 4;

    #[test]
    fn the_branch_that_is_not_taken_is_skipped_and_a_join_runs_on_the_other() {
        for (branch, skipped, taken) in [
            (true, vec![BAD, WORSE], vec![GOOD]),
            (false, vec![GOOD], vec![BAD, WORSE]),
        ] {
            let (mut frontier, _) = Frontier::new(conditional(), Vec::new(), Vec::new());
            assert_eq!(frontier.take_ready(), [0]);
            frontier.decide(0, Some(branch));
            assert_eq!(frontier.finish_node(0, Success), skipped);
            for node_index in taken {
                assert_eq!(frontier.take_ready(), [node_index]);
                assert_eq!(frontier.finish_node(node_index, Success), NONE);
            }
            assert_eq!(frontier.take_ready(), [JOIN]);
            assert_eq!(frontier.finish_node(JOIN, Success), NONE);
            assert_eq!(frontier.run_outcome(), Some(RunStatus::Success));
        }
    }

    #[test]
    fn a_node_whose_branches_are_all_dead_is_skipped_without_a_failure() {
        let pipeline = Pipeline::new("p")
            .node("check", "x")
            .node("a", "x")
            .after_if("check", true)
            .node("b", "x")
            .after("a");
        let graph = Arc::new(Graph::new(&pipeline).unwrap());
        let (mut frontier, _) = Frontier::new(graph, Vec::new(), Vec::new());
        frontier.take_ready();
        frontier.decide(0, Some(false));
        assert_eq!(frontier.finish_node(0, Success), [1, 2]);
        assert_eq!(frontier.run_outcome(), Some(RunStatus::Success));
    }

    #[test]
    fn a_join_is_skipped_if_its_live_branch_fails() {
        let (mut frontier, _) = Frontier::new(conditional(), Vec::new(), Vec::new());
        frontier.take_ready();
        frontier.decide(0, Some(true));
        frontier.finish_node(0, Success);
        frontier.take_ready();
        assert_eq!(frontier.finish_node(GOOD, Failed), [JOIN]);
        assert_eq!(frontier.run_outcome(), Some(RunStatus::Failed));
    }

    /// The upstream of a branch executes again, since its output is lost. What its first decision
    /// led to has begun.
    #[test]
    fn the_first_decision_of_a_node_stands() {
        let finished = vec![None, Some(Success), Some(Skipped), Some(Skipped), None];
        let branches = vec![Some(true)];
        let (mut frontier, skipped) = Frontier::new(conditional(), finished, branches);
        assert_eq!((frontier.take_ready(), skipped), (vec![0, JOIN], vec![]));
        frontier.decide(0, Some(false));
        assert_eq!(frontier.branch(0), Some(true));
        assert_eq!(frontier.finish_node(0, Success), NONE);
        assert_eq!(frontier.finish_node(JOIN, Success), NONE);
        assert_eq!(frontier.run_outcome(), Some(RunStatus::Success));
    }

    /// check → (true: save → notify, false: alert), of which `save` has succeeded in an earlier
    /// run. `check` decides again.
    fn held() -> Frontier {
        let pipeline = Pipeline::new("p")
            .node("check", "x")
            .node("save", "x")
            .after_if("check", true)
            .node("alert", "x")
            .after_if("check", false)
            .node("notify", "x")
            .after("save");
        let graph = Arc::new(Graph::new(&pipeline).unwrap());
        let (mut frontier, skipped) = Frontier::new(graph, vec![None, Some(Success)], Vec::new());
        assert_eq!((frontier.take_ready(), skipped), (vec![0], vec![]));
        frontier
    }

    const ALERT: NodeIndex = 2;
    const NOTIFY: NodeIndex = 3;

    #[test]
    fn an_earlier_success_counts_only_if_the_new_decision_leads_to_it() {
        for (branch, starts, skipped) in [(true, NOTIFY, ALERT), (false, ALERT, NOTIFY)] {
            let mut frontier = held();
            frontier.decide(0, Some(branch));
            assert_eq!(frontier.finish_node(0, Success), [skipped]);
            assert_eq!(frontier.take_ready(), [starts]);
            assert_eq!(frontier.finish_node(starts, Success), NONE);
            assert_eq!(frontier.run_outcome(), Some(RunStatus::Success));
        }
        let mut frontier = held();
        assert_eq!(frontier.finish_node(0, Failed), [ALERT, NOTIFY]);
        assert_eq!(frontier.run_outcome(), Some(RunStatus::Failed));
        let mut frontier = held();
        assert_eq!(frontier.cancel(), [ALERT, NOTIFY], "it has its outcome");
    }

    #[test]
    fn an_earlier_success_behind_a_dead_edge_delivers_nothing() {
        let finished = vec![Some(Success), Some(Success), None, None, None];
        let (mut frontier, skipped) = Frontier::new(conditional(), finished, vec![Some(false)]);
        assert_eq!((frontier.take_ready(), skipped), (vec![BAD], vec![]));
        frontier.finish_node(BAD, Success);
        assert_eq!(frontier.take_ready(), [WORSE]);
        frontier.finish_node(WORSE, Success);
        assert_eq!(frontier.take_ready(), [JOIN]);
        assert!(frontier.delivers(WORSE, JOIN) && !frontier.delivers(GOOD, JOIN));
    }

    /// A random sequence of steps, with the expected state. Each step computes that state from all
    /// nodes.
    struct History {
        graph: Arc<Graph>,
        frontier: Frontier,
        outcomes: Vec<Option<NodeOutcome>>,
        /// The branch that each node decides on when it succeeds.
        branches: Vec<Option<bool>>,
        /// The branch that each node had decided on before.
        known: Vec<Option<bool>>,
        /// Whether each skipped node was skipped because all its edges were dead.
        untaken: Vec<bool>,
        executing: Vec<NodeIndex>,
        is_cancelled: bool,
        is_timed_out: bool,
        has_stopped_starting: bool,
        trace: Vec<String>,
    }

    /// What a node may do, as far as its edges decide it.
    #[derive(Debug, PartialEq, Eq)]
    enum Fate {
        Waits,
        Starts,
        Skipped,
    }

    impl History {
        /// A recovery begins with the outcomes of a history that broke off.
        fn start(random: &mut Random, graph: Arc<Graph>, earlier: Option<&Self>) -> Self {
            let branches: Vec<_> = match earlier {
                Some(earlier) => earlier.branches.clone(),
                None => (graph.node_indexes())
                    .map(|node_index| {
                        let decides = graph.must_decide(node_index) || random.one_in(3);
                        decides.then(|| random.one_in(2))
                    })
                    .collect(),
            };
            // A node whose output is lost executes again.
            let outcomes = earlier.map_or_else(Vec::new, |earlier| earlier.outcomes.clone());
            let lost = |outcome: Option<NodeOutcome>| outcome.filter(|it| *it != Success);
            let outcomes: Vec<_> = outcomes
                .into_iter()
                .map(|outcome| {
                    if random.one_in(4) {
                        lost(outcome)
                    } else {
                        outcome
                    }
                })
                .collect();
            let known = graph.node_indexes().map(|node_index| {
                let earlier = earlier?.outcomes[usize::from(node_index)];
                branches[usize::from(node_index)].filter(|_| earlier == Some(Success))
            });
            let known: Vec<_> = known.collect();
            let (frontier, skipped) =
                Frontier::new(Arc::clone(&graph), outcomes.clone(), known.clone());
            let mut history = Self {
                outcomes: graph
                    .node_indexes()
                    .map(|node_index| outcomes.get(usize::from(node_index)).copied().flatten())
                    .collect(),
                branches,
                known,
                untaken: vec![false; graph.len()],
                graph,
                frontier,
                executing: Vec::new(),
                is_cancelled: false,
                is_timed_out: false,
                has_stopped_starting: false,
                trace: Vec::new(),
            };
            for node_index in history.graph.node_indexes() {
                if history.outcomes[usize::from(node_index)] == Some(Skipped) {
                    history.untaken[usize::from(node_index)] = history.is_untaken(node_index);
                }
            }
            history.finished("new", &skipped, Skipped);
            history
        }

        fn is_pending(&self, node_index: NodeIndex) -> bool {
            self.outcomes[usize::from(node_index)].is_none()
                && !self.executing.contains(&node_index)
        }

        /// Returns whether all edges to a node are dead.
        fn is_untaken(&self, node_index: NodeIndex) -> bool {
            let upstream = self.graph.upstream(node_index);
            !upstream.is_empty() && upstream.iter().all(|up| self.is_dead(*up, node_index))
        }

        fn is_dead(&self, up: NodeIndex, node_index: NodeIndex) -> bool {
            let branch = self.branches[usize::from(up)];
            let is_other = !self.graph.leads(up, node_index, branch);
            match self.outcomes[usize::from(up)] {
                Some(Success) => is_other,
                Some(Skipped) => self.untaken[usize::from(up)],
                // It executes again, and its first decision stands.
                None => is_other && self.known[usize::from(up)].is_some(),
                Some(Failed | Cancelled) => false,
            }
        }

        fn edge(&self, up: NodeIndex, node_index: NodeIndex) -> EdgeState {
            match self.outcomes[usize::from(up)] {
                None => EdgeState::Undecided,
                Some(_) if self.is_dead(up, node_index) => EdgeState::Dead,
                Some(Success) => EdgeState::Live,
                Some(Failed | Skipped | Cancelled) => EdgeState::Broken,
            }
        }

        /// Computes from all upstreams what a pending node may do.
        fn fate(&self, node_index: NodeIndex) -> Fate {
            let upstream = self.graph.upstream(node_index).iter();
            let edges: Vec<_> = upstream.map(|up| self.edge(*up, node_index)).collect();
            if edges.contains(&EdgeState::Broken) {
                Fate::Skipped
            } else if edges.contains(&EdgeState::Undecided) {
                Fate::Waits
            } else if edges.is_empty() || edges.contains(&EdgeState::Live) {
                Fate::Starts
            } else {
                Fate::Skipped
            }
        }

        fn step(&mut self, random: &mut Random) {
            match random.below(30) {
                0 => {
                    let pending: Vec<_> = self.pending().collect();
                    let finished = self.frontier.cancel();
                    assert_eq!(finished, pending);
                    (self.is_cancelled, self.has_stopped_starting) = (true, true);
                    self.finished("cancel", &finished, Cancelled);
                }
                1 => {
                    let pending: Vec<_> = self.pending().collect();
                    let finished = self.frontier.time_out();
                    assert_eq!(finished, pending);
                    (self.is_timed_out, self.has_stopped_starting) = (true, true);
                    self.finished("time out", &finished, Skipped);
                }
                2..=14 => self.take(),
                _ => self.finish_node(random),
            }
            let is_unfinished = !self.executing.is_empty() || self.pending().next().is_some();
            assert_eq!(self.frontier.run_outcome().is_none(), is_unfinished);
            assert_eq!(self.frontier.executing, self.executing.len());
            let is_last = self.executing.len() == 1 && self.pending().next().is_none();
            for node_index in self.graph.node_indexes() {
                let is_expected = is_last && self.executing == [node_index];
                assert_eq!(self.frontier.is_last_unfinished(node_index), is_expected);
            }
        }

        fn pending(&self) -> impl Iterator<Item = NodeIndex> {
            self.graph
                .node_indexes()
                .filter(|node_index| self.is_pending(*node_index))
        }

        fn take(&mut self) {
            let expected: Vec<_> = self
                .pending()
                .filter(|node_index| self.fate(*node_index) == Fate::Starts)
                .collect();
            let ready = self.frontier.take_ready();
            assert_eq!(ready, expected, "every node that may start, once");
            assert!(!self.has_stopped_starting || ready.is_empty());
            self.trace.push(format!("take {ready:?}"));
            self.executing.extend(ready);
        }

        fn finish_node(&mut self, random: &mut Random) {
            let Some(node_index) = random.pick(&mut self.executing) else {
                return;
            };
            let outcome = match random.below(12) {
                0 => Skipped,
                1 | 2 => Failed,
                3 if self.is_cancelled => Cancelled,
                _ => Success,
            };
            let index = usize::from(node_index);
            self.outcomes[index] = Some(outcome);
            if outcome == Success {
                // The second execution of a node may answer otherwise.
                let is_repeated = self.frontier.branch(node_index).is_some();
                let other = self.branches[index].map(|branch| !branch);
                let answer = if is_repeated {
                    other
                } else {
                    self.branches[index]
                };
                self.frontier.decide(node_index, answer);
                assert_eq!(self.frontier.branch(node_index), self.branches[index]);
            }
            let skipped = self.frontier.finish_node(node_index, outcome);
            self.finished(
                &format!("finish {node_index} {outcome:?}"),
                &skipped,
                Skipped,
            );
        }

        /// Records nodes that finished without running. Afterwards no pending node can be skipped.
        fn finished(&mut self, why: &str, node_indexes: &[NodeIndex], outcome: NodeOutcome) {
            assert!(node_indexes.is_sorted_by(|a, b| a < b));
            for node_index in node_indexes {
                assert!(
                    self.is_pending(*node_index),
                    "{node_index} had already started or finished"
                );
                if !self.has_stopped_starting {
                    assert_eq!(self.fate(*node_index), Fate::Skipped, "{node_index}");
                }
                self.untaken[usize::from(*node_index)] = self.is_untaken(*node_index);
                self.outcomes[usize::from(*node_index)] = Some(outcome);
            }
            for node_index in self.pending() {
                assert_ne!(self.fate(node_index), Fate::Skipped, "{node_index}");
            }
            self.trace.push(format!("{why} {node_indexes:?}"));
        }

        fn check_run_outcome(&self) {
            assert!(self.outcomes.iter().all(Option::is_some));
            let expected = if self.is_cancelled {
                RunStatus::Cancelled
            } else if self.is_timed_out || self.outcomes.contains(&Some(Failed)) {
                RunStatus::Failed
            } else {
                RunStatus::Success
            };
            assert_eq!(self.frontier.run_outcome(), Some(expected));
        }
    }

    /// A run that crashes at a random step and goes on from what it has stored.
    fn history(seed: u64) -> Vec<String> {
        let mut random = Random::seeded(seed);
        let graph = Arc::new(random.graph());
        let mut first = History::start(&mut random, Arc::clone(&graph), None);
        let steps = random.below(60);
        for _ in 0..steps {
            if first.frontier.run_outcome().is_none() {
                first.step(&mut random);
            }
        }
        let is_over = first.frontier.run_outcome().is_some();
        if is_over {
            first.check_run_outcome();
        }
        if is_over || first.has_stopped_starting {
            return first.trace;
        }
        let mut history = History::start(&mut random, graph, Some(&first));
        while history.frontier.run_outcome().is_none() {
            history.step(&mut random);
        }
        history.check_run_outcome();
        first.trace.append(&mut history.trace);
        first.trace
    }

    #[test]
    fn ten_thousand_random_histories_follow_the_rules_and_repeat_by_seed() {
        for seed in 0..10_000 {
            let run = std::panic::catch_unwind(|| (history(seed), history(seed)));
            let (first, second) = run.unwrap_or_else(|_| panic!("seed {seed} breaks a rule"));
            assert_eq!(first, second, "seed {seed}");
        }
    }
}
