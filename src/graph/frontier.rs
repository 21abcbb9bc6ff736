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
#[derive(Debug)]
pub(crate) struct Frontier {
    graph: Arc<Graph>,
    nodes: Vec<State>,
    /// The number of upstreams of each node that have not succeeded.
    missing: Vec<usize>,
    /// The pending nodes whose upstreams have all succeeded.
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
    Finished(NodeOutcome),
}

impl Frontier {
    /// Builds the frontier from the outcomes that are final already (`finished[node_index]`; `None`
    /// means pending).
    ///
    /// Also returns each pending node that can no longer run, in ascending order of node indexes.
    /// These nodes count as skipped.
    pub(crate) fn new(
        graph: Arc<Graph>,
        mut finished: Vec<Option<NodeOutcome>>,
    ) -> (Self, Vec<NodeIndex>) {
        finished.resize(graph.len(), None);
        let nodes: Vec<_> = finished
            .iter()
            .map(|outcome| outcome.map_or(State::Pending, State::Finished))
            .collect();
        let mut frontier = Self {
            missing: vec![0; nodes.len()],
            ready: Vec::new(),
            pending: finished.iter().filter(|outcome| outcome.is_none()).count(),
            executing: 0,
            run_outcome: RunStatus::Success,
            graph,
            nodes,
        };
        let mut skipped = Vec::new();
        for (node_index, outcome) in frontier.graph.node_indexes().zip(finished) {
            match outcome {
                None => frontier.count_missing(node_index),
                Some(outcome) => {
                    frontier.record_outcome(outcome);
                    if outcome != NodeOutcome::Success {
                        frontier.skip_downstream(node_index, &mut skipped);
                    }
                }
            }
        }
        // A ready node is never downstream of a node without success, because each of its upstreams
        // succeeded.
        skipped.sort_unstable();
        (frontier, skipped)
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
        match outcome {
            NodeOutcome::Success => self.unblock_downstream(node_index),
            NodeOutcome::Failed | NodeOutcome::Skipped | NodeOutcome::Cancelled => {
                self.skip_downstream(node_index, &mut skipped);
                skipped.sort_unstable();
            }
        }
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

    fn count_missing(&mut self, node_index: NodeIndex) {
        let succeeded = State::Finished(NodeOutcome::Success);
        let upstream = self.graph.upstream(node_index).iter();
        let missing = upstream
            .filter(|up| self.nodes[usize::from(**up)] != succeeded)
            .count();
        self.missing[usize::from(node_index)] = missing;
        if missing == 0 {
            self.ready.push(node_index);
        }
    }

    fn unblock_downstream(&mut self, node_index: NodeIndex) {
        for next in self.graph.downstream(node_index) {
            let index = usize::from(*next);
            if self.nodes[index] == State::Pending {
                self.missing[index] -= 1;
                if self.missing[index] == 0 {
                    self.ready.push(*next);
                }
            }
        }
    }

    /// Each node is skipped at most once, so all walks of a run together follow each edge at most
    /// once.
    fn skip_downstream(&mut self, node_index: NodeIndex, skipped: &mut Vec<NodeIndex>) {
        let mut finished = vec![node_index];
        while let Some(node_index) = finished.pop() {
            for next in self.graph.downstream(node_index) {
                let node = &mut self.nodes[usize::from(*next)];
                if *node == State::Pending {
                    *node = State::Finished(NodeOutcome::Skipped);
                    self.pending -= 1;
                    skipped.push(*next);
                    finished.push(*next);
                }
            }
        }
    }

    fn finish_pending(&mut self, outcome: NodeOutcome) -> Vec<NodeIndex> {
        if self.pending == 0 {
            return Vec::new();
        }
        self.ready.clear();
        self.pending = 0;
        let mut finished = Vec::new();
        for (node_index, node) in (0..).zip(&mut self.nodes) {
            if *node == State::Pending {
                *node = State::Finished(outcome);
                finished.push(node_index);
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
        let (mut frontier, skipped) = Frontier::new(branching(), vec![None; 5]);
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
        let (mut frontier, _) = Frontier::new(branching(), vec![Some(Success)]);
        assert_eq!(frontier.take_ready(), [CLEAN, CHECK]);
        assert_eq!(frontier.finish_node(CLEAN, Failed), [SUM, SAVE]);
        assert_eq!(frontier.run_outcome(), None);
        assert_eq!(frontier.finish_node(CHECK, Success), NONE);
        assert_eq!(frontier.run_outcome(), Some(RunStatus::Failed));
    }

    #[test]
    fn a_node_below_an_earlier_failure_is_skipped_from_the_start() {
        let finished = vec![Some(Success), Some(Failed), None, None, Some(Success)];
        let (frontier, skipped) = Frontier::new(branching(), finished);
        assert_eq!(skipped, [SUM, SAVE]);
        assert_eq!(frontier.run_outcome(), Some(RunStatus::Failed));
    }

    #[test]
    fn a_cancel_request_cancels_pending_nodes_and_overrules_the_last_outcome() {
        for last in [Success, Failed, Cancelled] {
            let (mut frontier, _) = Frontier::new(branching(), Vec::new());
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
        let (mut frontier, _) = Frontier::new(branching(), Vec::new());
        assert_eq!(frontier.take_ready(), [LOAD]);
        assert_eq!(frontier.time_out(), [CLEAN, SUM, SAVE, CHECK]);
        frontier.finish_node(LOAD, Success);
        assert_eq!(frontier.run_outcome(), Some(RunStatus::Failed));
        assert_eq!(frontier.cancel(), NONE);
        assert_eq!(frontier.run_outcome(), Some(RunStatus::Cancelled));
    }

    #[test]
    fn a_run_of_succeeded_and_skipped_nodes_succeeds() {
        let (mut frontier, _) = Frontier::new(branching(), vec![Some(Success)]);
        frontier.take_ready();
        assert_eq!(frontier.finish_node(CLEAN, Skipped), [SUM, SAVE]);
        frontier.finish_node(CHECK, Success);
        assert_eq!(frontier.run_outcome(), Some(RunStatus::Success));
    }

    /// A random sequence of steps, with the expected state. Each step computes that state from all
    /// nodes.
    struct History {
        graph: Arc<Graph>,
        frontier: Frontier,
        outcomes: Vec<Option<NodeOutcome>>,
        executing: Vec<NodeIndex>,
        is_cancelled: bool,
        is_timed_out: bool,
        has_stopped_starting: bool,
        trace: Vec<String>,
    }

    impl History {
        fn start(random: &mut Random) -> Self {
            let graph = Arc::new(random.graph());
            let is_recovery = random.one_in(2);
            let outcomes: Vec<_> = graph
                .node_indexes()
                .map(|_| match random.below(12) {
                    0..=3 if is_recovery => Some(Success),
                    4 if is_recovery => Some(Failed),
                    5 if is_recovery => Some(Skipped),
                    _ => None,
                })
                .collect();
            let (frontier, skipped) = Frontier::new(Arc::clone(&graph), outcomes.clone());
            let mut history = Self {
                graph,
                frontier,
                outcomes,
                executing: Vec::new(),
                is_cancelled: false,
                is_timed_out: false,
                has_stopped_starting: false,
                trace: Vec::new(),
            };
            history.finished("new", &skipped, Skipped);
            history
        }

        fn is_pending(&self, node_index: NodeIndex) -> bool {
            self.outcomes[usize::from(node_index)].is_none()
                && !self.executing.contains(&node_index)
        }

        fn upstreams_are(
            &self,
            node_index: NodeIndex,
            all: impl Fn(Option<NodeOutcome>) -> bool,
        ) -> bool {
            let mut upstream = self.graph.upstream(node_index).iter();
            upstream.all(|up| all(self.outcomes[usize::from(*up)]))
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
            let may_start =
                |node_index: &NodeIndex| self.upstreams_are(*node_index, |up| up == Some(Success));
            let expected: Vec<_> = self.pending().filter(may_start).collect();
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
            self.outcomes[usize::from(node_index)] = Some(outcome);
            let skipped = self.frontier.finish_node(node_index, outcome);
            assert!(outcome != Success || skipped.is_empty());
            self.finished(
                &format!("finish {node_index} {outcome:?}"),
                &skipped,
                Skipped,
            );
        }

        /// Records nodes that finished without running. Afterwards no pending node is downstream of
        /// a node without success.
        fn finished(&mut self, why: &str, node_indexes: &[NodeIndex], outcome: NodeOutcome) {
            assert!(node_indexes.is_sorted_by(|a, b| a < b));
            for node_index in node_indexes {
                assert!(
                    self.is_pending(*node_index),
                    "{node_index} had already started or finished"
                );
                if !self.has_stopped_starting {
                    let is_fine = |up| matches!(up, None | Some(Success));
                    assert!(
                        !self.upstreams_are(*node_index, is_fine),
                        "{node_index} could run"
                    );
                }
                self.outcomes[usize::from(*node_index)] = Some(outcome);
            }
            for node_index in self.pending() {
                assert!(self.upstreams_are(node_index, |up| matches!(up, None | Some(Success))));
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

    fn history(seed: u64) -> Vec<String> {
        let mut random = Random::seeded(seed);
        let mut history = History::start(&mut random);
        while history.frontier.run_outcome().is_none() {
            history.step(&mut random);
        }
        history.check_run_outcome();
        history.trace
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
