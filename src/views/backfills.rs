//! Backfills as callers see them, with the ids of their runs.
//!
//! `engine` starts, pauses and cancels them.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Serialize, Serializer};

use super::Views;
use super::pages::Listed;
use crate::error::{Error, Result};
use crate::model::{
    Backfill, BackfillCounts, BackfillId, BackfillOrder, BackfillStatus, BackfillUnit, Page,
    PageRequest, Pause, PipelineId, RunId, Scope, TenantId, rfc3339,
};
use crate::storage::{BackfillDetail, BackfillFilter, RunFilter};

impl Listed for BackfillDetail {
    fn cursor(&self) -> String {
        self.backfill.id.to_string()
    }
}

impl Views {
    /// Returns the backfill with the ids of its runs.
    ///
    /// # Errors
    /// `NotFound` (`backfill-not-found`); `Unavailable`.
    pub(crate) async fn backfill(&self, id: BackfillId, scope: &Scope) -> Result<BackfillDetail> {
        let found = self.storage.find_backfill(id, scope).await?;
        found.ok_or_else(|| Error::backfill_not_found(id))
    }

    /// Checks that the backfill exists whose runs a filter chooses.
    ///
    /// # Errors
    /// `NotFound` (`backfill-not-found`); `Unavailable`.
    pub(crate) async fn check_backfill_of(&self, filter: &RunFilter, scope: &Scope) -> Result<()> {
        match filter.backfill {
            Some(id) => self.check_backfill(id, scope).await,
            None => Ok(()),
        }
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

    /// Returns a page of backfills with their runs, newest first.
    ///
    /// # Errors
    /// `Malformed` (`invalid-parameter`) if the cursor is invalid; `Unavailable`.
    pub(crate) async fn list_backfills(
        &self,
        filter: BackfillFilter,
        page: PageRequest,
    ) -> Result<Page<BackfillDetail>> {
        let page = self.storage.list_backfills(filter, page).await?;
        let mut items = Vec::with_capacity(page.items.len());
        for Backfill { id, tenant, .. } in page.items {
            let scope = &Scope::of(tenant.as_ref());
            // One at a time, so that no query returns more than the largest backfill. A backfill
            // that was purged meanwhile is omitted.
            items.extend(self.storage.find_backfill(id, scope).await?);
        }
        Ok(Page::new(items, page.total, page.next))
    }
}

/// The fields of a backfill, in the order of the wire contract.
#[derive(Serialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(
        rename = "Backfill",
        description = "A backfill: a run for each date in a range, or for each of its hours, weeks, months or ticks."
    )
)]
struct BackfillBody<'a> {
    id: BackfillId,
    pipeline_id: &'a PipelineId,
    status: BackfillStatus,
    start_date: NaiveDate,
    end_date: NaiveDate,
    unit: BackfillUnit,
    order: BackfillOrder,
    max_parallel: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_failures: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    paused: Option<&'a Pause>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rerun_of: Option<BackfillId>,
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
    tenant: Option<&'a TenantId>,
}

impl Serialize for BackfillDetail {
    /// Writes the backfill as the API shows it.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Backfill {
            id,
            pipeline_id,
            tenant,
            status,
            start_date,
            end_date,
            unit,
            order,
            max_parallel,
            max_failures,
            paused,
            cancel: _,
            rerun_of,
            counts,
            created_at,
            finished_at,
        } = &self.backfill;
        let body = BackfillBody {
            id: *id,
            pipeline_id,
            status: *status,
            start_date: *start_date,
            end_date: *end_date,
            unit: *unit,
            order: *order,
            max_parallel: *max_parallel,
            max_failures: *max_failures,
            paused: paused.as_ref(),
            rerun_of: *rerun_of,
            counts: *counts,
            run_ids: self.runs.iter().map(|run| run.id).collect(),
            created_at: *created_at,
            finished_at: *finished_at,
            tenant: tenant.as_ref(),
        };
        body.serialize(serializer)
    }
}

#[cfg(test)]
schema_of! { BackfillDetail => BackfillBody<'static> }
