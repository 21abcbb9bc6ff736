//! Backfill settlement: cancels the rest of a backfill or finishes it after one of its runs.
//!
//! `rules` decides when. `backfills` reads backfills and their cancel requests.

use chrono::{DateTime, Utc};
use rusqlite::params;

use super::cancel::{CANCEL_TARGET, read_cancel_target};
use super::finish::RunCompletion;
use super::store_error::StoreError;
use super::tx::Tx;
use super::values::{self, backfill_id, backfill_status, millis, to_u64};
use crate::error::Result;
use crate::model::{BackfillId, Run, RunCancel, RunStatus};
use crate::storage::rules::{BackfillOutcomes, OpenBackfill, Settlement};

impl Tx {
    /// Counts the outcome of a run and settles its backfill, after its row and event were written.
    pub(super) fn settle_backfill(
        &mut self,
        finished: &RunCompletion<'_>,
    ) -> Result<(), StoreError> {
        let Some(key) = finished.backfill else {
            return Ok(());
        };
        if let Some(open) = self.state.backfills.by_key.get_mut(&key) {
            open.unfinished = open.unfinished.saturating_sub(1);
            open.outcomes.count(finished.status);
        }
        if self.settlement(key) == Settlement::CancelRest {
            self.cancel_rest(key, &RunCancel::of_failures(finished.at), finished.at)?;
            self.write_stopped(key, true)?;
        }
        if let Settlement::Finish(status) = self.settlement(key) {
            self.write(
                "UPDATE backfills SET status = ?, finished_at = ? WHERE key = ?",
                params![backfill_status(status), millis(finished.at), key],
            )?;
            self.end_backfill_pause(key)?;
            self.state.backfills.by_key.remove(&key);
        }
        Ok(())
    }

    /// Counts the failed run that a successful resume began with as a success of its backfill. A
    /// finished backfill takes the status that follows.
    pub(super) fn recover_first_run(&mut self, run: &Run) -> Result<(), StoreError> {
        if run.status != RunStatus::Success || run.resumed_from.is_none() {
            return Ok(());
        }
        let first = self.row(
            "SELECT key, backfill FROM runs WHERE id = ? AND status = ? AND backfill IS NOT NULL AND is_recovered IS NULL",
            params![values::id(&run.first_run), values::run_status(RunStatus::Failed)],
            |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)),
        )?;
        let Some((first, backfill)) = first else {
            return Ok(());
        };
        self.write("UPDATE runs SET is_recovered = 1 WHERE key = ?", [first])?;
        self.backfills.recover(backfill);
        if let Some(open) = self.state.backfills.by_key.get_mut(&backfill) {
            open.outcomes.recover();
            return Ok(());
        }
        // The status follows from the outcomes, of which some may not be in the row yet.
        self.write_backfills()?;
        let outcomes = self.row(
            "SELECT ended_failed, ended_cancelled FROM backfills WHERE key = ?",
            [backfill],
            |row| {
                Ok(BackfillOutcomes {
                    failed: to_u64(row.get(0)?),
                    cancelled: to_u64(row.get(1)?),
                })
            },
        )?;
        if let Some(outcomes) = outcomes {
            self.write(
                "UPDATE backfills SET status = ? WHERE key = ?",
                params![backfill_status(outcomes.status()), backfill],
            )?;
        }
        Ok(())
    }

    /// Returns how a backfill continues. A finished backfill does not change.
    fn settlement(&self, key: i64) -> Settlement {
        let open = self.state.backfills.by_key.get(&key);
        open.map_or(Settlement::StayOpen, |open| {
            let open = OpenBackfill {
                outcomes: open.outcomes,
                unfinished: open.unfinished,
                max_failures: open.max_failures,
                is_cancelled: open.is_cancelled,
            };
            open.settle()
        })
    }

    /// Writes whether its failures alone have cancelled a backfill.
    pub(super) fn write_stopped(&mut self, key: i64, is_stopped: bool) -> Result<(), StoreError> {
        let sql = "UPDATE backfills SET is_stopped = ? WHERE key = ?";
        self.write(sql, params![is_stopped, key])?;
        Ok(())
    }

    /// Cancels a backfill: requests the cancel of each unfinished run, oldest first.
    pub(super) fn cancel_rest(
        &mut self,
        key: i64,
        cancel: &RunCancel,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        if let Some(open) = self.state.backfills.by_key.get_mut(&key) {
            open.is_cancelled = true;
        }
        self.end_backfill_pause(key)?;
        self.write(
            "UPDATE backfills SET cancel = max(ifnull(cancel, 0), ?) WHERE key = ?",
            params![values::cancel(cancel.kind), key],
        )?;
        let sql = format!(
            "SELECT {CANCEL_TARGET} FROM runs WHERE backfill = ? AND finished_at IS NULL ORDER BY id"
        );
        // A run that cannot be read fails at its claim, so that the backfill still finishes.
        for target in self.readable_rows("a run of a backfill", &sql, [key], read_cancel_target)? {
            self.cancel_run(&target, cancel, at)?;
        }
        Ok(())
    }

    /// Returns the backfill whose rest was cancelled because a run of it failed.
    pub(super) fn cancelled_backfill(
        &self,
        backfill: Option<i64>,
        status: RunStatus,
    ) -> Result<Option<BackfillId>, StoreError> {
        let Some(key) = backfill.filter(|_| status == RunStatus::Failed) else {
            return Ok(None);
        };
        let found = self.row(
            "SELECT id FROM backfills WHERE key = ? AND cancel IS NOT NULL",
            [key],
            |row| backfill_id(&row.get::<_, Vec<u8>>(0)?),
        );
        Ok(self.unreadable.skip("a backfill", key, found)?.flatten())
    }
}
