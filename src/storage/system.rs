//! The store as a whole: its figures, its size, purge, and its end.
//!
//! What a page shows is composed by `views`.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};

use crate::error::Result;
use crate::model::{PipelineId, Scope};

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
        }
    }
}

/// Runs created on one day, counted by where they stand now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Figures {
    /// The UTC day on which they were created.
    pub date: NaiveDate,
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
            pending: 0,
            running: 0,
            success: 0,
            failed: 0,
            cancelled: 0,
        }
    }
}

/// Which finished runs to delete.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Purge {
    /// Those finished before.
    pub before: DateTime<Utc>,
    /// How many at most in this step.
    pub count_max: u32,
    /// Whose.
    pub scope: Scope,
}

impl Purge {
    /// Up to `count_max` runs finished before this time, in every scope.
    #[must_use]
    pub const fn new(before: DateTime<Utc>, count_max: u32) -> Self {
        Self {
            before,
            count_max,
            scope: Scope::All,
        }
    }
}

/// What a purge deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Purged {
    /// How many runs.
    pub deleted: u64,
}

impl Purged {
    /// So many runs.
    #[must_use]
    pub const fn new(deleted: u64) -> Self {
        Self { deleted }
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

    /// Runs by the UTC day of their creation, one entry for each day that has some, oldest first. They MUST equal a recount at any time.
    ///
    /// # Errors
    /// `Unavailable` when storage cannot answer.
    async fn figures(&self, filter: FiguresFilter) -> Result<Vec<Figures>>;

    /// Deletes finished runs, the longest finished first, with their events, node rows, previews, profiles, keys and outputs,
    /// and takes them off the figures. An output that a resume holds MUST stay. An active run MUST NOT be touched, nor one with an event that a notifier
    /// has not got yet ([`Deliveries`](super::Deliveries)).
    ///
    /// # Errors
    /// `Unavailable`; nothing was deleted then.
    async fn purge(&self, purge: Purge) -> Result<Purged>;

    /// Ends the store in order: what was queued is written, files are closed. Repeating it is harmless; later writes answer `ShuttingDown`.
    ///
    /// # Errors
    /// `Internal` when the end was not in order; nothing acknowledged is lost then.
    async fn close(&self) -> Result<()>;
}
