//! Checks that a node has decided on a branch, if an edge from it has a condition.
//!
//! `graph/frontier` decides what follows from the branch.

use crate::executor::{ExecutorError, Output};
use crate::graph::Graph;
use crate::model::{Dataset, NodeIndex};

/// What a node has returned.
pub(super) struct Returned {
    pub(super) branch: Option<bool>,
    pub(super) dataset: Option<Dataset>,
}

/// Returns the branch and the dataset of an output.
///
/// # Errors
/// A permanent error if an edge from the node has a condition and the node took no branch.
pub(super) fn split(
    graph: &Graph,
    node_index: NodeIndex,
    output: Output,
) -> Result<Returned, ExecutorError> {
    let (branch, dataset) = output.into_parts();
    if branch.is_none() && graph.must_decide(node_index) {
        return Err(ExecutorError::permanent(
            "the node took no branch, although an edge from it has a condition: it must return a Branch",
        ));
    }
    Ok(Returned { branch, dataset })
}
