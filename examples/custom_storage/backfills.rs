//! Backfills: found, listed, paused and cancelled as a whole.
//!
//! They are created in `creation`, and `finish` finishes them.

use async_trait::async_trait;
use floret::storage::{
    BackfillDetail, BackfillFilter, Backfills, CancelBackfill, CancelBackfillOutcome,
    SetBackfillPause,
};
use floret::{Backfill, BackfillId, BackfillStatus, Error, PageRequest, Problem, Result, Scope};

use crate::audited::AuditedStorage;
use crate::finish::cancel_remaining;
use crate::pages::{Page, page};

#[async_trait]
impl Backfills for AuditedStorage {
    async fn find_backfill(
        &self,
        backfill: BackfillId,
        scope: &Scope,
    ) -> Result<Option<BackfillDetail>> {
        self.read(|rows| rows.backfill(backfill, scope))
    }

    async fn list_backfills(
        &self,
        filter: BackfillFilter,
        page_request: PageRequest,
    ) -> Result<Page<Backfill>> {
        self.read(|rows| {
            let seen = rows
                .backfills
                .keys()
                .filter_map(|id| rows.backfill(*id, &filter.scope));
            let wanted = seen.map(|detail| detail.backfill).filter(|backfill| {
                let pipeline = filter.pipeline.as_ref();
                filter.backfill.is_none_or(|id| id == backfill.id)
                    && pipeline.is_none_or(|pipeline| *pipeline == backfill.pipeline_id)
            });
            let items = wanted.map(|backfill| (backfill.id, backfill)).collect();
            page(
                items,
                &page_request,
                |cursor| cursor.parse().ok(),
                BackfillId::to_string,
            )
        })?
    }

    async fn set_backfill_pause(&self, request: SetBackfillPause) -> Result<BackfillDetail> {
        self.write("set_backfill_pause", |rows| {
            let absent = || Error::backfill_not_found(request.backfill);
            let found = rows.backfill(request.backfill, &request.scope);
            let found = found.ok_or_else(absent)?.backfill;
            let is_cancelled = found.cancel.is_some() && request.pause.is_some();
            if !is_open(found.status) || is_cancelled {
                let message = format!("no run of backfill {} waits", found.id);
                return Err(Error::new(Problem::RunFinished, message));
            }
            if let Some(row) = rows.backfills.get_mut(&request.backfill)
                && found.paused.is_some() != request.pause.is_some()
            {
                row.backfill.status = match request.pause {
                    Some(_) => BackfillStatus::Paused,
                    None => BackfillStatus::Running,
                };
                row.backfill.paused = request.pause;
            }
            rows.audit(request.audit.as_ref(), found.tenant.as_ref());
            rows.backfill(request.backfill, &request.scope)
                .ok_or_else(absent)
        })
    }

    async fn cancel_backfill(&self, request: CancelBackfill) -> Result<CancelBackfillOutcome> {
        self.write("cancel_backfill", |rows| {
            let absent = || Error::backfill_not_found(request.backfill);
            let found = rows
                .backfill(request.backfill, &request.scope)
                .ok_or_else(absent)?
                .backfill;
            let row = rows
                .backfills
                .get_mut(&request.backfill)
                .ok_or_else(absent)?;
            if is_open(found.status) {
                row.is_cancel_requested = true;
                cancel_remaining(rows, &request)?;
            } else if !row.is_cancel_requested {
                let message = format!(
                    "backfill {} has already finished as {:?}",
                    found.id, found.status
                );
                return Err(Error::new(Problem::RunFinished, message));
            }
            let detail = rows
                .backfill(request.backfill, &request.scope)
                .ok_or_else(absent)?;
            rows.audit(request.audit.as_ref(), detail.backfill.tenant.as_ref());
            Ok(CancelBackfillOutcome::new(detail, rows.seq))
        })
    }
}

/// Returns whether a backfill has unfinished runs.
const fn is_open(status: BackfillStatus) -> bool {
    matches!(status, BackfillStatus::Running | BackfillStatus::Paused)
}
