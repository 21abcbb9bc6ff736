//! Random graphs and choices for tests. The same seed gives the same values.
//!
//! The tests of `frontier`, `plan` and `reuse` say what must hold.

use super::Graph;
use crate::model::{Edge, NodeIndex, Pipeline};

/// The generator `SplitMix64` (Steele, Lea and Flood, 2014).
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number from 0 to `count - 1`.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        let count = u64::try_from(count.max(1)).unwrap();
        usize::try_from(self.next() % count).unwrap()
    }

    pub(crate) fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    /// Returns a sparse or dense graph of 1 to 24 nodes, of which a quarter takes a branch.
    pub(crate) fn graph(&mut self) -> Graph {
        let count = 1 + self.below(24);
        let rarity = 1 + self.below(6);
        let conditional: Vec<_> = (0..count).map(|_| self.one_in(4)).collect();
        let mut pipeline = Pipeline::new("random");
        for to in 0..count {
            pipeline = pipeline.node(format!("n{to}"), "x");
            for (from, has_condition) in conditional.iter().enumerate().take(to) {
                if self.one_in(rarity) {
                    let mut edge = Edge::new(format!("n{from}"), format!("n{to}"));
                    edge.condition = has_condition.then(|| self.one_in(2));
                    pipeline = pipeline.with_edge(edge);
                }
            }
        }
        Graph::new(&pipeline).unwrap()
    }

    /// Removes one of the node indexes from the list and returns it.
    pub(crate) fn pick(&mut self, node_indexes: &mut Vec<NodeIndex>) -> Option<NodeIndex> {
        (!node_indexes.is_empty()).then(|| node_indexes.swap_remove(self.below(node_indexes.len())))
    }
}
