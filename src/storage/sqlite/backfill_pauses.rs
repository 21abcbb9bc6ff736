//! Pauses of backfills. `claim` decides what a pause stops, and `settlement` ends one.

use rusqlite::params;

use super::backfills::{detail, find};
use super::store_error::StoreError;
use super::tx::Tx;
use super::values::millis;
use crate::error::Error;
use crate::model::{CallerName, Pause};
use crate::storage::{BackfillDetail, SetBackfillPause, rules};

impl Tx {
    pub(super) fn set_backfill_pause(
        &mut self,
        request: &SetBackfillPause,
    ) -> Result<BackfillDetail, StoreError> {
        let SetBackfillPause {
            backfill: id,
            pause,
            scope,
            audit,
        } = request;
        let absent = || Error::backfill_not_found(id);
        let (key, found) = find(&self.conn, *id, scope)?.ok_or_else(absent)?;
        if rules::changes_pause(&found, pause.is_some())? {
            self.write_backfill_pause(key, pause.as_ref())?;
            self.settle_keys_of_backfill(key, pause.is_some())?;
        }
        // The counts of the current group are not in the rows yet.
        self.write_backfills()?;
        let found = find(&self.conn, *id, scope)?.ok_or_else(absent)?;
        let detail = detail(&self.conn, &self.unreadable, found)?;
        self.audit(audit.as_ref(), detail.backfill.tenant.as_ref())?;
        Ok(detail)
    }

    /// Ends the pause of an open backfill, if it is paused.
    pub(super) fn end_backfill_pause(&mut self, key: i64) -> Result<(), StoreError> {
        let open = self.state.backfills.by_key.get(&key);
        match open.is_some_and(|open| open.is_paused) {
            true => self.write_backfill_pause(key, None),
            false => Ok(()),
        }
    }

    fn write_backfill_pause(&mut self, key: i64, pause: Option<&Pause>) -> Result<(), StoreError> {
        if let Some(open) = self.state.backfills.by_key.get_mut(&key) {
            open.is_paused = pause.is_some();
        }
        let by = pause.and_then(|pause| pause.by.as_ref());
        self.write(
            "UPDATE backfills SET paused_at = ?, paused_by = ?, pause_reason = ? WHERE key = ?",
            params![
                pause.map(|pause| millis(pause.at)),
                by.map(CallerName::as_str),
                pause.and_then(|pause| pause.reason.as_deref()),
                key,
            ],
        )?;
        Ok(())
    }
}
