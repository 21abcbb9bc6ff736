//! Records what is deleted later, in small steps.
//!
//! `sweep` deletes it.

use super::store_error::StoreError;
use super::tx::Tx;
use super::values::node_keys;

/// What is left to delete. The numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sweep {
    /// All rows of a purged run, except its own.
    Run,
    /// The chunks of a node, which no output names any more.
    Chunks,
}

impl Sweep {
    const fn number(self) -> i64 {
        match self {
            Self::Run => 0,
            Self::Chunks => 1,
        }
    }
}

impl Tx {
    /// Records what a later step deletes.
    pub(super) fn sweep_later(&mut self, sweep: Sweep, key: i64) -> Result<(), StoreError> {
        self.wants_sweep = true;
        self.write(
            "INSERT OR IGNORE INTO sweeps (kind, key) VALUES (?, ?)",
            [sweep.number(), key],
        )?;
        Ok(())
    }

    /// Drops the chunks of a finished run that no entry has named.
    pub(super) fn drop_staged_of_run(&mut self, run: i64) -> Result<(), StoreError> {
        let (first, last) = node_keys(run);
        let nodes = self.rows(
            "SELECT key FROM staged WHERE key BETWEEN ? AND ?",
            [first, last],
            |row| Ok(row.get::<_, i64>(0)?),
        )?;
        for node in nodes {
            self.write("DELETE FROM staged WHERE key = ?", [node])?;
            self.sweep_later(Sweep::Chunks, node)?;
        }
        Ok(())
    }
}
