//! Backfills: find, list, cancel.
//!
//! [`Runs::create_runs`](super::Runs::create_runs) creates a backfill with its runs.
//! [`Queue::claim`](super::Queue::claim) applies its limits.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::NewAudit;
use crate::error::Result;
use crate::model::{
    Backfill, BackfillId, BackfillRun, CallerName, Cancel, Page, PageRequest, Pause, PipelineId,
    RunCancel, Scope,
};

/// A backfill to create. It gets the tenant of its pipeline.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewBackfill {
    /// The backfill. It is neither paused nor finished, whatever it says, and its counts are
    /// computed from its runs.
    pub backfill: Backfill,
    /// Whether runs are skipped that have a successful one of the same date or instant, or whose
    /// repeated run has succeeded since.
    ///
    /// Only runs whose date is at most two days from that of a new run need to be looked at: the
    /// date of a run is the day of its instant in some time zone.
    pub skip_existing: bool,
}

impl NewBackfill {
    /// Creates a backfill that skips no run.
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
    /// Its runs that were not purged, the oldest date and instant first.
    pub runs: Vec<BackfillRun>,
}

impl BackfillDetail {
    /// Creates a backfill with its runs.
    #[must_use]
    pub const fn new(backfill: Backfill, runs: Vec<BackfillRun>) -> Self {
        Self { backfill, runs }
    }
}

/// The backfills that a list contains. A backfill must meet every condition.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct BackfillFilter {
    /// The scope of the caller.
    pub scope: Scope,
    /// Only this backfill. Answers whether it exists without reading its runs.
    pub backfill: Option<BackfillId>,
    /// Only backfills of the pipelines with this id. Each tenant in scope may have one.
    pub pipeline: Option<PipelineId>,
}

/// A request to cancel a backfill and its unfinished runs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CancelBackfill {
    /// The backfill.
    pub backfill: BackfillId,
    /// The scope of the caller. A backfill outside it is not found.
    pub scope: Scope,
    /// How to cancel. `Forced` replaces an earlier `Plain`, but not the other way around.
    pub cancel: Cancel,
    /// Who requests it. Each run records it.
    pub by: Option<CallerName>,
    /// Why. Each run records it.
    pub reason: Option<String>,
    /// The time of the request.
    pub now: DateTime<Utc>,
    /// The entry of the audit, if the command has one.
    pub audit: Option<NewAudit>,
}

impl CancelBackfill {
    /// Creates a request in every scope.
    #[must_use]
    pub const fn new(backfill: BackfillId, cancel: Cancel, now: DateTime<Utc>) -> Self {
        Self {
            backfill,
            scope: Scope::All,
            cancel,
            by: None,
            reason: None,
            now,
            audit: None,
        }
    }

    /// Returns what each run records of the request.
    #[must_use]
    pub fn record(&self) -> RunCancel {
        let mut record = RunCancel::new(self.cancel, self.now);
        record.by.clone_from(&self.by);
        record.reason.clone_from(&self.reason);
        record
    }
}

/// A request to pause a backfill, or to end its pause.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SetBackfillPause {
    /// The backfill.
    pub backfill: BackfillId,
    /// The pause, or `None` to end it.
    pub pause: Option<Pause>,
    /// The scope of the caller. A backfill outside it is not found.
    pub scope: Scope,
    /// The entry of the audit, if the command has one.
    pub audit: Option<NewAudit>,
}

impl SetBackfillPause {
    /// Creates a request in every scope.
    #[must_use]
    pub const fn new(backfill: BackfillId, pause: Option<Pause>) -> Self {
        Self {
            backfill,
            pause,
            scope: Scope::All,
            audit: None,
        }
    }
}

/// The result of a request to cancel a backfill.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CancelBackfillOutcome {
    /// The backfill with its runs, after the request.
    pub detail: BackfillDetail,
    /// The number of the newest event.
    pub seq: u64,
}

impl CancelBackfillOutcome {
    /// Creates a result.
    #[must_use]
    pub const fn new(detail: BackfillDetail, seq: u64) -> Self {
        Self { detail, seq }
    }
}

/// Finds, lists, pauses and cancels backfills.
#[async_trait]
pub trait Backfills: Send + Sync + 'static {
    /// Returns a backfill with its runs, or `None` if it is not found.
    ///
    /// - A backfill MUST finish with its last run, at the same time. Its status is `failed` if a
    ///   run failed, else `cancelled` if one was cancelled, else `success`.
    /// - Once a resume succeeds, the failed run that its chain began with MUST count as a success
    ///   of its backfill, also after the resume was purged. The status of a finished backfill MUST
    ///   follow.
    /// - Apart from that, its counts MUST equal a recount of its runs at any time.
    /// - It MUST be deleted with the last of its runs that is purged.
    ///
    /// # Errors
    /// `Unavailable` if storage cannot answer.
    async fn find_backfill(
        &self,
        backfill: BackfillId,
        scope: &Scope,
    ) -> Result<Option<BackfillDetail>>;

    /// Returns a page of backfills, the greatest id first.
    ///
    /// A cursor is the id of a backfill. It MUST work even if that backfill was deleted.
    ///
    /// # Errors
    /// `Malformed` (`invalid-parameter`): the cursor is not the id of a backfill.
    async fn list_backfills(
        &self,
        filter: BackfillFilter,
        page: PageRequest,
    ) -> Result<Page<Backfill>>;

    /// Pauses a backfill, or ends its pause, and returns the backfill with its runs as it is
    /// afterwards.
    ///
    /// - While a backfill is paused, its status MUST be `paused`, and none of its pending runs MUST
    ///   be claimed ([`claim`](super::Queue::claim)). Runs that execute MUST go on.
    /// - The pause of a paused backfill MUST change nothing: the first one stands.
    /// - A cancel MUST end the pause, also one by `max_failures`, and so MUST the end of the last
    ///   run.
    ///
    /// # Errors
    /// - `NotFound` (`backfill-not-found`): the backfill is not found.
    /// - `RunFinished` (`run-finished`): it has finished, or it is to be paused and was cancelled.
    async fn set_backfill_pause(&self, request: SetBackfillPause) -> Result<BackfillDetail>;

    /// Requests the cancel of every unfinished run of a backfill, the oldest date first.
    ///
    /// - Each run MUST be cancelled as by [`request_cancel`](super::Runs::request_cancel), all in
    ///   one step.
    /// - A backfill that finished after an earlier request MUST stay as it is.
    ///
    /// # Errors
    /// - `NotFound` (`backfill-not-found`): the backfill is not found.
    /// - `RunFinished` (`run-finished`): it finished without a request, also if its failures have
    ///   cancelled its other runs.
    async fn cancel_backfill(&self, cancel: CancelBackfill) -> Result<CancelBackfillOutcome>;
}
