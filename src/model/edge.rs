//! An edge between two nodes of a definition.
//!
//! `condition` reads its condition, and `graph` checks that the edges form a valid graph.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::condition;

/// An edge of a pipeline definition: the output of `from` is an input of `to`.
///
/// ```
/// use floret::{Edge, Pipeline};
///
/// let daily = Pipeline::new("daily")
///     .node("load", "load")
///     .node("sum", "sum")
///     .edge("load", "sum");
/// assert_eq!(daily.edges, [Edge::new("load", "sum")]);
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
#[non_exhaustive]
pub struct Edge {
    /// The id of the upstream node.
    pub from: String,
    /// The id of the downstream node.
    pub to: String,
    /// The branch that `from` must take for this edge, or `None` if every branch takes it.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "condition::deserialize"
    )]
    pub condition: Option<bool>,
    /// Fields that Floret does not know. It keeps them unchanged.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Edge {
    /// Creates an edge from one node to another.
    #[must_use]
    pub fn new(from: impl Into<String>, to: impl Into<String>) -> Self {
        Self {
            from: from.into(),
            to: to.into(),
            condition: None,
            extra: Map::new(),
        }
    }

    /// Makes the edge one of those that are taken only if the upstream takes this branch.
    #[must_use]
    pub const fn condition(mut self, branch: bool) -> Self {
        self.condition = Some(branch);
        self
    }

    /// Sets a field that Floret does not know, and keeps unchanged. A save refuses the name of a
    /// field that Floret knows.
    #[must_use]
    pub fn extra(mut self, field: impl Into<String>, value: impl Into<Value>) -> Self {
        self.extra.insert(field.into(), value.into());
        self
    }
}
