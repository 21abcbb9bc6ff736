//! The first rows of a node's output as readers get them.
//!
//! They were cut when the node ended; nothing is cut here.

use serde::Serialize;

use super::Views;
use crate::error::Result;
use crate::model::{NodeId, Preview, RunId, Scope};

/// A preview with the node it belongs to.
#[derive(Debug, Serialize)]
pub(crate) struct PreviewView {
    node_id: NodeId,
    #[serde(flatten)]
    preview: Preview,
}

impl Views {
    /// The first rows of what the node handed on.
    ///
    /// # Errors
    /// `NotFound` (`run-not-found`, `node-not-found`; `preview-not-found` where it has not succeeded or handed on nothing); `Unavailable`.
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
                .explain_missing(run, &node, scope, "preview-not-found")
                .await),
        }
    }
}
