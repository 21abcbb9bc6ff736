//! Records what is deleted later, in small steps.
//!
//! `sweep` deletes it.

use super::store_error::StoreError;
use super::tx::Tx;

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
}
