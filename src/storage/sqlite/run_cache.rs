//! Reads the cached state of a running run from its rows.
//!
//! `claim` decides who owns the run, and `journal` appends to it.

use std::collections::BTreeMap;

use super::rows::{NODE, NODE_FROM, RUN, RUN_FROM, read_node, read_run};
use super::state::CachedRun;
use super::store_error::StoreError;
use super::tx::Tx;
use super::values::{id, node_keys};
use crate::error::Result;
use crate::model::{NodeRun, RunId};

impl Tx {
    /// Returns the cached state of a run that was never claimed.
    pub(super) fn load_pending_run(&self, key: i64) -> Result<Box<CachedRun>, StoreError> {
        let sql = format!("SELECT {RUN} FROM {RUN_FROM} WHERE r.key = ?");
        let row = self
            .row(&sql, [key], read_run)?
            .ok_or_else(|| StoreError::unreadable("a run", "it is missing"))?;
        Ok(Box::new(CachedRun {
            definition: self.state.definitions.find(&self.conn, row.definition)?,
            position: 0,
            nodes: BTreeMap::new(),
            has_outputs: !row.run.inherited.is_empty(),
            has_staged: false,
            run: row.run,
        }))
    }

    /// Returns the key and the cached state of a run that executes under this epoch.
    ///
    /// The state is read from the rows if the writer's memory was reloaded.
    pub(super) fn cached_run(
        &mut self,
        run: RunId,
        epoch: u64,
    ) -> Result<Option<(i64, &mut CachedRun)>, StoreError> {
        let active = self.state.running.get(&run);
        let Some(active) = active.filter(|active| active.epoch == epoch) else {
            return Ok(None);
        };
        let key = active.key;
        if active.cached.is_none() {
            let (loaded, _) = self.load_running_run(run)?;
            if let Some(active) = self.state.running.get_mut(&run) {
                active.cached = Some(loaded);
            }
        }
        let active = self.state.running.get_mut(&run);
        let cached = active.and_then(|active| active.cached.as_deref_mut());
        Ok(cached.map(|cached| (key, cached)))
    }

    /// Returns the cached state of a running run, with its nodes.
    pub(super) fn load_running_run(
        &self,
        run: RunId,
    ) -> Result<(Box<CachedRun>, Vec<NodeRun>), StoreError> {
        let sql = format!("SELECT {RUN} FROM {RUN_FROM} WHERE r.id = ?");
        let row = self
            .row(&sql, [id(&run)], read_run)?
            .ok_or_else(|| StoreError::unreadable("a run", "it is missing"))?;
        let definition = self.state.definitions.find(&self.conn, row.definition)?;
        let (first, last) = node_keys(row.key);
        let sql =
            format!("SELECT {NODE} FROM {NODE_FROM} WHERE n.key BETWEEN ? AND ? ORDER BY n.key");
        let nodes = self.rows(&sql, [first, last], |node| {
            read_node(node, row.run.id, &definition, &self.unreadable)
        })?;
        let has_rows = |sql| {
            self.row(sql, [first, last], |_| Ok(()))
                .map(|found| found.is_some())
        };
        let cached = CachedRun {
            definition,
            position: self.position(run)?,
            nodes: nodes
                .iter()
                .map(|node| (node.node_index, node.status))
                .collect(),
            has_outputs: has_rows("SELECT 1 FROM outputs WHERE key BETWEEN ? AND ? LIMIT 1")?,
            has_staged: has_rows("SELECT 1 FROM staged WHERE key BETWEEN ? AND ? LIMIT 1")?,
            run: row.run,
        };
        Ok((Box::new(cached), nodes))
    }
}
