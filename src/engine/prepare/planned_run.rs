//! What a new run would execute, as far as storage knows the outputs that it inherits.

use std::sync::Arc;

use super::node_history::{NodeHistory, earlier_results, histories_of, known_nodes};
use crate::graph::Graph;
use crate::graph::frontier::{Frontier, NodeOutcome};
use crate::graph::plan::{EarlierResult, ExecutionPlan};
use crate::model::{NodeIndex, Run};

/// The plan of a run that has not begun.
#[derive(Debug)]
pub(in crate::engine) struct PlannedRun<'a> {
    plan: ExecutionPlan<'a>,
    /// Whether no edge to a node is taken, by node index.
    is_untaken: Vec<bool>,
    /// The frontier after the nodes have failed whose inputs are lost.
    after_failures: Frontier,
}

impl<'a> PlannedRun<'a> {
    /// Plans a run on a graph. No output is read.
    pub(in crate::engine) fn new(
        graph: &'a Arc<Graph>,
        run: &Run,
        is_sink: impl Fn(NodeIndex) -> bool,
    ) -> Self {
        let histories: Vec<NodeHistory> = histories_of(graph, &[], &run.inherited);
        let earlier = earlier_results(graph, &histories, is_sink);
        // Nothing has failed so far, and a branch stands although its node executes again.
        let ended = earlier.iter().map(|it| *it == EarlierResult::Ended);
        let is_untaken = ended.collect();
        let plan = ExecutionPlan::new(graph, earlier);
        let mut known = known_nodes(&plan, &histories);
        for (_, consumer) in plan.missing_inputs() {
            if let Some(node) = known.get_mut(usize::from(*consumer)) {
                node.outcome = Some(NodeOutcome::Failed);
            }
        }
        let (after_failures, _) = Frontier::new(Arc::clone(graph), known);
        Self {
            plan,
            is_untaken,
            after_failures,
        }
    }

    /// Returns whether the run executes a node, unless a node above it fails or takes another
    /// branch.
    pub(in crate::engine) fn executes(&self, node_index: NodeIndex) -> bool {
        self.plan.executes(node_index)
    }

    /// Returns whether no edge to a node is taken.
    pub(in crate::engine) fn is_untaken(&self, node_index: NodeIndex) -> bool {
        let is_untaken = self.is_untaken.get(usize::from(node_index));
        is_untaken.copied().unwrap_or_default()
    }

    /// Returns whether a node above this one fails, because its input is lost.
    pub(in crate::engine) fn is_below_failure(&self, node_index: NodeIndex) -> bool {
        self.plan.executes(node_index)
            && self.after_failures.has_ended(node_index)
            && self.missing_input(node_index).is_none()
    }

    /// Returns the sink whose lost output a node needs, if there is one.
    pub(in crate::engine) fn missing_input(&self, node_index: NodeIndex) -> Option<NodeIndex> {
        let missing = self.plan.missing_inputs().iter();
        let mut sinks = missing.filter(|(_, consumer)| *consumer == node_index);
        sinks.next().map(|(sink, _)| *sink)
    }
}
