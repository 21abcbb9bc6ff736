//! The nodes of the newest runs of a pipeline.

use std::sync::Arc;

use async_trait::async_trait;
use floret::storage::{NewestRuns, NodeRuns, RunNodes};
use floret::{NodeId, Result};

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
}

fn newest_runs<'a>(rows: &'a Rows, runs: &NewestRuns) -> impl Iterator<Item = &'a RunRow> {
    let of_pipeline = |row: &&RunRow| row.run.qualified_pipeline() == runs.pipeline;
    let limit = usize::try_from(runs.limit).unwrap_or(usize::MAX);
    rows.runs.values().rev().filter(of_pipeline).take(limit)
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
