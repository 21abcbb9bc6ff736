//! Which node is at which place: what a backend must know of a graph to name nodes in rows and
//! events.
//!
//! The graph itself, and what of it may run when, is left to `graph` and the engine.

use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::model::{NodeId, NodeIndex, Pipeline};

/// The nodes of a definition by their places.
///
/// ```
/// # fn main() -> floret::Result<()> {
/// let daily = floret::Pipeline::new("daily").node("load", "load").node("save", "save").after("load");
/// let node_indexes = floret::storage::NodeIndexes::of(&daily)?;
/// assert_eq!(node_indexes.id(1)?.as_str(), "save");
/// assert_eq!(node_indexes.find("load"), Some(0));
/// assert!(node_indexes.is_last(1) && !node_indexes.is_last(0));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct NodeIndexes(Graph);

impl NodeIndexes {
    /// The places of a definition that was saved, and so accepted, before.
    ///
    /// # Errors
    /// `Invalid` with every problem when its edges make no graph.
    pub fn of(definition: &Pipeline) -> Result<Self> {
        Graph::new(definition).map(Self)
    }

    /// The node at a place.
    ///
    /// # Errors
    /// `Internal` when the definition has no such place.
    pub fn id(&self, node_index: NodeIndex) -> Result<&NodeId> {
        let missing =
            || Error::internal(format!("the definition has no node at place {node_index}"));
        self.0.id(node_index).ok_or_else(missing)
    }

    /// Where the node of this id is.
    #[must_use]
    pub fn find(&self, node: &str) -> Option<NodeIndex> {
        self.0.node_index(node)
    }

    /// Whether no node waits for the one at this place, so that its output is a result of the run.
    #[must_use]
    pub fn is_last(&self, node_index: NodeIndex) -> bool {
        self.0.is_leaf(node_index)
    }
}
