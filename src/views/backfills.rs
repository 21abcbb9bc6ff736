//! Backfills as callers see them, with the ids of their runs.
//!
//! Starting and cancelling them is left to `engine/backfill`.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use super::Views;
use super::pages::Listed;
use crate::error::{Error, Result};
use crate::model::{
    Backfill, BackfillCounts, BackfillId, BackfillOrder, BackfillStatus, Page, PageRequest,
    PipelineId, RunId, Scope, StoredPipeline, TenantId, rfc3339,
};
use crate::storage::{BackfillDetail, BackfillFilter};

/// A backfill. Fields are in the order of the wire contract.
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
    /// Ordered by date, oldest first.
    run_ids: Vec<RunId>,
    #[serde(serialize_with = "rfc3339::serialize")]
    created_at: DateTime<Utc>,
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "rfc3339::serialize_option"
    )]
    finished_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<TenantId>,
}

impl Listed for BackfillView {
    fn cursor(&self) -> String {
        self.id.to_string()
    }
}

impl Views {
    /// Returns the backfill with the ids of its runs.
    ///
    /// # Errors
    /// `NotFound` (`backfill-not-found`); `Unavailable`.
    pub(crate) async fn backfill(&self, id: BackfillId, scope: &Scope) -> Result<BackfillView> {
        let found = self.storage.find_backfill(id, scope).await?;
        found
            .map(BackfillView::from)
            .ok_or_else(|| Error::backfill_not_found(id))
    }

    /// Checks that the backfill exists, without reading its runs.
    ///
    /// # Errors
    /// `NotFound` (`backfill-not-found`); `Unavailable`.
    pub(crate) async fn check_backfill(&self, id: BackfillId, scope: &Scope) -> Result<()> {
        let filter = BackfillFilter {
            scope: scope.clone(),
            backfill: Some(id),
            pipeline: None,
        };
        let page = PageRequest::Newest { limit: 1 };
        let found = self.storage.list_backfills(filter, page).await?;
        if found.items.is_empty() {
            return Err(Error::backfill_not_found(id));
        }
        Ok(())
    }

    /// Returns a page of the backfills of a pipeline, newest first.
    ///
    /// # Errors
    /// `Malformed` (`invalid-parameter`) if the cursor is invalid; `Unavailable`.
    pub(crate) async fn list_backfills(
        &self,
        pipeline: &StoredPipeline,
        page: PageRequest,
    ) -> Result<Page<BackfillView>> {
        let scope = &Scope::of(pipeline.tenant.as_ref());
        let filter = BackfillFilter {
            scope: scope.clone(),
            backfill: None,
            pipeline: Some(pipeline.id.clone()),
        };
        let page = self.storage.list_backfills(filter, page).await?;
        let mut items = Vec::with_capacity(page.items.len());
        for listed in page.items {
            // One at a time, so that no query returns more than the largest backfill. A backfill
            // that was purged meanwhile is omitted.
            let found = self.storage.find_backfill(listed.id, scope).await?;
            items.extend(found.map(BackfillView::from));
        }
        Ok(Page::new(items, page.total, page.next))
    }
}

impl From<BackfillDetail> for BackfillView {
    fn from(detail: BackfillDetail) -> Self {
        let Backfill {
            id,
            pipeline_id,
            tenant,
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
        } = detail.backfill;
        Self {
            id,
            pipeline_id,
            status,
            start_date,
            end_date,
            order,
            max_parallel,
            max_failures,
            counts,
            run_ids: detail.runs.iter().map(|run| run.id).collect(),
            created_at,
            finished_at,
            tenant,
        }
    }
}
