//! Backfills from the host's own code: prepared, started, waited for, cancelled.
//!
//! What they do is the engine's.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use chrono::NaiveDate;
use serde_json::json;

use super::Floret;
use crate::engine::{BackfillRequest, RequestKey, StartedBackfill, hash_body};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{
    Backfill, BackfillId, BackfillOrder, BackfillPreview, Cancel, Page, PageRequest, RunId, Scope,
};
use crate::storage::{BackfillDetail, BackfillFilter};

/// A backfill about to be made: a run for each date of a range, both ends included.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use floret::{Floret, Pipeline, executor::Ctx, storage::MemoryStorage};
///
/// async fn load(ctx: Ctx) -> Result<(), std::io::Error> {
///     ctx.log.info(format!("loads {}", ctx.params["date"])).await;
///     Ok(())
/// }
/// let floret = Floret::builder(MemoryStorage::default())
///     .node("load", load)
///     .pipeline(Pipeline::new("daily").node("load", "load"))
///     .start()
///     .await?;
/// let (from, to) = ("2024-01-01".parse()?, "2024-01-31".parse()?);
/// let backfill = floret.backfill("daily", from..=to).max_parallel(2).start().await?;
/// let done = backfill.finished().await?.expect("some dates were run");
/// assert_eq!(done.backfill.counts.success, 31);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "no run is made before `start`"]
pub struct BackfillBuilder {
    floret: Floret,
    start: BackfillRequest,
    key: Option<String>,
}

impl Floret {
    /// Prepares a run of the pipeline with this id or slug for each of these dates, one at a time and the oldest first unless set otherwise.
    pub fn backfill(
        &self,
        pipeline: impl Into<String>,
        dates: RangeInclusive<NaiveDate>,
    ) -> BackfillBuilder {
        BackfillBuilder {
            floret: self.clone(),
            start: BackfillRequest {
                pipeline: pipeline.into(),
                dates,
                params: BTreeMap::new(),
                order: BackfillOrder::Ascending,
                max_parallel: 1,
                max_failures: None,
                skip_existing: false,
                key: None,
                scope: Scope::All,
            },
            key: None,
        }
    }

    /// A backfill with its runs.
    ///
    /// # Errors
    /// `NotFound` when there is none of this id; `Unavailable`.
    pub async fn find_backfill(&self, id: BackfillId) -> Result<BackfillDetail> {
        let found = self.storage.find_backfill(id, &Scope::All).await?;
        found.ok_or_else(|| Error::backfill_not_found(id))
    }

    /// A page of backfills, the newest first.
    ///
    /// # Errors
    /// `Malformed` when the cursor is none; `Unavailable`.
    pub async fn list_backfills(
        &self,
        filter: BackfillFilter,
        page: PageRequest,
    ) -> Result<Page<Backfill>> {
        self.storage.list_backfills(filter, page).await
    }

    /// Cancels all that is left of a backfill: what waits at once, what executes as [`Floret::cancel`] does. The answer is where it stands.
    ///
    /// # Errors
    /// `NotFound`; `RunFinished` when it has ended by itself.
    pub async fn cancel_backfill(&self, id: BackfillId) -> Result<BackfillDetail> {
        let engine = &self.engine;
        engine.cancel_backfill(id, Cancel::Plain, &Scope::All).await
    }

    /// Cancels all that is left of a backfill: what waits at once, what executes as [`Floret::force_cancel`] does.
    ///
    /// # Errors
    /// As [`Floret::cancel_backfill`].
    pub async fn force_cancel_backfill(&self, id: BackfillId) -> Result<BackfillDetail> {
        let engine = &self.engine;
        engine
            .cancel_backfill(id, Cancel::Forced, &Scope::All)
            .await
    }
}

impl BackfillBuilder {
    /// Sets a parameter of every run over the pipeline's own; `date` is each run's own and cannot be set.
    pub fn param(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.start.params.insert(name.into(), value.into());
        self
    }

    /// Sets how many of its runs may execute at once.
    pub const fn max_parallel(mut self, runs: u32) -> Self {
        self.start.max_parallel = runs;
        self
    }

    /// Sets in which order the dates are executed.
    pub const fn order(mut self, order: BackfillOrder) -> Self {
        self.start.order = order;
        self
    }

    /// Leaves out dates that a backfill, a schedule or a catch-up has run with success.
    pub const fn skip_existing(mut self) -> Self {
        self.start.skip_existing = true;
        self
    }

    /// Sets how many runs may fail: with the last of them the rest is cancelled.
    pub const fn max_failures(mut self, runs: u32) -> Self {
        self.start.max_failures = Some(runs);
        self
    }

    /// Sets the idempotency key: with one that was used before for a backfill of this pipeline nothing is made, and the first one is answered.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Makes the backfill with all its runs. They are durable when this answers.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` when the range is none, ends after today or is too long, a number is out of range, a node type has no executor, or the key
    /// was used with another backfill; `QueueFull`; `Unavailable`.
    pub async fn start(mut self) -> Result<BackfillHandle> {
        let body_hash = hash_body(&body(&self.start));
        self.start.key = self.key.map(|key| RequestKey { key, body_hash });
        let made = self.floret.engine.backfill(self.start).await?;
        let StartedBackfill {
            id,
            run_ids,
            replayed: _,
        } = made;
        Ok(BackfillHandle {
            floret: self.floret,
            id,
            run_ids,
        })
    }

    /// Tells which dates would run; nothing is made.
    ///
    /// # Errors
    /// As [`BackfillBuilder::start`].
    pub async fn preview(self) -> Result<BackfillPreview> {
        self.floret.engine.preview_backfill(self.start).await
    }
}

/// The body that a client would send for the same backfill, with nothing left out but what is optional.
fn body(start: &BackfillRequest) -> serde_json::Value {
    let mut body = json!({
        "start_date": start.dates.start(),
        "end_date": start.dates.end(),
        "params": start.params,
        "max_parallel": start.max_parallel,
        "order": start.order,
        "skip_existing": start.skip_existing,
    });
    if let Some(max) = start.max_failures {
        body["max_failures"] = max.into();
    }
    body
}

/// A backfill that was made.
#[derive(Debug, Clone)]
pub struct BackfillHandle {
    floret: Floret,
    id: Option<BackfillId>,
    run_ids: Vec<RunId>,
}

impl BackfillHandle {
    /// The backfill's id; none where every date was left out, so that there was nothing to make.
    #[must_use]
    pub const fn id(&self) -> Option<BackfillId> {
        self.id
    }

    /// Its runs, the oldest date first.
    #[must_use]
    pub fn run_ids(&self) -> &[RunId] {
        &self.run_ids
    }

    /// Waits for the end of its last run and answers the backfill with its runs; none where nothing was made.
    ///
    /// # Errors
    /// `NotFound` when it was purged meanwhile; `ShuttingDown` when Floret stops first; `Unavailable`.
    pub async fn finished(&self) -> Result<Option<BackfillDetail>> {
        let Some(id) = self.id else {
            return Ok(None);
        };
        for run in &self.run_ids {
            match self.floret.handle(*run).finished().await {
                // It was purged, so it has ended.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                outcome => drop(outcome?),
            }
        }
        self.floret.find_backfill(id).await.map(Some)
    }
}
