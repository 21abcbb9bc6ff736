//! What a dry run found: the first rows of each node, nothing of which is stored.
//!
//! Executing the nodes is left to `engine`.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

use super::{NodeId, NodeStatus};

/// What came of each node of a dry run. As JSON it is a map from the nodes' ids, in topological
/// order.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct DryRun {
    /// Every node of the pipeline, in topological order.
    pub nodes: Vec<DryRunNode>,
}

/// What came of one node of a dry run.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct DryRunNode {
    /// The node.
    pub node_id: NodeId,
    /// Its name.
    pub name: String,
    /// `success`, `failed`, or `skipped`: a sink, or a node below a sink or a failed node.
    pub status: NodeStatus,
    /// The columns of the rows.
    pub columns: Vec<String>,
    /// The first rows that it handed on, or that a sink would have received; each cell is cut at
    /// `Limits::preview_cell_bytes_max`.
    pub rows: Vec<Map<String, Value>>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl DryRun {
    /// The node with this id.
    #[must_use]
    pub fn node(&self, id: &str) -> Option<&DryRunNode> {
        self.nodes.iter().find(|node| node.node_id.as_str() == id)
    }
}

impl Serialize for DryRun {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.nodes.len()))?;
        for node in &self.nodes {
            map.serialize_entry(&node.node_id, node)?;
        }
        map.end()
    }
}

impl DryRunNode {
    /// A node that ended so without rows.
    #[must_use]
    pub const fn new(node_id: NodeId, name: String, status: NodeStatus) -> Self {
        Self {
            node_id,
            name,
            status,
            columns: Vec::new(),
            rows: Vec::new(),
            error: None,
        }
    }
}
