//! The nodes of the newest runs of a pipeline.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;

use super::MemoryStorage;
use super::rows::RunRow;
use super::state::State;
use crate::error::Result;
use crate::model::{NodeId, NodeRun, Profile};
use crate::storage::{NewestRuns, NodeRuns, PastNodeRun, RunFilter, RunNodes};

impl State {
    /// Returns the newest runs of a pipeline, the greatest id first.
    fn newest_runs(&self, runs: &NewestRuns) -> Vec<&RunRow> {
        let filter = RunFilter {
            scope: runs.pipeline.scope(),
            pipeline: Some(runs.pipeline.id.clone()),
            ..RunFilter::default()
        };
        let newest = self.filtered(&filter, None).take(runs.limit as usize);
        newest.filter_map(|run| self.runs.get(&run.id)).collect()
    }

    fn list_run_nodes(&self, runs: &NewestRuns) -> Vec<RunNodes> {
        let mut shared: HashMap<u32, Arc<[NodeId]>> = HashMap::new();
        let newest = self.newest_runs(runs).into_iter();
        newest
            .map(|row| {
                let version = row.run.pipeline_version;
                let nodes = shared.entry(version).or_insert_with(|| row.node_ids());
                let mut found = RunNodes::new(&row.run, Arc::clone(nodes));
                for (node_index, node) in &row.nodes {
                    if let Some(status) = found.statuses.get_mut(usize::from(*node_index)) {
                        *status = node.node.status;
                    }
                }
                found
            })
            .collect()
    }

    fn list_past_node_runs(&self, runs: &NewestRuns, node: &NodeId) -> Vec<PastNodeRun> {
        let newest = self.newest_runs(runs).into_iter();
        newest.filter_map(|row| row.past_node_run(node)).collect()
    }
}

impl RunRow {
    fn past_node_run(&self, node: &NodeId) -> Option<PastNodeRun> {
        let node_index = self.version.graph.node_index(node.as_str())?;
        let Some(own) = self.nodes.get(&node_index) else {
            let (run, status) = (self.run.id, self.run.status.unstarted_node());
            let unstarted = NodeRun::unstarted(run, node.clone(), node_index, status);
            return Some(PastNodeRun::new(run, unstarted));
        };
        let output = self.outputs.get(&node_index);
        let mut found = PastNodeRun::new(self.run.id, own.node.clone());
        found.node.output_hash = output.map(|held| held.output.hash);
        found.null_pct = own.profile.as_ref().and_then(Profile::null_pct);
        Some(found)
    }

    /// Returns the nodes of the definition by their indexes.
    fn node_ids(&self) -> Arc<[NodeId]> {
        let graph = &self.version.graph;
        let ids = graph.node_indexes().filter_map(|index| graph.id(index));
        ids.cloned().collect()
    }
}

#[async_trait]
impl NodeRuns for MemoryStorage {
    async fn list_run_nodes(&self, runs: NewestRuns) -> Result<Vec<RunNodes>> {
        Ok(self.state()?.list_run_nodes(&runs))
    }

    async fn list_past_node_runs(
        &self,
        runs: NewestRuns,
        node: &NodeId,
    ) -> Result<Vec<PastNodeRun>> {
        Ok(self.state()?.list_past_node_runs(&runs, node))
    }
}
