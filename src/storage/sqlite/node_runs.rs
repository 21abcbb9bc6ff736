//! Reads the nodes of the newest runs of a pipeline.
//!
//! `runs` reads a single run, and `nodes` writes the rows.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rusqlite::{Row, params};

use super::SqliteStorage;
use super::definitions::Definition;
use super::reader::Reader;
use super::rows::{NODE, NODE_FROM, read_node};
use super::store_error::StoreError;
use super::values::{
    NODE_INDEX_BITS, node_index, node_key, optional_time, run_id, run_of_node, time,
    to_node_status, to_run_status, to_u32,
};
use crate::error::Result;
use crate::model::{NodeId, NodeIndex, NodeRun, NodeStatus, Profile, RunId, RunStatus};
use crate::storage::{NewestRuns, NodeRuns, PastNodeRun, RunNodes};

#[async_trait]
impl NodeRuns for SqliteStorage {
    async fn list_run_nodes(&self, runs: NewestRuns) -> Result<Vec<RunNodes>> {
        self.read(move |reader| reader.snapshot(|reader| reader.run_nodes(&runs)))
            .await
    }

    async fn list_past_node_runs(
        &self,
        runs: NewestRuns,
        node: &NodeId,
    ) -> Result<Vec<PastNodeRun>> {
        let node = node.clone();
        self.read(move |reader| reader.snapshot(|reader| reader.past_node_runs(&runs, &node)))
            .await
    }
}

/// A run, and the keys of its row, its definition and its version.
struct NewestRun {
    key: i64,
    definition: i64,
    version: u32,
    run: RunId,
    status: RunStatus,
    created_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
}

/// The statuses of the nodes that have a row, by the key of their run. A run with a row that
/// cannot be read has none.
type Statuses = HashMap<i64, Option<Vec<(NodeIndex, NodeStatus)>>>;

impl Reader {
    fn run_nodes(&self, runs: &NewestRuns) -> Result<Vec<RunNodes>, StoreError> {
        let Some(pipeline) = self.key_of_runs(runs)? else {
            return Ok(Vec::new());
        };
        let mut statuses = self.statuses_of_newest(pipeline, runs.limit)?;
        let mut shared: HashMap<i64, Arc<[NodeId]>> = HashMap::new();
        let mut found = Vec::new();
        for run in self.newest_runs(pipeline, runs.limit)? {
            let nodes = match shared.get(&run.definition) {
                Some(nodes) => Arc::clone(nodes),
                None => match self.definition_of(&run)? {
                    None => continue,
                    Some(definition) => Arc::clone(
                        shared
                            .entry(run.definition)
                            .or_insert_with(|| node_ids(&definition)),
                    ),
                },
            };
            let of_run = statuses.remove(&run.key).unwrap_or(Some(Vec::new()));
            found.extend(of_run.and_then(|of_run| run.with_nodes(nodes, of_run)));
        }
        Ok(found)
    }

    fn past_node_runs(
        &self,
        runs: &NewestRuns,
        node: &NodeId,
    ) -> Result<Vec<PastNodeRun>, StoreError> {
        let Some(pipeline) = self.key_of_runs(runs)? else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        for run in self.newest_runs(pipeline, runs.limit)? {
            let Some(definition) = self.definition_of(&run)? else {
                continue;
            };
            if let Some(node_index) = definition.graph.node_index(node.as_str()) {
                found.extend(self.past_node_run(&run, node_index, &definition)?);
            }
        }
        Ok(found)
    }

    /// Returns a node of a run, or `None` if its row cannot be read.
    fn past_node_run(
        &self,
        run: &NewestRun,
        node_index: NodeIndex,
        definition: &Definition,
    ) -> Result<Option<PastNodeRun>, StoreError> {
        let key = node_key(run.key, node_index);
        let sql = format!("SELECT {NODE} FROM {NODE_FROM} WHERE n.key = ?");
        let read = self.row(&sql, [key], |row| {
            read_node(row, run.run, definition, &self.unreadable)
        });
        let Some(node) = self.unreadable.skip("a node", key, read)? else {
            return Ok(None);
        };
        let Some(node) = node else {
            let (id, status) = (definition.node(node_index)?, run.status.unstarted_node());
            let unstarted = NodeRun::unstarted(run.run, id.clone(), node_index, status);
            return Ok(Some(PastNodeRun::new(run.run, unstarted)));
        };
        let profile = self.payload::<Profile>("profiles", key);
        let profile = self.unreadable.skip("a profile", key, profile)?.flatten();
        let mut found = PastNodeRun::new(run.run, node);
        found.null_pct = profile.and_then(|profile| profile.null_pct());
        Ok(Some(found))
    }

    fn key_of_runs(&self, runs: &NewestRuns) -> Result<Option<i64>, StoreError> {
        let NewestRuns { pipeline, limit: _ } = runs;
        let keys = self.pipeline_keys(&pipeline.id, &pipeline.scope())?;
        Ok(keys.one())
    }

    /// Returns the newest runs of a pipeline that can be read, the greatest id first.
    fn newest_runs(&self, pipeline: i64, limit: u32) -> Result<Vec<NewestRun>, StoreError> {
        self.readable_rows(
            "a run of an overview",
            "SELECT r.key, r.definition, d.version, r.id, r.status, r.created_at, r.started_at, r.finished_at \
             FROM runs r CROSS JOIN definitions d ON d.key = r.definition WHERE r.pipeline = ? ORDER BY r.id DESC LIMIT ?",
            params![pipeline, limit],
            read_newest,
        )
    }

    fn definition_of(&self, run: &NewestRun) -> Result<Option<Arc<Definition>>, StoreError> {
        let found = self.definitions.find(&self.conn, run.definition);
        self.unreadable.skip("a definition", run.definition, found)
    }

    /// Reads the statuses of the nodes of all these runs at once.
    fn statuses_of_newest(&self, pipeline: i64, limit: u32) -> Result<Statuses, StoreError> {
        let sql = format!(
            "SELECT n.key, n.status FROM (SELECT key FROM runs WHERE pipeline = ? ORDER BY id DESC LIMIT ?) page \
             CROSS JOIN node_runs n ON n.key >= page.key << {NODE_INDEX_BITS} AND n.key < (page.key + 1) << {NODE_INDEX_BITS}"
        );
        let rows = self.rows(&sql, params![pipeline, limit], |row| {
            let key: i64 = row.get(0)?;
            let status = row.get(1).map_err(StoreError::from);
            let status = status.and_then(to_node_status);
            Ok((key, self.unreadable.skip("a node", key, status)?))
        })?;
        let mut statuses = Statuses::new();
        for (key, status) in rows {
            let of_run = statuses
                .entry(run_of_node(key))
                .or_insert_with(|| Some(Vec::new()));
            match (of_run, status) {
                (Some(of_run), Some(status)) => of_run.push((node_index(key), status)),
                (of_run, _) => *of_run = None,
            }
        }
        Ok(statuses)
    }
}

impl NewestRun {
    /// Returns the run with its nodes, or `None` if one of them is not in the definition.
    fn with_nodes(
        self,
        nodes: Arc<[NodeId]>,
        of_run: Vec<(NodeIndex, NodeStatus)>,
    ) -> Option<RunNodes> {
        let mut statuses = vec![self.status.unstarted_node(); nodes.len()];
        for (node_index, status) in of_run {
            *statuses.get_mut(usize::from(node_index))? = status;
        }
        Some(RunNodes {
            run: self.run,
            version: self.version,
            status: self.status,
            created_at: self.created_at,
            started_at: self.started_at,
            finished_at: self.finished_at,
            nodes,
            statuses,
        })
    }
}

fn read_newest(row: &Row<'_>) -> Result<NewestRun, StoreError> {
    Ok(NewestRun {
        key: row.get(0)?,
        definition: row.get(1)?,
        version: to_u32(row.get(2)?),
        run: run_id(&row.get::<_, Vec<u8>>(3)?)?,
        status: to_run_status(row.get(4)?)?,
        created_at: time(row.get(5)?)?,
        started_at: optional_time(row.get(6)?)?,
        finished_at: optional_time(row.get(7)?)?,
    })
}

/// Returns the nodes of a definition by their indexes.
fn node_ids(definition: &Definition) -> Arc<[NodeId]> {
    let graph = &definition.graph;
    let ids = graph.node_indexes().filter_map(|index| graph.id(index));
    ids.cloned().collect()
}
