//! Decides which nodes a resume or a recovery executes again, and which stored outputs they need.
//!
//! The caller checks the bytes of an output and reports what it found. `frontier` decides when a
//! node may start.

use std::collections::BTreeSet;

use super::Graph;
use crate::model::NodeIndex;

/// The result of a node before this execution of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Past {
    /// The node never succeeded.
    Never,
    /// The node succeeded.
    Succeeded { output: Kept, is_sink: bool },
}

/// The state of the output of a node that succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// The node returned no dataset.
    Nothing,
    /// The output is recorded as stored. Nobody has checked its bytes.
    Stored,
    /// The node returned a dataset that was not stored or was dropped later.
    Lost,
}

/// The smallest set of nodes that must execute.
///
/// The set has the nodes that never succeeded and, upwards from them, each node whose lost output
/// one of the set needs.
///
/// A node that succeeded does not execute again because its upstream does. A sink that succeeded
/// never executes again.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    graph: &'a Graph,
    past: Vec<Past>,
    executes: Vec<bool>,
    /// Stored outputs that an executing node needs and that are not checked yet.
    unchecked: BTreeSet<NodeIndex>,
    /// Whether the output was ever in `unchecked`, so that it is read once.
    is_known: Vec<bool>,
    unmet: Vec<(NodeIndex, NodeIndex)>,
}

impl<'a> Plan<'a> {
    /// Plans from the earlier results (`past[node_index]`), before any output is checked.
    pub(crate) fn new(graph: &'a Graph, mut past: Vec<Past>) -> Self {
        past.resize(graph.len(), Past::Never);
        let never: Vec<_> = (0..)
            .zip(&past)
            .filter(|(_, past)| **past == Past::Never)
            .map(|(node_index, _)| node_index)
            .collect();
        let mut plan = Self {
            graph,
            executes: vec![false; past.len()],
            is_known: vec![false; past.len()],
            past,
            unchecked: BTreeSet::new(),
            unmet: Vec::new(),
        };
        plan.execute(never);
        plan
    }

    /// Returns the next succeeded node whose unchecked stored output an executing node needs, in
    /// the order of the node indexes.
    ///
    /// The output counts as checked and intact unless the caller reports it with [`Plan::lost`].
    pub(crate) fn next_needed(&mut self) -> Option<NodeIndex> {
        self.unchecked.pop_first()
    }

    /// Reports that the stored output of a node is damaged or missing. The node executes again if
    /// an executing node needs the output.
    pub(crate) fn lost(&mut self, node_index: NodeIndex) {
        self.unchecked.remove(&node_index);
        let Some(Past::Succeeded { output, is_sink }) = self.past.get_mut(usize::from(node_index))
        else {
            return;
        };
        if *output != Kept::Stored {
            return;
        }
        *output = Kept::Lost;
        let is_sink = *is_sink;
        let below = self.graph.downstream(node_index).iter().copied();
        let needers: Vec<_> = below.filter(|next| self.executes(*next)).collect();
        if is_sink {
            let unmet = needers.into_iter().map(|needer| (node_index, needer));
            self.unmet.extend(unmet);
        } else if !needers.is_empty() {
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

    /// Returns each succeeded sink whose lost output an executing node needs, with that node. The
    /// node must fail with a message that says so.
    pub(crate) fn unmet(&self) -> &[(NodeIndex, NodeIndex)] {
        &self.unmet
    }

    /// Adds nodes to the set and, upwards, every node that must produce its output again for them.
    fn execute(&mut self, mut nodes: Vec<NodeIndex>) {
        while let Some(node_index) = nodes.pop() {
            if std::mem::replace(&mut self.executes[usize::from(node_index)], true) {
                continue;
            }
            for up in self.graph.upstream(node_index) {
                let Past::Succeeded { output, is_sink } = self.past[usize::from(*up)] else {
                    continue;
                };
                match output {
                    Kept::Nothing => {}
                    Kept::Stored => {
                        if !std::mem::replace(&mut self.is_known[usize::from(*up)], true) {
                            self.unchecked.insert(*up);
                        }
                    }
                    Kept::Lost if is_sink => self.unmet.push((*up, node_index)),
                    Kept::Lost => nodes.push(*up),
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

    const fn made(output: Kept) -> Past {
        Past::Succeeded {
            output,
            is_sink: false,
        }
    }

    const fn written(output: Kept) -> Past {
        Past::Succeeded {
            output,
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

    fn executing(plan: &Plan<'_>) -> Vec<NodeIndex> {
        let mut node_indexes: Vec<_> = plan.graph.node_indexes().collect();
        node_indexes.retain(|node_index| plan.executes(*node_index));
        node_indexes
    }

    #[test]
    fn a_node_that_never_succeeded_executes_on_stored_outputs() {
        let graph = chain();
        let stored = made(Kept::Stored);
        let mut plan = Plan::new(&graph, vec![stored, stored, Past::Never, Past::Never]);
        assert_eq!((plan.next_needed(), plan.next_needed()), (Some(1), None));
        assert_eq!(executing(&plan), [2, 3]);
    }

    #[test]
    fn a_damaged_output_is_produced_again_and_so_upwards() {
        let graph = chain();
        let past = vec![made(Kept::Lost), made(Kept::Stored), Past::Never];
        let mut plan = Plan::new(&graph, past);
        assert_eq!(plan.next_needed(), Some(1));
        plan.lost(1);
        assert_eq!(plan.next_needed(), None);
        assert_eq!(executing(&plan), [0, 1, 2, 3]);
    }

    #[test]
    fn an_output_that_no_node_needs_is_not_produced_again() {
        let graph = chain();
        let lost = made(Kept::Lost);
        let mut plan = Plan::new(
            &graph,
            vec![Past::Never, lost, lost, written(Kept::Nothing)],
        );
        assert_eq!((executing(&plan), plan.next_needed()), (vec![0], None));
        plan.lost(3);
        assert_eq!(executing(&plan), [0]);
    }

    #[test]
    fn a_sink_that_succeeded_is_never_repeated_and_the_node_that_needs_it_is_named() {
        let graph = chain();
        let past = |sink| vec![made(Kept::Lost), written(sink), Past::Never, Past::Never];
        let plan = Plan::new(&graph, past(Kept::Lost));
        assert_eq!(
            (executing(&plan), plan.unmet()),
            (vec![2, 3], &[(1, 2)][..])
        );
        let mut plan = Plan::new(&graph, past(Kept::Stored));
        assert_eq!((plan.unmet().len(), plan.next_needed()), (0, Some(1)));
        plan.lost(1);
        plan.lost(1);
        assert_eq!(
            (executing(&plan), plan.unmet()),
            (vec![2, 3], &[(1, 2)][..])
        );
        let plan = Plan::new(&graph, past(Kept::Nothing));
        assert_eq!((executing(&plan), plan.unmet().len()), (vec![2, 3], 0));
    }

    /// Computes the set again by looking at every edge until nothing changes.
    fn least_closed(graph: &Graph, past: &[Past], damaged: &[bool]) -> Vec<NodeIndex> {
        let mut set: BTreeSet<_> = graph.node_indexes().collect();
        set.retain(|node_index| past[usize::from(*node_index)] == Past::Never);
        loop {
            let mut grown = set.clone();
            for node_index in &set {
                let lost = graph.upstream(*node_index).iter().filter(|up| {
                    let up = usize::from(**up);
                    past[up] == made(Kept::Lost) || (past[up] == made(Kept::Stored) && damaged[up])
                });
                grown.extend(lost);
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
        let outputs = [Kept::Nothing, Kept::Stored, Kept::Stored, Kept::Lost];
        let mut any_past = || match random.below(5) {
            0 => Past::Never,
            kind => Past::Succeeded {
                output: outputs[random.below(4)],
                is_sink: kind == 1,
            },
        };
        let past: Vec<_> = graph.node_indexes().map(|_| any_past()).collect();
        let damaged: Vec<_> = past.iter().map(|_| random.one_in(2)).collect();

        let mut plan = Plan::new(&graph, past.clone());
        let mut asked = BTreeSet::new();
        while let Some(node_index) = plan.next_needed() {
            assert!(asked.insert(node_index), "{node_index} was asked for twice");
            if damaged[usize::from(node_index)] {
                plan.lost(node_index);
            }
        }

        let expected = least_closed(&graph, &past, &damaged);
        assert_eq!(executing(&plan), expected);
        let needed: BTreeSet<(NodeIndex, NodeIndex)> = expected
            .iter()
            .flat_map(|node_index| {
                graph
                    .upstream(*node_index)
                    .iter()
                    .map(move |up| (*up, *node_index))
            })
            .collect();
        let mut stored: BTreeSet<_> = needed.iter().map(|(up, _)| *up).collect();
        stored.retain(|up| {
            [made(Kept::Stored), written(Kept::Stored)].contains(&past[usize::from(*up)])
        });
        assert_eq!(asked, stored, "exactly the stored outputs that are needed");
        let mut unmet = needed;
        unmet.retain(|(up, _)| {
            let up = usize::from(*up);
            past[up] == written(Kept::Lost) || (past[up] == written(Kept::Stored) && damaged[up])
        });
        assert_eq!(plan.unmet().len(), unmet.len());
        assert_eq!(plan.unmet().iter().copied().collect::<BTreeSet<_>>(), unmet);
    }

    #[test]
    fn the_set_is_closed_and_minimal() {
        for seed in 0..10_000 {
            std::panic::catch_unwind(|| check(seed))
                .unwrap_or_else(|_| panic!("seed {seed} differs"));
        }
    }
}
