//! Random histories of runs, of which each crashes and goes on, with the expected state.

use std::sync::Arc;

use super::tests::frontier;
use super::*;
use crate::graph::random::Random;

use NodeOutcome::{Cancelled, Failed, Skipped, Success};

/// A random sequence of steps, with the expected state. Each step computes that state from all
/// nodes.
struct History {
    graph: Arc<Graph>,
    frontier: Frontier,
    outcomes: Vec<Option<NodeOutcome>>,
    /// The branch that each node takes when it succeeds.
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
                    let decides = graph.has_conditions(node_index) || random.one_in(3);
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
        let (frontier, skipped) = frontier(&graph, outcomes.clone(), known.clone());
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
        self.outcomes[usize::from(node_index)].is_none() && !self.executing.contains(&node_index)
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
            self.frontier.take_branch(node_index, answer);
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
