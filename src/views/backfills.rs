//! Backfills as readers get them: one with the ids of its runs, or a page of them without.
//!
//! Starting and cancelling them is the engine's.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use super::Views;
use crate::error::{Error, Result};
use crate::model::{
    Backfill, BackfillCounts, BackfillId, BackfillOrder, BackfillStatus, Page, PageRequest,
    PipelineId, RunId, Scope,
};
use crate::storage::{BackfillDetail, BackfillFilter};

/// A backfill; the order of the fields is that of the wire.
#[derive(Debug, Serialize)]
pub(crate) struct BackfillView {
    id: BackfillId,
    pipeline_id: PipelineId,
    status: BackfillStatus,
    start_date: NaiveDate,
    end_date: NaiveDate,
    order: BackfillOrder,
    max_parallel: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_failures: Option<u32>,
    counts: BackfillCounts,
    /// Left out in a list: a page of ten years each would be megabytes of ids.
    #[serde(skip_serializing_if = "Option::is_none")]
    run_ids: Option<Vec<RunId>>,
    created_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<DateTime<Utc>>,
}

impl Views {
    /// The backfill with the ids of its runs.
    ///
    /// # Errors
    /// `NotFound` (`backfill-not-found`); `Unavailable`.
    pub(crate) async fn backfill(&self, id: BackfillId, scope: &Scope) -> Result<BackfillView> {
        let found = self.storage.find_backfill(id, scope).await?;
        found
            .map(BackfillView::from)
            .ok_or_else(|| Error::backfill_not_found(id))
    }

    /// A page of the backfills of a pipeline, the newest first.
    ///
    /// # Errors
    /// `NotFound` (`pipeline-not-found`); `Malformed` (`invalid-parameter`) when the cursor is none; `Unavailable`.
    pub(crate) async fn list_backfills(
        &self,
        pipeline: &str,
        page: PageRequest,
        scope: &Scope,
    ) -> Result<Page<BackfillView>> {
        let filter = BackfillFilter {
            scope: scope.clone(),
            pipeline: Some(self.pipeline(pipeline, scope).await?.0.id),
        };
        let Page { items, total, next } = self.storage.list_backfills(filter, page).await?;
        let items = items.into_iter().map(|item| view(item, None)).collect();
        Ok(Page::new(items, total, next))
    }
}

impl From<BackfillDetail> for BackfillView {
    fn from(detail: BackfillDetail) -> Self {
        let ids = detail.runs.iter().map(|run| run.id).collect();
        view(detail.backfill, Some(ids))
    }
}

fn view(backfill: Backfill, run_ids: Option<Vec<RunId>>) -> BackfillView {
    let Backfill {
        id,
        pipeline_id,
        tenant: _,
        status,
        start_date,
        end_date,
        order,
        max_parallel,
        max_failures,
        cancel: _,
        counts,
        created_at,
        finished_at,
    } = backfill;
    BackfillView {
        id,
        pipeline_id,
        status,
        start_date,
        end_date,
        order,
        max_parallel,
        max_failures,
        counts,
        run_ids,
        created_at,
        finished_at,
    }
}
