//! The first rows of a node's output as callers see them.
//!
//! They were cut when the node finished.

use serde::Serialize;

use super::Views;
use crate::error::{Problem, Result};
use crate::model::{NodeId, Preview, RunId, Scope};

/// A preview and its node.
#[derive(Debug, Serialize)]
pub(crate) struct PreviewView {
    node_id: NodeId,
    #[serde(flatten)]
    preview: Preview,
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
    ) -> Result<PreviewView> {
        match self.storage.find_preview(run, &node, scope).await? {
            Some(preview) => Ok(PreviewView {
                node_id: node,
                preview,
            }),
            None => Err(self
                .explain_missing(run, &node, scope, Problem::PreviewNotFound)
                .await),
        }
    }
}
