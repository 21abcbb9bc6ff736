//! The store as a whole: its figures, its size, purge, and its end.
//!
//! What a page shows is composed by `views`.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};

use crate::error::Result;
use crate::model::{PipelineId, RunId, Scope};

/// The store in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Pipelines in scope.
    pub pipeline_count: u64,
    /// Runs in scope that are `running`.
    pub running_count: u64,
    /// Runs in scope that are `pending`.
    pub pending_count: u64,
    /// Bytes that the store takes.
    pub bytes: u64,
    /// The greatest number of an event that purge has taken; 0 where it took none.
    pub purged_seq: u64,
    /// Events of runs in scope that a notifier was not brought and will not be: dead letters.
    pub dead_letter_count: u64,
    /// What sort of store it is, in one word: `sqlite`, `memory`.
    pub kind: &'static str,
}

/// What figures are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum FiguresBy {
    /// One entry for each day that has runs, oldest first.
    #[default]
    Day,
    /// One entry for each pipeline that exists in scope and has runs, over all the days asked for:
    /// those with the most failed runs first, equal ones by id.
    Pipeline {
        /// How many at most.
        count_max: u32,
    },
}

/// Which figures are asked for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FiguresFilter {
    /// Whose.
    pub scope: Scope,
    /// Only of this pipeline.
    pub pipeline: Option<PipelineId>,
    /// The first day (UTC).
    pub from: NaiveDate,
    /// The last day (UTC), included.
    pub to: NaiveDate,
    /// What they are counted by.
    pub by: FiguresBy,
}

impl FiguresFilter {
    /// The figures of these days, over all pipelines in every scope.
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

/// Runs created on one day, or on several by one pipeline, counted by where they stand now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Figures {
    /// The UTC day on which they were created; the first one where they are counted by pipeline.
    pub date: NaiveDate,
    /// Their pipeline, where they are counted by it.
    pub pipeline: Option<PipelineId>,
    /// Of them pending.
    pub pending: u64,
    /// Of them running.
    pub running: u64,
    /// Of them succeeded.
    pub success: u64,
    /// Of them failed.
    pub failed: u64,
    /// Of them cancelled.
    pub cancelled: u64,
}

impl Figures {
    /// A day without runs.
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
    /// It does.
    #[default]
    Delete,
    /// It only counts what it would delete.
    Preview,
}

/// A place in the order in which a purge looks at finished runs: by the time of their end, equal
/// ones by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct PurgeCursor {
    /// When the run ended.
    pub finished_at: DateTime<Utc>,
    /// The run, which may be gone.
    pub run: RunId,
}

impl PurgeCursor {
    /// The place of a run that ended then.
    #[must_use]
    pub const fn new(finished_at: DateTime<Utc>, run: RunId) -> Self {
        Self { finished_at, run }
    }
}

/// Which finished runs to delete.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Purge {
    /// Those finished before.
    pub before: DateTime<Utc>,
    /// How many at most are looked at in this step, those of other tenants and those that stay
    /// among them, so that a step's work has an end.
    pub count_max: u32,
    /// Whose.
    pub scope: Scope,
    /// So many of the newest (greatest ids) finished runs of each pipeline are left, whatever their
    /// age.
    pub keep_last: u32,
    /// Where the step before this one ended.
    pub after: Option<PurgeCursor>,
    /// Whether they are deleted or counted.
    pub mode: PurgeMode,
}

impl Purge {
    /// Up to `count_max` runs finished before this time, in every scope.
    #[must_use]
    pub const fn new(before: DateTime<Utc>, count_max: u32) -> Self {
        Self {
            before,
            count_max,
            scope: Scope::All,
            keep_last: 0,
            after: None,
            mode: PurgeMode::Delete,
        }
    }
}

/// What a purge deleted, or would delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PurgeOutcome {
    /// How many runs.
    pub deleted: u64,
    /// Where the next step begins: behind the last run that was looked at; nothing once fewer than
    /// `count_max` were.
    pub next: Option<PurgeCursor>,
}

impl PurgeOutcome {
    /// So many runs, and where the next step begins.
    #[must_use]
    pub const fn new(deleted: u64, next: Option<PurgeCursor>) -> Self {
        Self { deleted, next }
    }
}

/// The store as a whole.
#[async_trait]
pub trait System: Send + Sync + 'static {
    /// The store in numbers.
    ///
    /// # Errors
    /// `Unavailable` when storage cannot answer.
    async fn stats(&self, scope: &Scope) -> Result<Stats>;

    /// Runs by the UTC day of their creation or by pipeline, without entries that count nothing.
    /// They MUST equal a recount at any time.
    ///
    /// # Errors
    /// `Unavailable` when storage cannot answer.
    async fn figures(&self, filter: FiguresFilter) -> Result<Vec<Figures>>;

    /// Deletes finished runs, the longest finished first, with their events, node rows, previews,
    /// profiles, keys and outputs, and takes them off the figures. An output that a resume holds
    /// MUST stay. An active run MUST NOT be touched, nor one of the [`Purge::keep_last`], nor one
    /// with an event that a notifier has not got yet ([`Deliveries`](super::Deliveries)). A preview
    /// MUST change nothing.
    ///
    /// # Errors
    /// `Unavailable`; nothing was deleted then.
    async fn purge(&self, purge: Purge) -> Result<PurgeOutcome>;

    /// Ends the store in order: what was queued is written, files are closed. Repeating it is
    /// harmless; later writes answer `ShuttingDown`.
    ///
    /// # Errors
    /// `Internal` when the end was not in order; nothing acknowledged is lost then.
    async fn close(&self) -> Result<()>;
}
