//! What becomes of a backfill when a run of it ends: its rest is cancelled after too many failures, and it ends with the last one.
//!
//! Asking for backfills, and a caller's wish to cancel one, is left to `backfills`.

use chrono::{DateTime, Utc};
use rusqlite::params;

use super::cancel::{WISHED, read_wished};
use super::ends::Ended;
use super::fault::Fault;
use super::tx::Tx;
use super::values::{self, backfill_id, backfill_status, millis};
use crate::error::Result;
use crate::model::{BackfillId, Cancel, RunStatus};

impl Tx {
    /// Counts the end of a run, whose row and event are written, and decides what becomes of its backfill.
    pub(super) fn settle_backfill(&mut self, ended: &Ended<'_>) -> Result<(), Fault> {
        let Some(key) = ended.backfill else {
            return Ok(());
        };
        let Some(own) = self.state.backfills.by_key.get_mut(&key) else {
            return Ok(());
        };
        own.left = own.left.saturating_sub(1);
        own.ends.note(ended.status);
        if !own.is_stopped && own.ends.reach(own.max_failures) {
            self.stop_backfill(key, Cancel::Plain, ended.at)?;
        }
        let own = self.state.backfills.by_key.get(&key);
        let Some(own) = own.filter(|own| own.left == 0) else {
            return Ok(());
        };
        let status = backfill_status(own.ends.status());
        self.write(
            "UPDATE backfills SET status = ?, finished_at = ? WHERE key = ?",
            params![status, millis(ended.at), key],
        )?;
        self.state.backfills.by_key.remove(&key);
        Ok(())
    }

    /// Asks every unfinished run of a backfill to cancel.
    pub(super) fn stop_backfill(
        &mut self,
        key: i64,
        cancel: Cancel,
        at: DateTime<Utc>,
    ) -> Result<(), Fault> {
        if let Some(own) = self.state.backfills.by_key.get_mut(&key) {
            own.is_stopped = true;
        }
        self.write(
            "UPDATE backfills SET cancel = max(ifnull(cancel, 0), ?) WHERE key = ?",
            params![values::cancel(cancel), key],
        )?;
        let sql = format!(
            "SELECT {WISHED} FROM runs WHERE backfill = ? AND finished_at IS NULL ORDER BY id"
        );
        for wished in self.rows(&sql, [key], read_wished)? {
            self.cancel_run(&wished, cancel, at)?;
        }
        Ok(())
    }

    /// The backfill whose rest was cancelled when a run of it failed.
    pub(super) fn stopped_by(
        &self,
        backfill: Option<i64>,
        status: RunStatus,
    ) -> Result<Option<BackfillId>, Fault> {
        let Some(key) = backfill.filter(|_| status == RunStatus::Failed) else {
            return Ok(None);
        };
        self.row(
            "SELECT id FROM backfills WHERE key = ? AND cancel IS NOT NULL",
            [key],
            |row| backfill_id(&row.get::<_, Vec<u8>>(0)?),
        )
    }
}
