//! Backfill settlement: writes what the end of a run does to its backfill.
//!
//! When a backfill ends or is cancelled is decided in `rules`; reading backfills, and a caller's
//! cancel request, is left to `backfills`.

use chrono::{DateTime, Utc};
use rusqlite::params;

use super::cancel::{WISHED, read_wished};
use super::ends::Ended;
use super::fault::Fault;
use super::tx::Tx;
use super::values::{self, backfill_id, backfill_status, millis};
use crate::error::Result;
use crate::model::{BackfillId, Cancel, RunStatus};
use crate::storage::rules::{OpenBackfill, Settlement};

impl Tx {
    /// Counts the outcome of a run, whose row and event are written, and settles its backfill.
    pub(super) fn settle_backfill(&mut self, ended: &Ended<'_>) -> Result<(), Fault> {
        let Some(key) = ended.backfill else {
            return Ok(());
        };
        if let Some(open) = self.state.backfills.by_key.get_mut(&key) {
            open.left = open.left.saturating_sub(1);
            open.outcomes.count(ended.status);
        }
        if self.settlement(key) == Settlement::CancelRest {
            self.cancel_rest(key, Cancel::Plain, ended.at)?;
        }
        if let Settlement::Finish(status) = self.settlement(key) {
            self.write(
                "UPDATE backfills SET status = ?, finished_at = ? WHERE key = ?",
                params![backfill_status(status), millis(ended.at), key],
            )?;
            self.state.backfills.by_key.remove(&key);
        }
        Ok(())
    }

    /// What becomes of a backfill; nothing of one that has ended.
    fn settlement(&self, key: i64) -> Settlement {
        let open = self.state.backfills.by_key.get(&key);
        open.map_or(Settlement::StayOpen, |open| {
            let open = OpenBackfill {
                outcomes: open.outcomes,
                unfinished: open.left,
                max_failures: open.max_failures,
                is_cancelled: open.is_cancelled,
            };
            open.settle()
        })
    }

    /// Cancels a backfill: requests the cancel of each unfinished run, the oldest first.
    pub(super) fn cancel_rest(
        &mut self,
        key: i64,
        cancel: Cancel,
        at: DateTime<Utc>,
    ) -> Result<(), Fault> {
        if let Some(open) = self.state.backfills.by_key.get_mut(&key) {
            open.is_cancelled = true;
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
    pub(super) fn cancelled_backfill(
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
