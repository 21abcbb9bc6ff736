//! Backfills: asked for, listed, cancelled as a whole.

use async_trait::async_trait;
use floret::storage::{
    BackfillDetail, BackfillFilter, Backfills, CancelBackfill, CancelBackfillOutcome,
};
use floret::{Backfill, BackfillId, BackfillStatus, Error, PageRequest, Problem, Result, Scope};

use crate::audited::AuditedStorage;
use crate::ends::cancel_rest;
use crate::pages::{Page, page};

#[async_trait]
impl Backfills for AuditedStorage {
    async fn find_backfill(
        &self,
        backfill: BackfillId,
        scope: &Scope,
    ) -> Result<Option<BackfillDetail>> {
        Ok(self.read(|rows| rows.backfill(backfill, scope)))
    }

    async fn list_backfills(
        &self,
        filter: BackfillFilter,
        request: PageRequest,
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
                &request,
                |cursor| cursor.parse().ok(),
                BackfillId::to_string,
            )
        })
    }

    async fn cancel_backfill(&self, wish: CancelBackfill) -> Result<CancelBackfillOutcome> {
        self.write("cancel_backfill", |rows| {
            let absent = || Error::backfill_not_found(wish.backfill);
            let found = rows
                .backfill(wish.backfill, &wish.scope)
                .ok_or_else(absent)?
                .backfill;
            if found.status == BackfillStatus::Running {
                cancel_rest(rows, &wish)?;
            } else if found.cancel.is_none() {
                let message = format!("backfill {} has ended, it is {:?}", found.id, found.status);
                return Err(Error::new(Problem::RunFinished, message));
            }
            let detail = rows
                .backfill(wish.backfill, &wish.scope)
                .ok_or_else(absent)?;
            Ok(CancelBackfillOutcome::new(detail, rows.seq))
        })
    }
}
