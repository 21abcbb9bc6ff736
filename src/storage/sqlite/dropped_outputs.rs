//! Drops outputs: those that a run no longer needs after its outcome, and chunks without an output.
//!
//! `outputs` stores them. `sweep` deletes what is too large to be dropped at once.

use rusqlite::params;

use super::definitions::Definition;
use super::store_error::StoreError;
use super::sweep_queue::Sweep;
use super::tx::Tx;
use super::values::{chunk_keys, id, node_index, node_keys, to_u64};
use crate::model::{NodeIndex, Run, RunStatus};

impl Tx {
    /// Drops the outputs that a run no longer needs after its outcome.
    pub(super) fn settle_outputs(
        &mut self,
        key: i64,
        run: &Run,
        definition: &Definition,
        result_bytes_max: u64,
    ) -> Result<(), StoreError> {
        match run.status {
            RunStatus::Pending | RunStatus::Running | RunStatus::Failed => Ok(()),
            RunStatus::Cancelled => self.settle_cancelled_outputs(key, run.resumed_from.is_some()),
            RunStatus::Success => {
                let is_result = |node_index, length| {
                    let graph = &definition.graph;
                    graph.retains_output(node_index, length, result_bytes_max)
                };
                self.drop_outputs(key, is_result)?;
                self.drop_chain_outputs(key, run)
            }
        }
    }

    /// Drops the outputs of a cancelled run, unless it is a resume: its run may be resumed again.
    pub(super) fn settle_cancelled_outputs(
        &mut self,
        key: i64,
        is_resume: bool,
    ) -> Result<(), StoreError> {
        if is_resume {
            return Ok(());
        }
        self.drop_outputs(key, |_, _| false)
    }

    fn drop_chain_outputs(&mut self, key: i64, run: &Run) -> Result<(), StoreError> {
        if run.resumed_from.is_none() {
            return Ok(());
        }
        let others = self.rows(
            "SELECT key FROM runs WHERE (id = ?1 OR first_run = ?1) AND key <> ?2",
            params![id(&run.first_run), key],
            |row| Ok(row.get(0)?),
        )?;
        others
            .into_iter()
            .try_for_each(|other| self.drop_outputs(other, |_, _| false))
    }

    /// Drops the outputs of a run, except those for which `is_retained` returns true.
    pub(super) fn drop_outputs(
        &mut self,
        run: i64,
        is_retained: impl Fn(NodeIndex, u64) -> bool,
    ) -> Result<(), StoreError> {
        let (first, last) = node_keys(run);
        let outputs = self.rows(
            "SELECT key, source, length FROM outputs WHERE key BETWEEN ? AND ?",
            [first, last],
            |row| {
                let (node, source) = (row.get::<_, i64>(0)?, row.get::<_, i64>(1)?);
                Ok((node, source, to_u64(row.get(2)?)))
            },
        )?;
        for (node, source, length) in outputs {
            if !is_retained(node_index(node), length) {
                self.drop_held_output(node, source, OwnChunks::of_finished_run(length))?;
            }
        }
        Ok(())
    }

    /// Drops a run's row of an output. The last such row takes the chunks with it.
    pub(super) fn drop_output(&mut self, node: i64, own: OwnChunks) -> Result<(), StoreError> {
        let source: Option<i64> =
            self.row("SELECT source FROM outputs WHERE key = ?", [node], |row| {
                Ok(row.get(0)?)
            })?;
        source.map_or(Ok(()), |source| self.drop_held_output(node, source, own))
    }

    fn drop_held_output(
        &mut self,
        node: i64,
        source: i64,
        own: OwnChunks,
    ) -> Result<(), StoreError> {
        self.write("DELETE FROM outputs WHERE key = ?", [node])?;
        if source == node && own == OwnChunks::Keep {
            return Ok(());
        }
        // The node may execute again and write chunks under the same keys.
        let is_now = source == node && own == OwnChunks::Drop;
        let holder = self.row(
            "SELECT 1 FROM outputs WHERE key = ?1 UNION ALL SELECT 1 FROM outputs WHERE source = ?1 AND source <> key LIMIT 1",
            [source],
            |_| Ok(()),
        )?;
        match holder {
            Some(()) => Ok(()),
            None if is_now => self.drop_chunks(source),
            None => self.sweep_later(Sweep::Chunks, source),
        }
    }

    pub(super) fn drop_staged_node(&mut self, node: i64) -> Result<(), StoreError> {
        self.write("DELETE FROM staged WHERE key = ?", [node])?;
        self.drop_chunks(node)
    }

    pub(super) fn drop_chunks(&mut self, node: i64) -> Result<(), StoreError> {
        let (first, last) = chunk_keys(node);
        self.write(
            "DELETE FROM chunks WHERE key BETWEEN ? AND ?",
            [first, last],
        )?;
        Ok(())
    }
}

/// What happens to the chunks of a node's own output when its row is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OwnChunks {
    /// They are dropped unless another row names them.
    Drop,
    /// The same, in small steps: their run has finished, so that no chunk follows.
    Sweep,
    /// They are kept, because the caller writes a new row that names them.
    Keep,
}

impl OwnChunks {
    /// A page of the file: to drop it takes no longer than to record that it is swept later.
    const DROPPED_BYTES_MAX: u64 = 4_096;

    const fn of_finished_run(length: u64) -> Self {
        if length <= Self::DROPPED_BYTES_MAX {
            Self::Drop
        } else {
            Self::Sweep
        }
    }
}

/// Drops all chunks that no entry has named. Their writers are dead.
pub(super) fn drop_all_staged(tx: &mut Tx) -> Result<(), StoreError> {
    let nodes = tx.rows(
        "SELECT key FROM staged",
        [],
        |row| Ok(row.get::<_, i64>(0)?),
    )?;
    nodes
        .into_iter()
        .try_for_each(|node| tx.drop_staged_node(node))
}
