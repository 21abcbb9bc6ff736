//! The nodes of the newest runs of a storage that fails on cue.
//!
//! How a call fails is left to `faulty_storage`.

use async_trait::async_trait;

use super::{FaultyStorage, Method};
use crate::error::Result;
use crate::model::NodeId;
use crate::storage::{NewestRuns, NodeRuns, PastNodeRun, RunNodes};

#[async_trait]
impl NodeRuns for FaultyStorage {
    async fn list_run_nodes(&self, runs: NewestRuns) -> Result<Vec<RunNodes>> {
        self.intercept(Method::ListRunNodes, self.inner.list_run_nodes(runs))
            .await
    }

    async fn list_past_node_runs(
        &self,
        runs: NewestRuns,
        node: &NodeId,
    ) -> Result<Vec<PastNodeRun>> {
        let read = self.inner.list_past_node_runs(runs, node);
        self.intercept(Method::ListPastNodeRuns, read).await
    }
}
