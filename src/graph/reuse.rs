//! Decides which nodes a resume reuses, from the results of its chain of runs.
//!
//! `plan` decides which other nodes execute because an output is unavailable. `engine` reads the
//! results of the chain.

use std::collections::BTreeSet;

use super::Graph;
use crate::model::NodeIndex;

/// The result that a chain of resumes has for a node of the definition to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChainResult {
    /// No run of the chain executed the node with success.
    NotSucceeded {
        /// Whether the type, the config and the upstreams of the node are unchanged since the
        /// newest run of the chain that has it.
        is_unchanged: bool,
    },
    /// The node succeeded.
    Succeeded {
        /// Whether the type, the config and the upstreams of the node are unchanged since then.
        is_unchanged: bool,
        is_sink: bool,
    },
}

/// What a resume does with a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResumeChoice {
    /// Skips the node and reuses its output.
    Reuse,
    /// Executes the node, which has not succeeded yet, on what it was to receive before.
    Finish,
    /// Executes the node on purpose, with other input or another definition than before.
    Repeat,
}

/// Returns for each node index what the resume does with the node.
///
/// - The node `from` executes again, with all nodes downstream of it, sinks included.
/// - A node with a changed definition executes again. The nodes downstream of it also do, down to
///   the next sink.
/// - A sink that succeeded with its current definition does not execute again because its input
///   changed. The same holds for the nodes downstream of that sink.
/// - A node that has not succeeded is repeated, not finished, if its definition has changed or one
///   of its upstreams is repeated.
/// - A node of `skips` does not execute, whatever its result. None of them is below `from`.
pub(crate) fn choose(
    graph: &Graph,
    earlier: &[ChainResult],
    from: Option<NodeIndex>,
    skips: &BTreeSet<NodeIndex>,
) -> Vec<ResumeChoice> {
    let again = from.map(|node_index| graph.with_downstream(node_index));
    let again = again.unwrap_or_default();
    let mut choices = Vec::with_capacity(graph.len());
    // Node indexes follow the topological order, so each upstream is decided before its consumers.
    for node_index in graph.node_indexes() {
        let index = usize::from(node_index);
        let mut upstream = graph.upstream(node_index).iter().copied().map(usize::from);
        let is_upstream_repeated = upstream.any(|up| choices[up] == ResumeChoice::Repeat);
        let is_repeated = again.contains(&node_index)
            || match earlier.get(index) {
                Some(ChainResult::Succeeded {
                    is_unchanged,
                    is_sink,
                }) => !is_unchanged || (!is_sink && is_upstream_repeated),
                Some(ChainResult::NotSucceeded { is_unchanged }) => {
                    !is_unchanged || is_upstream_repeated
                }
                None => false,
            };
        let has_succeeded = matches!(earlier.get(index), Some(ChainResult::Succeeded { .. }));
        choices.push(match (is_repeated, has_succeeded) {
            _ if skips.contains(&node_index) => ResumeChoice::Reuse,
            (true, _) => ResumeChoice::Repeat,
            (false, true) => ResumeChoice::Reuse,
            (false, false) => ResumeChoice::Finish,
        });
    }
    choices
}

#[cfg(test)]
mod tests {
    use super::ResumeChoice::{Finish, Repeat, Reuse};
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
    const LEFT: ChainResult = ChainResult::NotSucceeded { is_unchanged: true };
    const CHANGED_LEFT: ChainResult = ChainResult::NotSucceeded {
        is_unchanged: false,
    };

    /// load → clean → save → report
    #[track_caller]
    fn check(earlier: [ChainResult; 4], from: Option<NodeIndex>, expected: [ResumeChoice; 4]) {
        let pipeline = Pipeline::new("p")
            .node("load", "x")
            .node("clean", "x")
            .after("load")
            .node("save", "x")
            .after("clean")
            .node("report", "x")
            .after("save");
        let graph = Graph::new(&pipeline).unwrap();
        let chosen = choose(&graph, &earlier, from, &BTreeSet::new());
        assert_eq!(chosen, expected, "{earlier:?}");
    }

    #[test]
    fn nodes_that_succeeded_are_reused() {
        check(
            [SAME, SAME, LEFT, LEFT],
            None,
            [Reuse, Reuse, Finish, Finish],
        );
        check(
            [LEFT, SAME, SINK, SAME],
            None,
            [Finish, Reuse, Reuse, Reuse],
        );
    }

    #[test]
    fn the_named_node_executes_with_all_downstream_nodes() {
        let all = [SAME, SAME, SINK, SAME];
        check(all, Some(1), [Reuse, Repeat, Repeat, Repeat]);
        check(all, Some(2), [Reuse, Reuse, Repeat, Repeat]);
        check(all, Some(0), [Repeat; 4]);
        check(
            [SAME, SAME, LEFT, LEFT],
            Some(1),
            [Reuse, Repeat, Repeat, Repeat],
        );
    }

    #[test]
    fn a_changed_node_executes_with_its_downstream_nodes_up_to_a_sink() {
        check(
            [CHANGED, SAME, SINK, SAME],
            None,
            [Repeat, Repeat, Reuse, Reuse],
        );
        check([CHANGED, SAME, SAME, SAME], None, [Repeat; 4]);
    }

    #[test]
    fn a_sink_with_a_changed_definition_executes_again() {
        check(
            [SAME, SAME, CHANGED_SINK, SAME],
            None,
            [Reuse, Reuse, Repeat, Repeat],
        );
    }

    #[test]
    fn a_node_that_is_left_is_repeated_once_its_input_or_its_definition_changes() {
        check([CHANGED, SAME, LEFT, LEFT], None, [Repeat; 4]);
        check(
            [SAME, SAME, CHANGED_LEFT, LEFT],
            None,
            [Reuse, Reuse, Repeat, Repeat],
        );
    }

    /// Computes the same result by following every path from its start.
    fn by_paths(
        graph: &Graph,
        earlier: &[ChainResult],
        from: Option<NodeIndex>,
        skips: &BTreeSet<NodeIndex>,
    ) -> Vec<ResumeChoice> {
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
        let result = |node_index: NodeIndex| earlier[usize::from(node_index)];
        let named = from.map(|from| below(from, &|_| true)).unwrap_or_default();
        let stops =
            |node_index: NodeIndex| result(node_index) == SINK || skips.contains(&node_index);
        let mut repeated = named.clone();
        for node_index in graph.node_indexes() {
            let is_start = [CHANGED, CHANGED_SINK, CHANGED_LEFT].contains(&result(node_index))
                || named.contains(&node_index);
            if is_start && !skips.contains(&node_index) {
                repeated.extend(below(node_index, &|next| !stops(next)));
            }
        }
        let choice = |node_index: NodeIndex| match result(node_index) {
            _ if repeated.contains(&node_index) => Repeat,
            _ if skips.contains(&node_index) => Reuse,
            ChainResult::Succeeded { .. } => Reuse,
            ChainResult::NotSucceeded { .. } => Finish,
        };
        graph.node_indexes().map(choice).collect()
    }

    #[test]
    fn the_rules_agree_with_a_walk_over_all_paths() {
        for seed in 0..5_000 {
            let mut random = Random::seeded(seed);
            let graph = random.graph();
            let kinds = [LEFT, CHANGED_LEFT, SAME, SAME, CHANGED, SINK, CHANGED_SINK];
            let earlier: Vec<_> = graph
                .node_indexes()
                .map(|_| kinds[random.below(7)])
                .collect();
            let node_indexes: Vec<_> = graph.node_indexes().collect();
            let from = random
                .one_in(2)
                .then(|| node_indexes[random.below(node_indexes.len())]);
            let named = from.map(|from| graph.with_downstream(from));
            let named = named.unwrap_or_default();
            let free = node_indexes.iter().filter(|index| !named.contains(index));
            let skips = free.copied().filter(|_| random.one_in(6)).collect();
            let expected = by_paths(&graph, &earlier, from, &skips);
            let chosen = choose(&graph, &earlier, from, &skips);
            assert_eq!(chosen, expected, "seed {seed}");
        }
    }
}
