//! The nodes of a graph: who waits for whom, and the proof that each executed once, after all of
//! its upstreams.

use std::sync::atomic::{AtomicBool, Ordering};

/// The nodes of a graph.
pub(super) const NODES: usize = 1_000;

/// The nodes of a layer. dagx lets a node wait for at most eight others.
pub(super) const WIDTH: usize = 8;

/// Who waits for whom.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// Each node waits for the one before it.
    Chain,
    /// All nodes wait for the first one.
    Fan,
    /// Each node waits for all eight nodes of the layer above.
    Layered,
}

/// The nodes of one execution.
#[derive(Debug)]
pub(super) struct Nodes {
    pub(super) shape: Shape,
    executed: Box<[AtomicBool]>,
}

impl Nodes {
    pub(super) fn new(shape: Shape) -> Self {
        Self {
            shape,
            executed: std::iter::repeat_with(AtomicBool::default)
                .take(NODES)
                .collect(),
        }
    }

    /// Returns the upstreams of a node.
    pub(super) fn upstreams(&self, node: usize) -> std::ops::Range<usize> {
        match self.shape {
            _ if node == 0 => 0..0,
            Shape::Chain => node - 1..node,
            Shape::Fan => 0..1,
            Shape::Layered if node < WIDTH => 0..0,
            Shape::Layered => {
                let above = (node / WIDTH - 1) * WIDTH;
                above..above + WIDTH
            }
        }
    }

    /// The node itself. Panics if an upstream has not executed, or the node has.
    pub(super) fn execute(&self, node: usize) {
        for upstream in self.upstreams(node) {
            let is_executed = self.executed[upstream].load(Ordering::Acquire);
            assert!(is_executed, "node {node} before node {upstream}");
        }
        let is_repeated = self.executed[node].swap(true, Ordering::AcqRel);
        assert!(!is_repeated, "node {node} executes again");
    }

    /// Panics unless all nodes have executed.
    pub(super) fn check(&self) {
        let mut executed = self.executed.iter();
        assert!(
            executed.all(|it| it.load(Ordering::Acquire)),
            "a node is left out"
        );
    }
}
