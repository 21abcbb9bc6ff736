//! What a driven run is kept with in memory, read from its rows.
//!
//! Whose it is, is left to `claim`; what is appended to it, to `journal`.

use std::collections::BTreeMap;

use super::fault::Fault;
use super::rows::{NODE, NODE_FROM, RUN, RUN_FROM, read_node, read_run};
use super::state::Driven;
use super::tx::Tx;
use super::values::{id, node_keys};
use crate::error::Result;
use crate::model::{NodeRun, RunId};

impl Tx {
    /// What a run that nobody claimed yet is driven by.
    pub(super) fn drive_pending(&self, key: i64) -> Result<Box<Driven>, Fault> {
        let sql = format!("SELECT {RUN} FROM {RUN_FROM} WHERE r.key = ?");
        let row = self
            .row(&sql, [key], read_run)?
            .ok_or_else(|| Fault::unreadable("a run", "it is missing"))?;
        Ok(Box::new(Driven {
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
    pub(super) fn driven(
        &mut self,
        run: RunId,
        epoch: u64,
    ) -> Result<Option<(i64, &mut Driven)>, Fault> {
        let active = self.state.running.get(&run);
        let Some(active) = active.filter(|active| active.epoch == epoch) else {
            return Ok(None);
        };
        let key = active.key;
        if active.driven.is_none() {
            let (read, _) = self.drive(run)?;
            if let Some(active) = self.state.running.get_mut(&run) {
                active.driven = Some(read);
            }
        }
        let active = self.state.running.get_mut(&run);
        let driven = active.and_then(|active| active.driven.as_deref_mut());
        Ok(driven.map(|driven| (key, driven)))
    }

    /// What a running run is driven by, with its nodes.
    pub(super) fn drive(&self, run: RunId) -> Result<(Box<Driven>, Vec<NodeRun>), Fault> {
        let sql = format!("SELECT {RUN} FROM {RUN_FROM} WHERE r.id = ?");
        let row = self
            .row(&sql, [id(&run)], read_run)?
            .ok_or_else(|| Fault::unreadable("a run", "it is missing"))?;
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
        let driven = Driven {
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
        Ok((Box::new(driven), nodes))
    }
}
