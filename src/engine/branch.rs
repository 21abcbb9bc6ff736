//! Checks that a node has taken a branch, if an edge from it has a condition.
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

/// Returns the branch and the dataset of an output. The branch of an earlier execution stands: what
/// it led to has begun.
///
/// # Errors
/// A permanent error if an edge from the node has a condition and the node took no branch.
pub(super) fn split(
    graph: &Graph,
    node_index: NodeIndex,
    earlier: Option<bool>,
    output: Output,
) -> Result<Returned, ExecutorError> {
    let (own, dataset) = output.into_parts();
    let branch = earlier.or(own);
    if branch.is_none() && graph.has_conditions(node_index) {
        return Err(ExecutorError::permanent(
            "the node took no branch, although an edge from it has a condition: a function must return a Branch, and a command needs false_exit_code in its config",
        ));
    }
    Ok(Returned { branch, dataset })
}
