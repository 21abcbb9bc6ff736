//! Pauses of backfills. `queue` decides what a pause stops.

use super::rules;
use super::state::State;
use crate::error::{Error, Result};
use crate::model::BackfillStatus;
use crate::storage::{BackfillDetail, SetBackfillPause};

impl State {
    pub(super) fn set_backfill_pause(
        &mut self,
        request: &SetBackfillPause,
    ) -> Result<BackfillDetail> {
        let SetBackfillPause {
            backfill: id,
            pause,
            scope,
            audit,
        } = request;
        let absent = || Error::backfill_not_found(id);
        let row = self.backfills.get_mut(id);
        let row = row.filter(|row| scope.admits(row.backfill.tenant.as_ref()));
        let backfill = &mut row.ok_or_else(absent)?.backfill;
        let tenant = backfill.tenant.clone();
        if rules::changes_pause(backfill, pause.is_some())? {
            backfill.paused.clone_from(pause);
            backfill.status = match pause {
                Some(_) => BackfillStatus::Paused,
                None => BackfillStatus::Running,
            };
            self.settle_keys_of_backfill(*id, pause.is_some());
        }
        self.audit(audit.clone(), tenant.as_ref());
        self.find_backfill(*id, scope).ok_or_else(absent)
    }
}
