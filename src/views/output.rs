//! The whole output of a node, as long as it is stored.
//!
//! Its first rows are served by `preview`, its statistics by `profile`.

use sha2::{Digest, Sha256};

use super::Views;
use crate::error::{Error, Problem, Result};
use crate::graph::Graph;
use crate::model::{Dataset, RunId, Scope};

impl Views {
    /// Returns the output of a node of a run.
    ///
    /// # Errors
    /// `NotFound` (`run-not-found`, `node-not-found`); `OutputDropped` if the output was never
    /// stored, was dropped, or is damaged; `Unavailable`.
    pub(crate) async fn output(&self, run: RunId, node: &str, scope: &Scope) -> Result<Dataset> {
        let detail = self.detail(run, scope).await?;
        let node_index = Graph::new(&detail.definition)?.node_index(node);
        let Some(node_index) = node_index else {
            return Err(Error::new(
                Problem::NodeNotFound,
                format!("run {run} has no node {}", crate::error::quote(node)),
            ));
        };
        let stored = self.storage.find_output(run, node_index, scope).await?;
        let Some(stored) = stored else {
            return Err(output_dropped(
                node,
                "is not stored: the node has no output, has not succeeded, its output was too large or contained a secret, or it was dropped when the run succeeded",
            ));
        };
        let decoded = self.compute.run(move || {
            let hash: [u8; 32] = Sha256::digest(&stored.bytes).into();
            if hash == stored.hash {
                Dataset::decode(&stored.bytes).map(Some)
            } else {
                Ok(None)
            }
        });
        let decoded = decoded.await.map_err(|error| {
            Error::internal("the output could not be decoded").with_source(error)
        })?;
        decoded?.ok_or_else(|| output_dropped(node, "was damaged in storage"))
    }
}

fn output_dropped(node: &str, why: &str) -> Error {
    Error::new(
        Problem::OutputDropped,
        format!("the output of node {} {why}", crate::error::quote(node)),
    )
}
