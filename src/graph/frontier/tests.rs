//! The rules by example. `history_tests` has random histories.

use super::*;
use crate::model::Pipeline;

use NodeOutcome::{Cancelled, Failed, Skipped, Success};

/// Builds a frontier from outcomes and branches. Of the nodes beyond them, nothing is known.
pub(super) fn frontier(
    graph: &Arc<Graph>,
    outcomes: Vec<Option<NodeOutcome>>,
    mut branches: Vec<Option<bool>>,
) -> (Frontier, Vec<NodeIndex>) {
    branches.resize(outcomes.len().max(branches.len()), None);
    let outcomes = outcomes.into_iter().chain(std::iter::repeat(None));
    let known = outcomes.zip(branches);
    let known = known.map(|(outcome, branch)| Known { outcome, branch });
    Frontier::new(Arc::clone(graph), known.collect())
}

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
    let (mut frontier, skipped) = frontier(&branching(), vec![None; 5], Vec::new());
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
    let (mut frontier, _) = frontier(&branching(), vec![Some(Success)], Vec::new());
    assert_eq!(frontier.take_ready(), [CLEAN, CHECK]);
    assert_eq!(frontier.finish_node(CLEAN, Failed), [SUM, SAVE]);
    assert_eq!(frontier.run_outcome(), None);
    assert_eq!(frontier.finish_node(CHECK, Success), NONE);
    assert_eq!(frontier.run_outcome(), Some(RunStatus::Failed));
}

#[test]
fn a_node_below_an_earlier_failure_is_skipped_from_the_start() {
    let finished = vec![Some(Success), Some(Failed), None, None, Some(Success)];
    let (frontier, skipped) = frontier(&branching(), finished, Vec::new());
    assert_eq!(skipped, [SUM, SAVE]);
    assert_eq!(frontier.run_outcome(), Some(RunStatus::Failed));
}

#[test]
fn a_cancel_request_cancels_pending_nodes_and_overrules_the_last_outcome() {
    for last in [Success, Failed, Cancelled] {
        let (mut frontier, _) = frontier(&branching(), Vec::new(), Vec::new());
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
    let (mut frontier, _) = frontier(&branching(), Vec::new(), Vec::new());
    assert_eq!(frontier.take_ready(), [LOAD]);
    assert_eq!(frontier.time_out(), [CLEAN, SUM, SAVE, CHECK]);
    frontier.finish_node(LOAD, Success);
    assert_eq!(frontier.run_outcome(), Some(RunStatus::Failed));
    assert_eq!(frontier.cancel(), NONE);
    assert_eq!(frontier.run_outcome(), Some(RunStatus::Cancelled));
}

#[test]
fn a_run_of_succeeded_and_skipped_nodes_succeeds() {
    let (mut frontier, _) = frontier(&branching(), vec![Some(Success)], Vec::new());
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
        let (mut frontier, _) = frontier(&conditional(), Vec::new(), Vec::new());
        assert_eq!(frontier.take_ready(), [0]);
        frontier.take_branch(0, Some(branch));
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
    let (mut frontier, _) = frontier(&graph, Vec::new(), Vec::new());
    frontier.take_ready();
    frontier.take_branch(0, Some(false));
    assert_eq!(frontier.finish_node(0, Success), [1, 2]);
    assert_eq!(frontier.run_outcome(), Some(RunStatus::Success));
}

#[test]
fn a_join_is_skipped_if_its_live_branch_fails() {
    let (mut frontier, _) = frontier(&conditional(), Vec::new(), Vec::new());
    frontier.take_ready();
    frontier.take_branch(0, Some(true));
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
    let (mut frontier, skipped) = frontier(&conditional(), finished, branches);
    assert_eq!((frontier.take_ready(), skipped), (vec![0, JOIN], vec![]));
    frontier.take_branch(0, Some(false));
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
    let (mut frontier, skipped) = frontier(&graph, vec![None, Some(Success)], Vec::new());
    assert_eq!((frontier.take_ready(), skipped), (vec![0], vec![]));
    frontier
}

const ALERT: NodeIndex = 2;
const NOTIFY: NodeIndex = 3;

#[test]
fn an_earlier_success_counts_only_if_the_new_decision_leads_to_it() {
    for (branch, starts, skipped) in [(true, NOTIFY, ALERT), (false, ALERT, NOTIFY)] {
        let mut frontier = held();
        frontier.take_branch(0, Some(branch));
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
    let (mut frontier, skipped) = frontier(&conditional(), finished, vec![Some(false)]);
    assert_eq!((frontier.take_ready(), skipped), (vec![BAD], vec![]));
    frontier.finish_node(BAD, Success);
    assert_eq!(frontier.take_ready(), [WORSE]);
    frontier.finish_node(WORSE, Success);
    assert_eq!(frontier.take_ready(), [JOIN]);
    assert!(frontier.delivers(WORSE, JOIN) && !frontier.delivers(GOOD, JOIN));
}
