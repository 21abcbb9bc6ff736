//! Decides what of a run may start, what is skipped, and how the run finishes: a state machine
//! without I/O.
//!
//! The driver in `engine` carries out the decisions. `plan` decides what a resume or a recovery
//! executes again.

use std::sync::Arc;

use super::Graph;
use crate::model::{NodeIndex, RunStatus};

/// The final outcome of a node of a run. A node whose earlier output is reused counts as `Success`.
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
    waiting: usize,
    executing: usize,
    verdict: RunStatus,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not started.
    Waiting,
    /// Started and without an outcome.
    Executing,
    Settled(NodeOutcome),
}

impl Frontier {
    /// Starts from the outcomes that are final already (`settled[node_index]`; `None` means
    /// pending).
    ///
    /// Returns also the nodes that can therefore never run, in the order of the node indexes. They
    /// count as skipped.
    pub(crate) fn new(
        graph: Arc<Graph>,
        mut settled: Vec<Option<NodeOutcome>>,
    ) -> (Self, Vec<NodeIndex>) {
        settled.resize(graph.len(), None);
        let nodes: Vec<_> = settled
            .iter()
            .map(|outcome| outcome.map_or(State::Waiting, State::Settled))
            .collect();
        let mut frontier = Self {
            missing: vec![0; nodes.len()],
            ready: Vec::new(),
            waiting: settled.iter().filter(|outcome| outcome.is_none()).count(),
            executing: 0,
            verdict: RunStatus::Success,
            graph,
            nodes,
        };
        let mut never = Vec::new();
        for (node_index, outcome) in frontier.graph.node_indexes().zip(settled) {
            match outcome {
                None => frontier.count_missing(node_index),
                Some(outcome) => {
                    frontier.judge(outcome);
                    if outcome != NodeOutcome::Success {
                        frontier.skip_below(node_index, &mut never);
                    }
                }
            }
        }
        // A ready node is never below a node without success: each of its upstreams succeeded.
        never.sort_unstable();
        (frontier, never)
    }

    /// Returns the nodes that may start and were not returned before, in the order of the node
    /// indexes. They count as executing until they are settled.
    pub(crate) fn take_ready(&mut self) -> Vec<NodeIndex> {
        let mut ready = std::mem::take(&mut self.ready);
        ready.sort_unstable();
        for node_index in &ready {
            self.nodes[usize::from(*node_index)] = State::Executing;
        }
        self.waiting -= ready.len();
        self.executing += ready.len();
        ready
    }

    /// Records the outcome of a started node. Returns every node that can therefore never run, in
    /// the order of the node indexes.
    ///
    /// Does nothing if the node is not executing.
    pub(crate) fn settle(&mut self, node_index: NodeIndex, outcome: NodeOutcome) -> Vec<NodeIndex> {
        let mut never = Vec::new();
        let Some(node @ State::Executing) = self.nodes.get_mut(usize::from(node_index)) else {
            debug_assert!(
                false,
                "node {node_index} ended without having been handed out"
            );
            return never;
        };
        *node = State::Settled(outcome);
        self.executing -= 1;
        self.judge(outcome);
        match outcome {
            NodeOutcome::Success => self.release_below(node_index),
            NodeOutcome::Failed | NodeOutcome::Skipped | NodeOutcome::Cancelled => {
                self.skip_below(node_index, &mut never);
                never.sort_unstable();
            }
        }
        never
    }

    /// Stops starting nodes because of a cancel request. Returns the nodes that are cancelled by
    /// it.
    ///
    /// Returns no node when it is called again.
    pub(crate) fn cancel(&mut self) -> Vec<NodeIndex> {
        self.judge(NodeOutcome::Cancelled);
        self.end_waiting(NodeOutcome::Cancelled)
    }

    /// Stops starting nodes because the run's time is over. Returns the nodes that are skipped by
    /// it.
    pub(crate) fn time_out(&mut self) -> Vec<NodeIndex> {
        self.judge(NodeOutcome::Failed);
        self.end_waiting(NodeOutcome::Skipped)
    }

    /// Returns whether the run finishes with this node whatever its outcome: it alone executes, and
    /// no node is pending.
    pub(crate) fn ends_with(&self, node_index: NodeIndex) -> bool {
        let is_executing = self.nodes.get(usize::from(node_index)) == Some(&State::Executing);
        is_executing && self.executing == 1 && self.waiting == 0
    }

    /// Returns how the run finishes, or `None` while a node executes or may still start.
    ///
    /// The run is cancelled after a cancel request, whatever the outcomes of its nodes. Otherwise
    /// it is failed if a node failed or the time ran out.
    pub(crate) const fn verdict(&self) -> Option<RunStatus> {
        if self.executing == 0 && self.waiting == 0 {
            Some(self.verdict)
        } else {
            None
        }
    }

    fn judge(&mut self, outcome: NodeOutcome) {
        match outcome {
            NodeOutcome::Success | NodeOutcome::Skipped => {}
            NodeOutcome::Failed if self.verdict == RunStatus::Cancelled => {}
            NodeOutcome::Failed => self.verdict = RunStatus::Failed,
            NodeOutcome::Cancelled => self.verdict = RunStatus::Cancelled,
        }
    }

    fn count_missing(&mut self, node_index: NodeIndex) {
        let succeeded = State::Settled(NodeOutcome::Success);
        let upstream = self.graph.upstream(node_index).iter();
        let missing = upstream
            .filter(|up| self.nodes[usize::from(**up)] != succeeded)
            .count();
        self.missing[usize::from(node_index)] = missing;
        if missing == 0 {
            self.ready.push(node_index);
        }
    }

    fn release_below(&mut self, node_index: NodeIndex) {
        for next in self.graph.downstream(node_index) {
            let index = usize::from(*next);
            if self.nodes[index] == State::Waiting {
                self.missing[index] -= 1;
                if self.missing[index] == 0 {
                    self.ready.push(*next);
                }
            }
        }
    }

    /// Each node is skipped once, so all walks of a run together follow each edge once.
    fn skip_below(&mut self, node_index: NodeIndex, never: &mut Vec<NodeIndex>) {
        let mut ended = vec![node_index];
        while let Some(node_index) = ended.pop() {
            for next in self.graph.downstream(node_index) {
                let node = &mut self.nodes[usize::from(*next)];
                if *node == State::Waiting {
                    *node = State::Settled(NodeOutcome::Skipped);
                    self.waiting -= 1;
                    never.push(*next);
                    ended.push(*next);
                }
            }
        }
    }

    fn end_waiting(&mut self, outcome: NodeOutcome) -> Vec<NodeIndex> {
        if self.waiting == 0 {
            return Vec::new();
        }
        self.ready.clear();
        self.waiting = 0;
        let mut ended = Vec::new();
        for (node_index, node) in (0..).zip(&mut self.nodes) {
            if *node == State::Waiting {
                *node = State::Settled(outcome);
                ended.push(node_index);
            }
        }
        ended
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
    fn a_node_starts_the_moment_its_last_upstream_succeeded() {
        let (mut frontier, never) = Frontier::new(branching(), vec![None; 5]);
        assert_eq!((frontier.take_ready(), never), (vec![LOAD], vec![]));
        assert_eq!((frontier.take_ready(), frontier.executing), (vec![], 1));
        assert_eq!(frontier.settle(LOAD, Success), NONE);
        assert_eq!(frontier.take_ready(), [CLEAN, CHECK]);
        assert_eq!(frontier.settle(CLEAN, Success), NONE);
        assert_eq!(frontier.take_ready(), [SUM], "check still executes");
        assert_eq!(frontier.verdict(), None);
    }

    #[test]
    fn a_failure_skips_its_descendants_and_lets_other_branches_finish() {
        let (mut frontier, _) = Frontier::new(branching(), vec![Some(Success)]);
        assert_eq!(frontier.take_ready(), [CLEAN, CHECK]);
        assert_eq!(frontier.settle(CLEAN, Failed), [SUM, SAVE]);
        assert_eq!(frontier.verdict(), None);
        assert_eq!(frontier.settle(CHECK, Success), NONE);
        assert_eq!(frontier.verdict(), Some(RunStatus::Failed));
    }

    #[test]
    fn a_node_below_an_earlier_failure_is_skipped_from_the_start() {
        let settled = vec![Some(Success), Some(Failed), None, None, Some(Success)];
        let (frontier, never) = Frontier::new(branching(), settled);
        assert_eq!(never, [SUM, SAVE]);
        assert_eq!(frontier.verdict(), Some(RunStatus::Failed));
    }

    #[test]
    fn a_cancel_ends_pending_nodes_and_overrules_the_outcome_of_the_last_node() {
        for last in [Success, Failed, Cancelled] {
            let (mut frontier, _) = Frontier::new(branching(), Vec::new());
            assert_eq!(frontier.take_ready(), [LOAD]);
            assert_eq!(frontier.cancel(), [CLEAN, SUM, SAVE, CHECK]);
            assert_eq!((frontier.cancel(), frontier.time_out()), (vec![], vec![]));
            assert_eq!(frontier.verdict(), None, "a node still executes");
            assert_eq!(frontier.settle(LOAD, last), NONE);
            assert_eq!(frontier.take_ready(), NONE);
            assert_eq!(frontier.verdict(), Some(RunStatus::Cancelled));
        }
    }

    #[test]
    fn a_run_whose_time_is_over_fails_unless_a_cancel_was_requested() {
        let (mut frontier, _) = Frontier::new(branching(), Vec::new());
        assert_eq!(frontier.take_ready(), [LOAD]);
        assert_eq!(frontier.time_out(), [CLEAN, SUM, SAVE, CHECK]);
        frontier.settle(LOAD, Success);
        assert_eq!(frontier.verdict(), Some(RunStatus::Failed));
        assert_eq!(frontier.cancel(), NONE);
        assert_eq!(frontier.verdict(), Some(RunStatus::Cancelled));
    }

    #[test]
    fn a_run_of_succeeded_and_skipped_nodes_succeeds() {
        let (mut frontier, _) = Frontier::new(branching(), vec![Some(Success)]);
        frontier.take_ready();
        assert_eq!(frontier.settle(CLEAN, Skipped), [SUM, SAVE]);
        frontier.settle(CHECK, Success);
        assert_eq!(frontier.verdict(), Some(RunStatus::Success));
    }

    /// A random history and what the rules say about it, derived by looking at all nodes after each
    /// step.
    struct History {
        graph: Arc<Graph>,
        frontier: Frontier,
        outcomes: Vec<Option<NodeOutcome>>,
        executing: Vec<NodeIndex>,
        is_cancelled: bool,
        is_timed_out: bool,
        is_over: bool,
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
            let (frontier, never) = Frontier::new(Arc::clone(&graph), outcomes.clone());
            let mut history = Self {
                graph,
                frontier,
                outcomes,
                executing: Vec::new(),
                is_cancelled: false,
                is_timed_out: false,
                is_over: false,
                trace: Vec::new(),
            };
            history.ended("new", &never, Skipped);
            history
        }

        fn waits(&self, node_index: NodeIndex) -> bool {
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
                    let waiting: Vec<_> = self.waiting().collect();
                    let ended = self.frontier.cancel();
                    assert_eq!(ended, waiting);
                    (self.is_cancelled, self.is_over) = (true, true);
                    self.ended("cancel", &ended, Cancelled);
                }
                1 => {
                    let waiting: Vec<_> = self.waiting().collect();
                    let ended = self.frontier.time_out();
                    assert_eq!(ended, waiting);
                    (self.is_timed_out, self.is_over) = (true, true);
                    self.ended("time out", &ended, Skipped);
                }
                2..=14 => self.take(),
                _ => self.settle(random),
            }
            let is_open = !self.executing.is_empty() || self.waiting().next().is_some();
            assert_eq!(self.frontier.verdict().is_none(), is_open);
            assert_eq!(self.frontier.executing, self.executing.len());
            let is_last = self.executing.len() == 1 && self.waiting().next().is_none();
            for node_index in self.graph.node_indexes() {
                let ends = is_last && self.executing == [node_index];
                assert_eq!(self.frontier.ends_with(node_index), ends);
            }
        }

        fn waiting(&self) -> impl Iterator<Item = NodeIndex> {
            self.graph
                .node_indexes()
                .filter(|node_index| self.waits(*node_index))
        }

        fn take(&mut self) {
            let may_start =
                |node_index: &NodeIndex| self.upstreams_are(*node_index, |up| up == Some(Success));
            let expected: Vec<_> = self.waiting().filter(may_start).collect();
            let ready = self.frontier.take_ready();
            assert_eq!(ready, expected, "every node that may start, once");
            assert!(!self.is_over || ready.is_empty());
            self.trace.push(format!("take {ready:?}"));
            self.executing.extend(ready);
        }

        fn settle(&mut self, random: &mut Random) {
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
            let never = self.frontier.settle(node_index, outcome);
            assert!(outcome != Success || never.is_empty());
            self.ended(&format!("settle {node_index} {outcome:?}"), &never, Skipped);
        }

        /// Records nodes that ended without running. Afterwards no pending node is below one
        /// without success.
        fn ended(&mut self, why: &str, node_indexes: &[NodeIndex], outcome: NodeOutcome) {
            assert!(node_indexes.is_sorted_by(|a, b| a < b));
            for node_index in node_indexes {
                assert!(self.waits(*node_index), "{node_index} had started or ended");
                if !self.is_over {
                    let is_fine = |up| matches!(up, None | Some(Success));
                    assert!(
                        !self.upstreams_are(*node_index, is_fine),
                        "{node_index} could run"
                    );
                }
                self.outcomes[usize::from(*node_index)] = Some(outcome);
            }
            for node_index in self.waiting() {
                assert!(self.upstreams_are(node_index, |up| matches!(up, None | Some(Success))));
            }
            self.trace.push(format!("{why} {node_indexes:?}"));
        }

        fn check_end(&self) {
            assert!(self.outcomes.iter().all(Option::is_some));
            let expected = if self.is_cancelled {
                RunStatus::Cancelled
            } else if self.is_timed_out || self.outcomes.contains(&Some(Failed)) {
                RunStatus::Failed
            } else {
                RunStatus::Success
            };
            assert_eq!(self.frontier.verdict(), Some(expected));
        }
    }

    fn history(seed: u64) -> Vec<String> {
        let mut random = Random::seeded(seed);
        let mut history = History::start(&mut random);
        while history.frontier.verdict().is_none() {
            history.step(&mut random);
        }
        history.check_end();
        history.trace
    }

    #[test]
    fn ten_thousand_random_histories_keep_the_rules_and_repeat_by_their_seed() {
        for seed in 0..10_000 {
            let run = std::panic::catch_unwind(|| (history(seed), history(seed)));
            let (first, second) = run.unwrap_or_else(|_| panic!("seed {seed} breaks a rule"));
            assert_eq!(first, second, "seed {seed}");
        }
    }
}
