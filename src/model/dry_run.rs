//! The result of a dry run: the first rows of each node. Nothing of it is stored.
//!
//! `engine/dry_run` executes the nodes.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

use super::{NodeId, NodeStatus};

/// The result of a dry run.
///
/// As JSON it is an object that maps the id of each node to its [`DryRunNode`], in topological
/// order.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use floret::{Pipeline, executor::Ctx, testing::memory};
/// # async fn load(_: Ctx) -> Result<Vec<serde_json::Value>, std::io::Error> {
/// #     Ok(vec![serde_json::json!({"id": 7})])
/// # }
/// # let daily = Pipeline::new("daily").node("load", "load");
/// # let floret = memory().node("load", load).pipeline(daily).start().await?;
/// use floret::NodeStatus;
///
/// let result = floret.dry_run("daily").await?;
/// for node in &result.nodes {
///     println!("{}: {:?}, {} rows", node.node_id, node.status, node.rows.len());
/// }
/// assert!(result.nodes.iter().all(|node| node.status == NodeStatus::Success));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct DryRun {
    /// Every node of the pipeline, in topological order.
    pub nodes: Vec<DryRunNode>,
}

/// The result of one node of a dry run.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use floret::{Pipeline, executor::Ctx, testing::memory};
/// # async fn load(_: Ctx) -> Result<Vec<serde_json::Value>, std::io::Error> {
/// #     Ok(vec![serde_json::json!({"id": 7})])
/// # }
/// # let daily = Pipeline::new("daily").node("load", "load");
/// # let floret = memory().node("load", load).pipeline(daily).start().await?;
/// let result = floret.dry_run("daily").await?;
/// let load = result.node("load").expect("the pipeline has the node");
/// assert_eq!(load.columns, ["id"]);
/// assert_eq!(load.rows[0]["id"], 7);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct DryRunNode {
    /// The id of the node.
    pub node_id: NodeId,
    /// The display name of the node.
    pub name: String,
    /// `success`, `failed` or `skipped`. A sink is skipped, and so is each node downstream of a
    /// sink or of a failed node, or to which no edge is taken.
    pub status: NodeStatus,
    /// The column names, in order.
    pub columns: Vec<String>,
    /// The first rows of the node's output. For a sink, the first rows that it would have received.
    ///
    /// Each cell is truncated to `Limits::preview_cell_bytes_max` bytes.
    pub rows: Vec<Map<String, Value>>,
    /// The branch that the node takes, if it takes one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<bool>,
    /// Whether rows, columns or parts of cells are left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
    /// The error message of a failed node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The first warnings that the node has logged, for example that the types of its columns come
    /// from a few rows only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl DryRun {
    /// Returns the node with this id.
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

#[cfg(test)]
schema_of! { DryRun => std::collections::BTreeMap<String, DryRunNode> }

impl DryRunNode {
    /// Creates a result without columns and rows.
    #[must_use]
    pub const fn new(node_id: NodeId, name: String, status: NodeStatus) -> Self {
        Self {
            node_id,
            name,
            status,
            columns: Vec::new(),
            rows: Vec::new(),
            branch: None,
            truncated: false,
            error: None,
            warnings: Vec::new(),
        }
    }
}
