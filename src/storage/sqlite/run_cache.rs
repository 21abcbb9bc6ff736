//! What a driven run is kept with in memory, read from its rows.
//!
//! Whose it is, is left to `claim`; what is appended to it, to `journal`.

use std::collections::BTreeMap;

use super::rows::{NODE, NODE_FROM, RUN, RUN_FROM, read_node, read_run};
use super::state::CachedRun;
use super::store_error::StoreError;
use super::tx::Tx;
use super::values::{id, node_keys};
use crate::error::Result;
use crate::model::{NodeRun, RunId};

impl Tx {
    /// What a run that nobody claimed yet is driven by.
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

    /// The key of a run that is running under this epoch, and what it is driven by; read from its
    /// rows once after the memory was read again.
    pub(super) fn cached(
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
            let (read, _) = self.load_running_run(run)?;
            if let Some(active) = self.state.running.get_mut(&run) {
                active.cached = Some(read);
            }
        }
        let active = self.state.running.get_mut(&run);
        let cached = active.and_then(|active| active.cached.as_deref_mut());
        Ok(cached.map(|cached| (key, cached)))
    }

    /// What a running run is driven by, with its nodes.
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
            read_node(node, &row.run, &definition)
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
