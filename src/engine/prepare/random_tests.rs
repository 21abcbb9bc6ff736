//! Random runs that crash and go on: the history of the nodes, the plan and the frontier together.

use std::collections::BTreeSet;
use std::sync::Arc;

use uuid::Uuid;

use super::node_history::{NodeHistory, earlier_results, known_nodes};
use crate::graph::Graph;
use crate::graph::frontier::{Frontier, NodeOutcome};
use crate::graph::plan::ExecutionPlan;
use crate::graph::random::Random;
use crate::model::{NodeIndex, NodeRun, NodeStatus, RunId};

/// What a node left behind before the crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    NoDataset,
    Stored,
    /// Stored, and damaged since.
    Damaged,
    TooLarge,
}

struct Crashed {
    graph: Arc<Graph>,
    histories: Vec<NodeHistory>,
    left: Vec<Left>,
}

/// Executes a random part of a run, and returns what it has stored.
fn crash(random: &mut Random) -> Crashed {
    let graph = Arc::new(random.graph());
    let kinds = [Left::NoDataset, Left::Stored, Left::Damaged, Left::TooLarge];
    let left: Vec<_> = graph
        .node_indexes()
        .map(|_| kinds[random.below(4)])
        .collect();
    let mut histories = vec![NodeHistory::default(); graph.len()];
    let (mut frontier, _) = Frontier::new(Arc::clone(&graph), Vec::new());
    let mut executing = Vec::new();
    for _ in 0..random.below(60) {
        executing.extend(frontier.take_ready());
        let Some(node_index) = random.pick(&mut executing) else {
            break;
        };
        let is_failed = random.one_in(8);
        let branch = graph.has_conditions(node_index).then(|| random.one_in(2));
        let mut row = row(&graph, node_index, NodeStatus::Failed);
        if !is_failed {
            row.status = NodeStatus::Success;
            row.branch = branch;
            row.has_dataset = left[usize::from(node_index)] != Left::NoDataset;
            let is_stored = matches!(left[usize::from(node_index)], Left::Stored | Left::Damaged);
            row.output_hash = is_stored.then_some([7; 32]);
            frontier.take_branch(node_index, branch);
        }
        histories[usize::from(node_index)].row = Some(row);
        let outcome = match is_failed {
            true => NodeOutcome::Failed,
            false => NodeOutcome::Success,
        };
        for skipped in frontier.finish_node(node_index, outcome) {
            let row = self::row(&graph, skipped, NodeStatus::Skipped);
            histories[usize::from(skipped)].row = Some(row);
        }
    }
    Crashed {
        graph,
        histories,
        left,
    }
}

fn row(graph: &Graph, node_index: NodeIndex, status: NodeStatus) -> NodeRun {
    let id = graph.id(node_index).unwrap().clone();
    let run = RunId::from_uuid(Uuid::from_u64_pair(0, 1));
    let mut row = NodeRun::unstarted(run, id, node_index, status);
    row.attempt = (status != NodeStatus::Skipped).then_some(1);
    row
}

fn check(seed: u64) {
    let mut random = Random::seeded(seed);
    let Crashed {
        graph,
        histories,
        left,
    } = crash(&mut random);
    let mut plan = ExecutionPlan::new(&graph, earlier_results(&graph, &histories, |_| false));
    let mut read = BTreeSet::new();
    while let Some(node_index) = plan.next_output_to_check() {
        match left[usize::from(node_index)] {
            Left::Damaged => plan.mark_unavailable(node_index),
            _ => assert!(read.insert(node_index)),
        }
    }
    let before = |node_index: NodeIndex| histories[usize::from(node_index)].outcome();
    let known = known_nodes(&plan, &histories);
    let branches: Vec<_> = known.iter().map(|known| known.branch).collect();
    let (mut frontier, _) = Frontier::new(Arc::clone(&graph), known);
    let mut executed = BTreeSet::new();
    while frontier.run_outcome().is_none() {
        let ready = frontier.take_ready();
        assert!(!ready.is_empty(), "the run hangs");
        for node_index in ready {
            assert!(plan.executes(node_index), "{node_index} was not planned");
            let outcome = before(node_index);
            assert!(
                matches!(outcome, None | Some(NodeOutcome::Success)),
                "{node_index}"
            );
            for up in graph.upstream(node_index) {
                if frontier.delivers(*up, node_index) {
                    let has_input = executed.contains(up)
                        || read.contains(up)
                        || left[usize::from(*up)] == Left::NoDataset;
                    assert!(has_input, "{node_index} misses the output of {up}");
                }
            }
            executed.insert(node_index);
            // A second execution may answer otherwise.
            let branch = graph.has_conditions(node_index).then(|| random.one_in(2));
            frontier.take_branch(node_index, branch);
            let stands = branches[usize::from(node_index)];
            assert!(stands.is_none() || frontier.branch(node_index) == stands);
            frontier.finish_node(node_index, NodeOutcome::Success);
        }
    }
    for again in executed.iter().filter(|it| before(**it).is_some()) {
        let is_lost = matches!(left[usize::from(*again)], Left::Damaged | Left::TooLarge);
        let branch = branches[usize::from(*again)];
        let can_run = |next: NodeIndex| matches!(before(next), None | Some(NodeOutcome::Success));
        let is_needed = graph.downstream(*again).iter().any(|next| {
            can_run(*next) && plan.executes(*next) && graph.leads(*again, *next, branch)
        });
        assert!(is_lost && is_needed, "{again} need not run again");
    }
}

#[test]
fn a_run_that_goes_on_misses_no_data_and_repeats_nothing_without_need() {
    for seed in 0..5_000 {
        let checked = std::panic::catch_unwind(|| check(seed));
        checked.unwrap_or_else(|_| panic!("seed {seed} breaks a rule"));
    }
}
