//! The whole output of a node, as long as it is stored.
//!
//! Its first rows are served by `preview`, its statistics by `profile`. `missing_output` says why
//! an output is not stored.

use sha2::{Digest, Sha256};

use super::Views;
use crate::error::{Error, Problem, Result, quote};
use crate::graph::Graph;
use crate::model::{Dataset, NodeIndex, RunId, Scope};
use crate::storage::RunDetail;

impl Views {
    /// Returns the output of a node of a run.
    ///
    /// # Errors
    /// `NotFound` (`run-not-found`, `node-not-found`); `OutputDropped`, with the reason, if there
    /// is no output, or if it was never stored, was dropped or is damaged; `Unavailable`.
    pub(crate) async fn output(&self, run: RunId, node: &str, scope: &Scope) -> Result<Dataset> {
        let node_index = node_index(&self.detail(run, scope).await?, node)?;
        let stored = self.storage.find_output(run, node_index, scope).await?;
        let Some(stored) = stored else {
            let why = self.why_not_stored(run, node_index, scope).await?;
            return Err(output_dropped(node, &why));
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

fn node_index(detail: &RunDetail, node: &str) -> Result<NodeIndex> {
    let found = Graph::new(&detail.definition)?.node_index(node);
    found.ok_or_else(|| {
        let run = detail.run.id;
        let message = format!("run {run} has no node {}", quote(node));
        Error::new(Problem::NodeNotFound, message)
    })
}

fn output_dropped(node: &str, why: &str) -> Error {
    let message = format!("the output of node {} {why}", quote(node));
    Error::new(Problem::OutputDropped, message)
}
