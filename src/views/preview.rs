//! The first rows of a node's output as callers see them.
//!
//! They were cut when the node finished.

use serde::Serialize;

use super::Views;
use crate::error::{Problem, Result};
use crate::model::{NodeId, Preview, RunId, Scope};

/// The first rows of a node's output.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct NodePreview {
    /// The node.
    pub node_id: NodeId,
    /// The rows.
    #[serde(flatten)]
    pub preview: Preview,
}

impl Views {
    /// Returns the first rows of a node's output.
    ///
    /// # Errors
    /// `NotFound` (`run-not-found`; `node-not-found`; `preview-not-found` if the node has not
    /// succeeded or has no output); `Unavailable`.
    pub(crate) async fn preview(
        &self,
        run: RunId,
        node: NodeId,
        scope: &Scope,
    ) -> Result<NodePreview> {
        match self.storage.find_preview(run, &node, scope).await? {
            Some(preview) => Ok(NodePreview {
                node_id: node,
                preview,
            }),
            None => Err(self
                .explain_missing(run, &node, scope, Problem::PreviewNotFound)
                .await),
        }
    }
}
