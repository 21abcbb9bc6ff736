//! The output of a node that takes a branch.
//!
//! `graph/frontier` decides what follows from it.

use super::{ExecutorError, IntoOutput, Output};
use crate::limits::DatasetLimits;

/// The branch that a node takes, with its output.
///
/// An edge from the node is taken unless its condition is the other branch. A node to which no edge
/// is taken is skipped, which is no failure. Every other node runs on the edges that are taken.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> floret::Result<()> {
/// use floret::executor::{Branch, Ctx, ExecutorError};
/// use floret::{NodeStatus, Pipeline, testing::{memory, run_to_end}};
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Order { total: u64 }
///
/// async fn load(_: Ctx) -> Result<Vec<Order>, ExecutorError> {
///     Ok(vec![Order { total: 7 }])
/// }
/// async fn check(_: Ctx, orders: Vec<Order>) -> Result<Branch<Vec<Order>>, ExecutorError> {
///     Ok(Branch::new(orders.len() > 100).with(orders))
/// }
/// async fn save(_: Ctx, _: Vec<Order>) -> Result<(), ExecutorError> { Ok(()) }
/// async fn alert(_: Ctx, _: Vec<Order>) -> Result<(), ExecutorError> { Ok(()) }
///
/// let daily = Pipeline::new("daily")
///     .node("load", "load")
///     .node("check", "check").after("load")
///     .node("save", "save").after_if("check", true)
///     .node("alert", "alert").after_if("check", false);
/// let builder = memory().node("load", load).node("check", check).node("save", save);
/// let finished = run_to_end(builder.node("alert", alert), daily).await?;
/// let skipped = finished.detail.nodes.iter().find(|node| node.node_id.as_str() == "save");
/// assert_eq!(skipped.map(|node| node.status), Some(NodeStatus::Skipped));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Branch<T = ()> {
    taken: bool,
    output: T,
}

impl Branch {
    /// Takes this branch, without rows.
    #[must_use]
    pub const fn new(taken: bool) -> Self {
        Self { taken, output: () }
    }
}

impl<T> Branch<T> {
    /// Returns the branch.
    #[must_use]
    pub const fn taken(&self) -> bool {
        self.taken
    }

    /// Sets the output, which goes along the edges that are taken.
    #[must_use]
    pub fn with<U>(self, output: U) -> Branch<U> {
        Branch {
            taken: self.taken,
            output,
        }
    }
}

impl<T: IntoOutput> IntoOutput for Branch<T> {
    fn into_output(self, limits: DatasetLimits) -> Result<Output, ExecutorError> {
        let (inner, dataset) = self.output.into_output(limits)?.into_parts();
        if inner.is_some() {
            let message = "a branch cannot have another branch as its output";
            return Err(ExecutorError::permanent(message));
        }
        Ok(Output::Branch {
            taken: self.taken,
            dataset,
        })
    }

    fn row_count(&self) -> usize {
        self.output.row_count()
    }
}
