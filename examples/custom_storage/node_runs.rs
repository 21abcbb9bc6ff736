//! The nodes of the newest runs of a pipeline.

use std::sync::Arc;

use async_trait::async_trait;
use floret::storage::{NewestRuns, NodeRuns, PastNodeRun, RunNodes};
use floret::{NodeId, NodeRun, Profile, Result};

use crate::audited::AuditedStorage;
use crate::rows::{Rows, RunRow};

#[async_trait]
impl NodeRuns for AuditedStorage {
    async fn list_run_nodes(&self, runs: NewestRuns) -> Result<Vec<RunNodes>> {
        self.read(|rows| {
            let newest = newest_runs(rows, &runs);
            newest.map(|row| run_nodes(rows, row)).collect()
        })?
    }

    async fn list_past_node_runs(
        &self,
        runs: NewestRuns,
        node: &NodeId,
    ) -> Result<Vec<PastNodeRun>> {
        self.read(|rows| {
            let newest = newest_runs(rows, &runs);
            let found = newest.map(|row| past_node_run(rows, row, node));
            found.filter_map(Result::transpose).collect()
        })?
    }
}

fn newest_runs<'a>(rows: &'a Rows, runs: &NewestRuns) -> impl Iterator<Item = &'a RunRow> {
    let of_pipeline = |row: &&RunRow| row.run.qualified_pipeline() == runs.pipeline;
    let limit = usize::try_from(runs.limit).unwrap_or(usize::MAX);
    rows.runs.values().rev().filter(of_pipeline).take(limit)
}

/// Returns a node of a run, or `None` if its definition does not have the node.
fn past_node_run(rows: &Rows, row: &RunRow, node: &NodeId) -> Result<Option<PastNodeRun>> {
    let Some(node_index) = rows.node_indexes(&row.run)?.find(node.as_str()) else {
        return Ok(None);
    };
    let stored = rows.nodes(row).into_iter();
    let stored = stored
        .filter(|stored| stored.node_index == node_index)
        .last();
    let (run, status) = (row.run.id, row.run.status.unstarted_node());
    let unstarted = || NodeRun::unstarted(run, node.clone(), node_index, status);
    let mut found = PastNodeRun::new(run, stored.unwrap_or_else(unstarted));
    let profile = row
        .nodes
        .get(&node_index)
        .and_then(|row| row.profile.as_ref());
    found.null_pct = profile.and_then(Profile::null_pct);
    Ok(Some(found))
}

fn run_nodes(rows: &Rows, row: &RunRow) -> Result<RunNodes> {
    let definition = rows.detail(row)?.definition;
    let indexes = rows.node_indexes(&row.run)?;
    let count = definition.nodes.len();
    let ids = (0..).take(count).map(|index| indexes.id(index).cloned());
    let ids: Arc<[NodeId]> = ids.collect::<Result<_>>()?;
    let mut found = RunNodes::new(&row.run, ids);
    for (node_index, node) in &row.nodes {
        found.statuses[usize::from(*node_index)] = node.node.status;
    }
    Ok(found)
}
