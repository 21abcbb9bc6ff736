//! Decides which nodes a resume reuses, from the results of its chain of runs.
//!
//! `plan` decides which other nodes execute because an output is unavailable. `engine` reads the
//! results of the chain.

use super::Graph;
use crate::model::NodeIndex;

/// The result that a chain of resumes has for a node of the definition to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChainResult {
    /// No run of the chain executed the node with success.
    NotSucceeded,
    /// The node succeeded.
    Succeeded {
        /// Whether the type, the config and the upstreams of the node are unchanged since then.
        is_unchanged: bool,
        is_sink: bool,
    },
}

/// Returns for each node index whether the resume reuses the node.
///
/// - The node `from` executes again, with all nodes downstream of it, sinks included.
/// - A node with a changed definition executes again. The nodes downstream of it also do, down to
///   the next sink.
/// - A sink that succeeded with its current definition does not execute again because its input
///   changed. The same holds for the nodes downstream of that sink.
pub(crate) fn select_reused(
    graph: &Graph,
    earlier: &[ChainResult],
    from: Option<NodeIndex>,
) -> Vec<bool> {
    let mut is_below_from = vec![false; graph.len()];
    let mut is_changed = vec![false; graph.len()];
    let mut reused = Vec::with_capacity(graph.len());
    // Node indexes follow the topological order, so each upstream is decided before its consumers.
    for node_index in graph.node_indexes() {
        let index = usize::from(node_index);
        let upstream = graph.upstream(node_index);
        let any = |marked: &[bool]| upstream.iter().any(|up| marked[usize::from(*up)]);
        is_below_from[index] = from == Some(node_index) || any(&is_below_from);
        let (has_succeeded, changed) = match earlier.get(index) {
            Some(ChainResult::Succeeded {
                is_unchanged,
                is_sink,
            }) => (true, !is_unchanged || (!is_sink && any(&is_changed))),
            Some(ChainResult::NotSucceeded) | None => (false, false),
        };
        is_changed[index] = changed;
        reused.push(has_succeeded && !changed && !is_below_from[index]);
    }
    reused
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::graph::random::Random;
    use crate::model::Pipeline;

    const SAME: ChainResult = ChainResult::Succeeded {
        is_unchanged: true,
        is_sink: false,
    };
    const CHANGED: ChainResult = ChainResult::Succeeded {
        is_unchanged: false,
        is_sink: false,
    };
    const SINK: ChainResult = ChainResult::Succeeded {
        is_unchanged: true,
        is_sink: true,
    };
    const CHANGED_SINK: ChainResult = ChainResult::Succeeded {
        is_unchanged: false,
        is_sink: true,
    };

    /// load → clean → save → report
    fn check(earlier: [ChainResult; 4], from: Option<NodeIndex>, expected: [bool; 4]) {
        let pipeline = Pipeline::new("p")
            .node("load", "x")
            .node("clean", "x")
            .after("load")
            .node("save", "x")
            .after("clean")
            .node("report", "x")
            .after("save");
        let graph = Graph::new(&pipeline).unwrap();
        assert_eq!(
            select_reused(&graph, &earlier, from),
            expected,
            "{earlier:?}"
        );
    }

    #[test]
    fn nodes_that_succeeded_are_reused() {
        let not_succeeded = ChainResult::NotSucceeded;
        check(
            [SAME, SAME, not_succeeded, not_succeeded],
            None,
            [true, true, false, false],
        );
        check(
            [not_succeeded, SAME, SINK, SAME],
            None,
            [false, true, true, true],
        );
    }

    #[test]
    fn the_named_node_executes_with_all_downstream_nodes() {
        let all = [SAME, SAME, SINK, SAME];
        check(all, Some(1), [true, false, false, false]);
        check(all, Some(2), [true, true, false, false]);
        check(all, Some(0), [false; 4]);
    }

    #[test]
    fn a_changed_node_executes_with_its_downstream_nodes_up_to_a_sink() {
        check(
            [CHANGED, SAME, SINK, SAME],
            None,
            [false, false, true, true],
        );
        check([CHANGED, SAME, SAME, SAME], None, [false; 4]);
    }

    #[test]
    fn a_sink_with_a_changed_definition_executes_again() {
        check(
            [SAME, SAME, CHANGED_SINK, SAME],
            None,
            [true, true, false, false],
        );
    }

    /// Computes the same result by following every path from its start.
    fn by_paths(graph: &Graph, earlier: &[ChainResult], from: Option<NodeIndex>) -> Vec<bool> {
        let below = |start: NodeIndex, passes: &dyn Fn(NodeIndex) -> bool| {
            let (mut seen, mut pending) = (BTreeSet::from([start]), vec![start]);
            while let Some(node_index) = pending.pop() {
                for next in graph.downstream(node_index) {
                    if passes(*next) && seen.insert(*next) {
                        pending.push(*next);
                    }
                }
            }
            seen
        };
        let mut again: BTreeSet<NodeIndex> =
            from.map(|from| below(from, &|_| true)).unwrap_or_default();
        let is_pure = |node_index: NodeIndex| earlier[usize::from(node_index)] == SAME;
        for node_index in graph.node_indexes() {
            match earlier[usize::from(node_index)] {
                ChainResult::Succeeded {
                    is_unchanged: false,
                    ..
                } => again.extend(below(node_index, &is_pure)),
                ChainResult::Succeeded {
                    is_unchanged: true, ..
                } => {}
                ChainResult::NotSucceeded => {
                    again.insert(node_index);
                }
            }
        }
        graph
            .node_indexes()
            .map(|node_index| !again.contains(&node_index))
            .collect()
    }

    #[test]
    fn the_rules_agree_with_a_walk_over_all_paths() {
        for seed in 0..5_000 {
            let mut random = Random::seeded(seed);
            let graph = random.graph();
            let kinds = [
                ChainResult::NotSucceeded,
                SAME,
                SAME,
                CHANGED,
                SINK,
                CHANGED_SINK,
            ];
            let earlier: Vec<_> = graph
                .node_indexes()
                .map(|_| kinds[random.below(6)])
                .collect();
            let node_indexes: Vec<_> = graph.node_indexes().collect();
            let from = random
                .one_in(2)
                .then(|| node_indexes[random.below(node_indexes.len())]);
            let expected = by_paths(&graph, &earlier, from);
            assert_eq!(
                select_reused(&graph, &earlier, from),
                expected,
                "seed {seed}"
            );
        }
    }
}
