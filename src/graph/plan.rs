//! Decides which nodes a resume or a recovery executes again, and which stored outputs they need.
//!
//! The caller checks the bytes of each output and reports what it finds. `frontier` decides when a
//! node may start.

use std::collections::BTreeSet;

use super::Graph;
use crate::model::NodeIndex;

/// The result of a node before this execution of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EarlierResult {
    /// The node has not succeeded yet.
    NotSucceeded,
    /// The node can no longer execute: it has finished without success, or its edges are dead.
    Ended,
    /// The node succeeded.
    Succeeded {
        output: OutputState,
        /// The branch that it took.
        branch: Option<bool>,
        is_sink: bool,
    },
}

/// The state of the output of a node that succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutputState {
    /// The node returned no dataset.
    NoDataset,
    /// The storage records the output. Its bytes are not checked yet.
    Stored,
    /// The node returned a dataset that was never stored, was dropped later or is damaged.
    Unavailable,
}

/// The smallest set of nodes that must execute.
///
/// The set contains each node that has not succeeded and still can. It also contains each node with
/// an unavailable output that another node of the set needs.
///
/// A node that succeeded does not execute again merely because one of its upstreams does. A sink
/// that succeeded never executes again. When a resume names a sink, `reuse` leaves its success out,
/// so it does not count as succeeded here.
#[derive(Debug)]
pub(crate) struct ExecutionPlan<'a> {
    graph: &'a Graph,
    earlier: Vec<EarlierResult>,
    executes: Vec<bool>,
    /// The stored outputs that an executing node needs and that are not checked yet.
    unchecked: BTreeSet<NodeIndex>,
    /// Whether the output was ever in `unchecked`. The caller reads each output once.
    was_queued: Vec<bool>,
    missing_inputs: Vec<(NodeIndex, NodeIndex)>,
}

impl<'a> ExecutionPlan<'a> {
    /// Builds the plan from the earlier results (`earlier[node_index]`). No output is checked yet.
    pub(crate) fn new(graph: &'a Graph, mut earlier: Vec<EarlierResult>) -> Self {
        earlier.resize(graph.len(), EarlierResult::NotSucceeded);
        let not_succeeded: Vec<_> = (0..)
            .zip(&earlier)
            .filter(|(_, earlier)| **earlier == EarlierResult::NotSucceeded)
            .map(|(node_index, _)| node_index)
            .collect();
        let mut plan = Self {
            graph,
            executes: vec![false; earlier.len()],
            was_queued: vec![false; earlier.len()],
            earlier,
            unchecked: BTreeSet::new(),
            missing_inputs: Vec::new(),
        };
        plan.execute(not_succeeded);
        plan
    }

    /// Returns the next node with a stored output that an executing node needs and that is not
    /// checked yet. Nodes come in ascending order of their indexes.
    ///
    /// The output counts as intact unless the caller reports it with
    /// [`ExecutionPlan::mark_unavailable`].
    pub(crate) fn next_output_to_check(&mut self) -> Option<NodeIndex> {
        self.unchecked.pop_first()
    }

    /// Records that the stored output of a node is damaged or missing. The node executes again if
    /// an executing node needs the output.
    pub(crate) fn mark_unavailable(&mut self, node_index: NodeIndex) {
        self.unchecked.remove(&node_index);
        let Some(EarlierResult::Succeeded {
            output,
            branch,
            is_sink,
        }) = self.earlier.get_mut(usize::from(node_index))
        else {
            return;
        };
        if *output != OutputState::Stored {
            return;
        }
        *output = OutputState::Unavailable;
        let (branch, is_sink) = (*branch, *is_sink);
        let downstream = self.graph.downstream(node_index).iter().copied();
        let is_consumer =
            |next: &NodeIndex| self.executes(*next) && self.graph.leads(node_index, *next, branch);
        let consumers: Vec<_> = downstream.filter(is_consumer).collect();
        if is_sink {
            let missing_inputs = consumers.into_iter().map(|consumer| (node_index, consumer));
            self.missing_inputs.extend(missing_inputs);
        } else if !consumers.is_empty() {
            self.execute(vec![node_index]);
        }
    }

    /// Returns whether the node executes.
    pub(crate) fn executes(&self, node_index: NodeIndex) -> bool {
        self.executes
            .get(usize::from(node_index))
            .copied()
            .unwrap_or_default()
    }

    /// Returns each pair of a succeeded sink with an unavailable output and an executing node that
    /// needs the output. That node must fail with a message that names the sink.
    pub(crate) fn missing_inputs(&self) -> &[(NodeIndex, NodeIndex)] {
        &self.missing_inputs
    }

    /// Adds nodes to the set. Also adds each upstream node that must produce its output again for
    /// them.
    fn execute(&mut self, mut nodes: Vec<NodeIndex>) {
        while let Some(node_index) = nodes.pop() {
            if std::mem::replace(&mut self.executes[usize::from(node_index)], true) {
                continue;
            }
            for up in self.graph.upstream(node_index) {
                let EarlierResult::Succeeded {
                    output,
                    branch,
                    is_sink,
                } = self.earlier[usize::from(*up)]
                else {
                    continue;
                };
                if !self.graph.leads(*up, node_index, branch) {
                    continue;
                }
                match output {
                    OutputState::NoDataset => {}
                    OutputState::Stored => {
                        if !std::mem::replace(&mut self.was_queued[usize::from(*up)], true) {
                            self.unchecked.insert(*up);
                        }
                    }
                    OutputState::Unavailable if is_sink => {
                        self.missing_inputs.push((*up, node_index))
                    }
                    OutputState::Unavailable => nodes.push(*up),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::random::Random;
    use crate::model::Pipeline;

    const fn produced(output: OutputState) -> EarlierResult {
        EarlierResult::Succeeded {
            output,
            branch: None,
            is_sink: false,
        }
    }

    const fn written(output: OutputState) -> EarlierResult {
        EarlierResult::Succeeded {
            output,
            branch: None,
            is_sink: true,
        }
    }

    /// load → clean → sum → save
    fn chain() -> Graph {
        let pipeline = Pipeline::new("p")
            .node("load", "x")
            .node("clean", "x")
            .after("load")
            .node("sum", "x")
            .after("clean")
            .node("save", "x")
            .after("sum");
        Graph::new(&pipeline).unwrap()
    }

    fn executing(plan: &ExecutionPlan<'_>) -> Vec<NodeIndex> {
        let mut node_indexes: Vec<_> = plan.graph.node_indexes().collect();
        node_indexes.retain(|node_index| plan.executes(*node_index));
        node_indexes
    }

    #[test]
    fn a_node_that_never_succeeded_executes_on_stored_outputs() {
        let graph = chain();
        let stored = produced(OutputState::Stored);
        let mut plan = ExecutionPlan::new(
            &graph,
            vec![
                stored,
                stored,
                EarlierResult::NotSucceeded,
                EarlierResult::NotSucceeded,
            ],
        );
        assert_eq!(
            (plan.next_output_to_check(), plan.next_output_to_check()),
            (Some(1), None)
        );
        assert_eq!(executing(&plan), [2, 3]);
    }

    #[test]
    fn a_damaged_output_is_produced_again_and_so_upwards() {
        let graph = chain();
        let earlier = vec![
            produced(OutputState::Unavailable),
            produced(OutputState::Stored),
            EarlierResult::NotSucceeded,
        ];
        let mut plan = ExecutionPlan::new(&graph, earlier);
        assert_eq!(plan.next_output_to_check(), Some(1));
        plan.mark_unavailable(1);
        assert_eq!(plan.next_output_to_check(), None);
        assert_eq!(executing(&plan), [0, 1, 2, 3]);
    }

    #[test]
    fn an_output_that_no_node_needs_is_not_produced_again() {
        let graph = chain();
        let unavailable = produced(OutputState::Unavailable);
        let mut plan = ExecutionPlan::new(
            &graph,
            vec![
                EarlierResult::NotSucceeded,
                unavailable,
                unavailable,
                written(OutputState::NoDataset),
            ],
        );
        assert_eq!(
            (executing(&plan), plan.next_output_to_check()),
            (vec![0], None)
        );
        plan.mark_unavailable(3);
        assert_eq!(executing(&plan), [0]);
    }

    #[test]
    fn a_sink_that_succeeded_is_never_repeated_and_the_node_that_needs_it_is_named() {
        let graph = chain();
        let earlier = |sink| {
            vec![
                produced(OutputState::Unavailable),
                written(sink),
                EarlierResult::NotSucceeded,
                EarlierResult::NotSucceeded,
            ]
        };
        let plan = ExecutionPlan::new(&graph, earlier(OutputState::Unavailable));
        assert_eq!(
            (executing(&plan), plan.missing_inputs()),
            (vec![2, 3], &[(1, 2)][..])
        );
        let mut plan = ExecutionPlan::new(&graph, earlier(OutputState::Stored));
        assert_eq!(
            (plan.missing_inputs().len(), plan.next_output_to_check()),
            (0, Some(1))
        );
        plan.mark_unavailable(1);
        plan.mark_unavailable(1);
        assert_eq!(
            (executing(&plan), plan.missing_inputs()),
            (vec![2, 3], &[(1, 2)][..])
        );
        let plan = ExecutionPlan::new(&graph, earlier(OutputState::NoDataset));
        assert_eq!(
            (executing(&plan), plan.missing_inputs().len()),
            (vec![2, 3], 0)
        );
    }

    /// Computes the same set by scanning every edge until nothing changes.
    fn least_closed(graph: &Graph, earlier: &[EarlierResult], damaged: &[bool]) -> Vec<NodeIndex> {
        let mut set: BTreeSet<_> = graph.node_indexes().collect();
        set.retain(|node_index| earlier[usize::from(*node_index)] == EarlierResult::NotSucceeded);
        loop {
            let mut grown = set.clone();
            for node_index in &set {
                let unavailable = graph.upstream(*node_index).iter().filter(|up| {
                    let EarlierResult::Succeeded {
                        output,
                        branch,
                        is_sink: false,
                    } = earlier[usize::from(**up)]
                    else {
                        return false;
                    };
                    let is_lost = match output {
                        OutputState::NoDataset => false,
                        OutputState::Stored => damaged[usize::from(**up)],
                        OutputState::Unavailable => true,
                    };
                    is_lost && graph.leads(**up, *node_index, branch)
                });
                grown.extend(unavailable);
            }
            if grown == set {
                return set.into_iter().collect();
            }
            set = grown;
        }
    }

    fn check(seed: u64) {
        let mut random = Random::seeded(seed);
        let graph = random.graph();
        let outputs = [
            OutputState::NoDataset,
            OutputState::Stored,
            OutputState::Stored,
            OutputState::Unavailable,
        ];
        let mut any_result = || match random.below(6) {
            0 => EarlierResult::NotSucceeded,
            5 => EarlierResult::Ended,
            kind => EarlierResult::Succeeded {
                output: outputs[random.below(4)],
                branch: [None, Some(true), Some(false)][random.below(3)],
                is_sink: kind == 1,
            },
        };
        let earlier: Vec<_> = graph.node_indexes().map(|_| any_result()).collect();
        let damaged: Vec<_> = earlier.iter().map(|_| random.one_in(2)).collect();

        let mut plan = ExecutionPlan::new(&graph, earlier.clone());
        let mut checked = BTreeSet::new();
        while let Some(node_index) = plan.next_output_to_check() {
            assert!(
                checked.insert(node_index),
                "{node_index} was returned twice"
            );
            if damaged[usize::from(node_index)] {
                plan.mark_unavailable(node_index);
            }
        }

        let expected = least_closed(&graph, &earlier, &damaged);
        assert_eq!(executing(&plan), expected);
        let needed: BTreeSet<(NodeIndex, NodeIndex)> = expected
            .iter()
            .flat_map(|node_index| {
                graph
                    .upstream(*node_index)
                    .iter()
                    .map(move |up| (*up, *node_index))
            })
            .filter(|(up, node_index)| match earlier[usize::from(*up)] {
                EarlierResult::Succeeded { branch, .. } => graph.leads(*up, *node_index, branch),
                EarlierResult::NotSucceeded | EarlierResult::Ended => false,
            })
            .collect();
        let found = |up: NodeIndex| match earlier[usize::from(up)] {
            EarlierResult::Succeeded {
                output, is_sink, ..
            } => Some((output, is_sink)),
            EarlierResult::NotSucceeded | EarlierResult::Ended => None,
        };
        let mut stored: BTreeSet<_> = needed.iter().map(|(up, _)| *up).collect();
        stored.retain(|up| found(*up).is_some_and(|(output, _)| output == OutputState::Stored));
        assert_eq!(
            checked, stored,
            "exactly the stored outputs that are needed"
        );
        let mut missing_inputs = needed;
        missing_inputs.retain(|(up, _)| {
            found(*up) == Some((OutputState::Unavailable, true))
                || (found(*up) == Some((OutputState::Stored, true)) && damaged[usize::from(*up)])
        });
        assert_eq!(plan.missing_inputs().len(), missing_inputs.len());
        assert_eq!(
            plan.missing_inputs()
                .iter()
                .copied()
                .collect::<BTreeSet<_>>(),
            missing_inputs
        );
    }

    #[test]
    fn the_set_is_closed_and_minimal() {
        for seed in 0..10_000 {
            std::panic::catch_unwind(|| check(seed))
                .unwrap_or_else(|_| panic!("seed {seed} differs"));
        }
    }
}
