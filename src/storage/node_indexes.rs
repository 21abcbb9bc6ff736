//! The map between the nodes of a definition and their indexes.
//!
//! A backend needs nothing else of a graph. `graph` builds the graph itself, and the engine decides
//! when a node may start.

use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::model::{NodeId, NodeIndex, Pipeline};

/// The nodes of a definition by [`NodeIndex`].
///
/// ```
/// # fn main() -> floret::Result<()> {
/// let daily = floret::Pipeline::new("daily");
/// let daily = daily.node("load", "load").node("save", "save").after("load");
/// let node_indexes = floret::storage::NodeIndexes::new(&daily)?;
/// assert_eq!(node_indexes.id(1)?.as_str(), "save");
/// assert_eq!(node_indexes.find("load"), Some(0));
/// assert!(node_indexes.is_last(1) && !node_indexes.is_last(0));
/// assert!(!node_indexes.keeps_output(0));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct NodeIndexes(Graph);

impl NodeIndexes {
    /// Indexes the nodes of a definition that was accepted and saved.
    ///
    /// # Errors
    /// `Invalid`, with every problem, if its edges form no graph.
    pub fn new(definition: &Pipeline) -> Result<Self> {
        Graph::new(definition).map(Self)
    }

    /// Returns the id of a node.
    ///
    /// # Errors
    /// `Internal` if the definition has no node with this index.
    pub fn id(&self, node_index: NodeIndex) -> Result<&NodeId> {
        let missing = || {
            Error::internal(format!(
                "the definition has no node with index {node_index}"
            ))
        };
        self.0.id(node_index).ok_or_else(missing)
    }

    /// Returns the index of a node, or `None` if the definition has no node with this id.
    #[must_use]
    pub fn find(&self, node: &str) -> Option<NodeIndex> {
        self.0.node_index(node)
    }

    /// Returns whether a run that succeeds keeps the output of a node, last or not and
    /// whatever its size ([`Node::keep_output`](crate::Node::keep_output)).
    #[must_use]
    pub fn keeps_output(&self, node_index: NodeIndex) -> bool {
        self.0.keeps_output(node_index)
    }

    /// Returns whether a node has no downstream node, in which case its output is a result of the
    /// run.
    #[must_use]
    pub fn is_last(&self, node_index: NodeIndex) -> bool {
        self.0.is_leaf(node_index)
    }
}
