//! The storage as a whole: statistics, figures, purge and close.
//!
//! `views` decides what a page shows.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};

use super::NewAudit;
use crate::error::Result;
use crate::model::{PipelineId, Qualified, RunId, Scope};

/// The statistics of a storage.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// The number of pipelines in scope.
    pub pipeline_count: u64,
    /// The number of `running` runs in scope.
    pub running_count: u64,
    /// The number of `pending` runs in scope.
    pub pending_count: u64,
    /// The size of the storage in bytes, its logs included.
    pub bytes: u64,
    /// The greatest number of a purged event, or 0 before the first purge.
    pub purged_seq: u64,
    /// The number of dead letters: events of runs in scope whose delivery was given up.
    pub dead_letter_count: u64,
    /// The number of stored rows that could not be read since the storage was opened. Each costs
    /// what it holds, such as one run.
    pub unreadable_count: u64,
    /// The kind of storage in one word, such as `sqlite` or `memory`.
    pub kind: &'static str,
}

/// How figures are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum FiguresBy {
    /// One entry for each day that has runs, oldest first.
    #[default]
    Day,
    /// One entry for each pipeline in scope that exists and has failed runs, over all days of the
    /// filter. The entries are sorted by failed runs in descending order, then by id and tenant.
    FailingPipeline {
        /// The maximum number of entries.
        count_max: u32,
    },
}

/// The runs that figures count, and how they are grouped.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FiguresFilter {
    /// The scope of the caller.
    pub scope: Scope,
    /// Only runs of the pipelines with this id. Each tenant in scope may have one.
    pub pipeline: Option<PipelineId>,
    /// The first day (UTC).
    pub from: NaiveDate,
    /// The last day (UTC), inclusive.
    pub to: NaiveDate,
    /// How the figures are grouped.
    pub by: FiguresBy,
}

impl FiguresFilter {
    /// Creates a filter for all pipelines in every scope, grouped by day.
    #[must_use]
    pub const fn new(from: NaiveDate, to: NaiveDate) -> Self {
        Self {
            scope: Scope::All,
            pipeline: None,
            from,
            to,
            by: FiguresBy::Day,
        }
    }
}

/// Runs counted by status: those created on one day, or those of one pipeline on several days.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Figures {
    /// The UTC day of creation. Figures of a pipeline have the first day of the filter.
    pub date: NaiveDate,
    /// The pipeline, if the figures are grouped by pipeline.
    pub pipeline: Option<Qualified<PipelineId>>,
    /// The number of pending runs.
    pub pending: u64,
    /// The number of running runs.
    pub running: u64,
    /// The number of successful runs.
    pub success: u64,
    /// The number of failed runs.
    pub failed: u64,
    /// The number of cancelled runs.
    pub cancelled: u64,
}

impl Figures {
    /// Creates the figures of a day without runs.
    #[must_use]
    pub const fn new(date: NaiveDate) -> Self {
        Self {
            date,
            pipeline: None,
            pending: 0,
            running: 0,
            success: 0,
            failed: 0,
            cancelled: 0,
        }
    }
}

/// Whether a purge deletes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum PurgeMode {
    /// It deletes runs.
    #[default]
    Delete,
    /// It counts the runs that it would delete.
    Preview,
}

/// A position in the order in which a purge reads finished runs: by finish time, then by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct PurgeCursor {
    /// When the run finished.
    pub finished_at: DateTime<Utc>,
    /// The run, which may have been purged.
    pub run: RunId,
}

impl PurgeCursor {
    /// Creates the position of a run that finished at this time.
    #[must_use]
    pub const fn new(finished_at: DateTime<Utc>, run: RunId) -> Self {
        Self { finished_at, run }
    }
}

/// One step of a purge of finished runs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Purge {
    /// Only runs that finished before this time.
    pub before: DateTime<Utc>,
    /// The maximum number of runs that this step reads, retained ones and those of other tenants
    /// included. It bounds the work of a step.
    pub count_max: u32,
    /// The scope of the caller.
    pub scope: Scope,
    /// How many of the newest finished runs (greatest ids) of each pipeline are retained at any
    /// age.
    pub keep_last: u32,
    /// Where the previous step stopped.
    pub after: Option<PurgeCursor>,
    /// Whether the runs are deleted or counted.
    pub mode: PurgeMode,
    /// The entry of the audit, if the purge has one and this is its first step.
    pub audit: Option<NewAudit>,
}

impl Purge {
    /// Creates a first step in every scope that deletes up to `count_max` runs.
    #[must_use]
    pub const fn new(before: DateTime<Utc>, count_max: u32) -> Self {
        Self {
            before,
            count_max,
            scope: Scope::All,
            keep_last: 0,
            after: None,
            mode: PurgeMode::Delete,
            audit: None,
        }
    }
}

/// The result of a step of a purge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PurgeOutcome {
    /// The number of runs that were deleted, or would be in a preview.
    pub deleted: u64,
    /// Where the next step continues: after the last run that was read. `None` if this step read
    /// fewer than `count_max` runs.
    pub next: Option<PurgeCursor>,
}

impl PurgeOutcome {
    /// Creates a result.
    #[must_use]
    pub const fn new(deleted: u64, next: Option<PurgeCursor>) -> Self {
        Self { deleted, next }
    }
}

/// Measures, purges and closes a storage.
#[async_trait]
pub trait System: Send + Sync + 'static {
    /// Returns the statistics of the storage.
    ///
    /// # Errors
    /// `Unavailable` if storage cannot answer.
    async fn stats(&self, scope: &Scope) -> Result<Stats>;

    /// Returns the numbers of runs by status, grouped by UTC day of creation or by failing
    /// pipeline.
    ///
    /// - Entries that count nothing MUST be omitted.
    /// - The figures MUST equal a recount at any time.
    ///
    /// # Errors
    /// `Unavailable` if storage cannot answer.
    async fn figures(&self, filter: FiguresFilter) -> Result<Vec<Figures>>;

    /// Deletes finished runs, the earliest finished first.
    ///
    /// - A run's events, node rows, previews, profiles, keys and outputs MUST be deleted with it,
    ///   and the figures MUST no longer count it.
    /// - An output that a resume holds MUST be retained.
    /// - A pending or running run MUST be retained, and so MUST the newest [`Purge::keep_last`] of
    ///   a pipeline.
    /// - A run MUST be retained while a notifier still needs one of its events
    ///   ([`Deliveries`](super::Deliveries)).
    /// - A preview MUST change nothing.
    ///
    /// # Errors
    /// `Unavailable`. In that case, nothing was deleted.
    async fn purge(&self, purge: Purge) -> Result<PurgeOutcome>;

    /// Closes the storage: writes what is queued, then closes files.
    ///
    /// A repeated close MUST be harmless. Every other later call MUST fail with `ShuttingDown`.
    ///
    /// # Errors
    /// `Internal` if the close failed. No acknowledged write is lost then.
    async fn close(&self) -> Result<()>;
}
