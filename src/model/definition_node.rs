//! A node of a pipeline definition: its type and its config.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A node of a pipeline definition.
///
/// ```
/// use floret::{Node, Pipeline};
///
/// let load = Node::new("load", "http_get")
///     .name("Load the orders")
///     .config("url", "https://example.org/orders?date=${run.date}");
/// let daily = Pipeline::new("daily").with(load);
/// assert_eq!(daily.nodes[0].kind, "http_get");
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
#[non_exhaustive]
pub struct Node {
    /// The id, unique within the pipeline. Has the format of a [`NodeId`](super::NodeId).
    pub id: String,
    /// The node type: the name under which the host registered its executor. 1 to 128 characters.
    #[serde(rename = "type")]
    pub kind: String,
    /// The display name, 1 to 255 characters. The id by default.
    pub name: String,
    /// The configuration for the executor. Its strings may contain templates such as `${param.x}`.
    pub config: Map<String, Value>,
    /// Fields that Floret does not know. It keeps them unchanged.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Node {
    /// Creates a node without config. Its name is its id.
    #[must_use]
    pub fn new(id: impl Into<String>, kind: impl Into<String>) -> Self {
        let id = id.into();
        Self {
            name: id.clone(),
            id,
            kind: kind.into(),
            ..Self::default()
        }
    }

    /// Sets a key of the config.
    #[must_use]
    pub fn config(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.config.insert(key.into(), value.into());
        self
    }

    /// Sets the display name.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
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
