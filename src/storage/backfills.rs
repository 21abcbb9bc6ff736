//! Backfills: asked for, listed, cancelled as a whole.
//!
//! They are made with their runs by [`Runs::create_runs`](super::Runs::create_runs); their limits
//! hold in [`Queue::claim`](super::Queue::claim).

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::error::Result;
use crate::model::{
    Backfill, BackfillId, BackfillRun, Cancel, Page, PageRequest, PipelineId, Scope,
};

/// A backfill to be made. Its tenant is its pipeline's.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewBackfill {
    /// The backfill as it starts; its counts follow from its runs.
    pub backfill: Backfill,
    /// Whether dates that were run successfully before are left out.
    pub skip_existing: bool,
}

impl NewBackfill {
    /// A backfill of all its dates.
    #[must_use]
    pub const fn new(backfill: Backfill) -> Self {
        Self {
            backfill,
            skip_existing: false,
        }
    }
}

/// A backfill with its runs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackfillDetail {
    /// The backfill.
    pub backfill: Backfill,
    /// Its runs that were not purged, the oldest date first.
    pub runs: Vec<BackfillRun>,
}

impl BackfillDetail {
    /// A backfill with its runs.
    #[must_use]
    pub const fn new(backfill: Backfill, runs: Vec<BackfillRun>) -> Self {
        Self { backfill, runs }
    }
}

/// Which backfills a list has; all conditions together.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct BackfillFilter {
    /// Whose.
    pub scope: Scope,
    /// Only this backfill: whether it exists is then asked without its runs.
    pub backfill: Option<BackfillId>,
    /// Only of this pipeline.
    pub pipeline: Option<PipelineId>,
}

/// A wish to cancel all that is left of a backfill.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CancelBackfill {
    /// The backfill.
    pub backfill: BackfillId,
    /// Whose backfills are seen.
    pub scope: Scope,
    /// How; `Forced` escalates a plain one, a plain one changes nothing about a forced one.
    pub cancel: Cancel,
    /// The time of the wish.
    pub now: DateTime<Utc>,
}

impl CancelBackfill {
    /// A wish to cancel this backfill, in every scope.
    #[must_use]
    pub const fn new(backfill: BackfillId, cancel: Cancel, now: DateTime<Utc>) -> Self {
        Self {
            backfill,
            scope: Scope::All,
            cancel,
            now,
        }
    }
}

/// Where a backfill stands after a wish to cancel.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CancelledBackfill {
    /// The backfill with its runs.
    pub detail: BackfillDetail,
    /// The newest event.
    pub seq: u64,
}

impl CancelledBackfill {
    /// Where the backfill stands.
    #[must_use]
    pub const fn new(detail: BackfillDetail, seq: u64) -> Self {
        Self { detail, seq }
    }
}

/// Backfills.
#[async_trait]
pub trait Backfills: Send + Sync + 'static {
    /// The backfill with its runs. It ends `failed` when a run of it failed, else `cancelled` when
    /// one was cancelled, else `success`, at the time of its last run's end; its counts MUST equal
    /// a recount of its runs at any time, and it MUST be gone with the last of them that is purged.
    ///
    /// # Errors
    /// `Unavailable` when storage cannot answer.
    async fn find_backfill(
        &self,
        backfill: BackfillId,
        scope: &Scope,
    ) -> Result<Option<BackfillDetail>>;

    /// A page of backfills, the greatest id first. A cursor is a backfill's id and MUST work though
    /// that one was purged.
    ///
    /// # Errors
    /// `Malformed` (`invalid-parameter`) when the cursor is none.
    async fn list_backfills(
        &self,
        filter: BackfillFilter,
        page: PageRequest,
    ) -> Result<Page<Backfill>>;

    /// Asks every unfinished run of a backfill to cancel, the oldest date first, each as
    /// [`request_cancel`](super::Runs::request_cancel) does, in one step. One that has ended after
    /// such a wish answers as it stands.
    ///
    /// # Errors
    /// `NotFound` (`backfill-not-found`); `RunFinished` (`run-finished`) when it has ended by
    /// itself.
    async fn cancel_backfill(&self, cancel: CancelBackfill) -> Result<CancelledBackfill>;
}
