//! A backfill: the runs of a pipeline for a range of dates, made together and followed as one.
//!
//! Its runs are [`Run`](super::Run)s that name it; which of them executes next is decided by
//! storage.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::{BackfillId, Cancel, PipelineId, RunId, RunStatus, TenantId};

/// Where a backfill stands. It follows from its runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum BackfillStatus {
    /// A run of it waits or executes.
    Running,
    /// All its runs succeeded.
    Success,
    /// A run failed, also one that was resumed with success since: a resume is a run of its own.
    Failed,
    /// None failed, and some were cancelled.
    Cancelled,
}

/// In which order the dates of a backfill are executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub enum BackfillOrder {
    /// The oldest date first.
    #[default]
    #[serde(rename = "asc")]
    Ascending,
    /// The newest date first.
    #[serde(rename = "desc")]
    Descending,
}

/// The runs of a backfill by where they stand; purged ones are counted no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct BackfillCounts {
    /// Runs that wait.
    pub pending: u64,
    /// Runs that execute.
    pub running: u64,
    /// Runs that succeeded.
    pub success: u64,
    /// Runs that failed.
    pub failed: u64,
    /// Runs that were cancelled.
    pub cancelled: u64,
}

/// A backfill as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backfill {
    /// Its id.
    pub id: BackfillId,
    /// Its pipeline.
    pub pipeline_id: PipelineId,
    /// The tenant it belongs to: its pipeline's when it was created.
    pub tenant: Option<TenantId>,
    /// Where it stands.
    pub status: BackfillStatus,
    /// The first date of the range.
    pub start_date: NaiveDate,
    /// The last date of the range, included.
    pub end_date: NaiveDate,
    /// In which order the dates are executed.
    pub order: BackfillOrder,
    /// How many of its runs may execute at once.
    pub max_parallel: u32,
    /// How many runs may fail: with the last of them the rest is cancelled.
    pub max_failures: Option<u32>,
    /// Whether and how its rest was asked to stop, by a caller or since too many runs failed.
    pub cancel: Option<Cancel>,
    /// Its runs by where they stand.
    pub counts: BackfillCounts,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When its last run ended.
    pub finished_at: Option<DateTime<Utc>>,
}

impl Backfill {
    /// A backfill of the dates from the first to the last that executes one run at a time; what is
    /// optional is set afterwards.
    #[must_use]
    pub const fn new(
        id: BackfillId,
        pipeline_id: PipelineId,
        (start_date, end_date): (NaiveDate, NaiveDate),
        created_at: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            pipeline_id,
            tenant: None,
            status: BackfillStatus::Running,
            start_date,
            end_date,
            order: BackfillOrder::Ascending,
            max_parallel: 1,
            max_failures: None,
            cancel: None,
            counts: BackfillCounts {
                pending: 0,
                running: 0,
                success: 0,
                failed: 0,
                cancelled: 0,
            },
            created_at,
            finished_at: None,
        }
    }
}

/// One run of a backfill, in short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackfillRun {
    /// The run.
    pub id: RunId,
    /// Its date.
    pub date: NaiveDate,
    /// Where it stands.
    pub status: RunStatus,
}

impl BackfillRun {
    /// The run of a date.
    #[must_use]
    pub const fn new(id: RunId, date: NaiveDate, status: RunStatus) -> Self {
        Self { id, date, status }
    }
}

/// What a backfill would run, and which dates it would leave out since they were run successfully
/// before; each the oldest date first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BackfillPreview {
    /// The dates that would run.
    pub dates: Vec<NaiveDate>,
    /// The dates that would be left out.
    pub skipped: Vec<NaiveDate>,
}

impl BackfillPreview {
    /// These dates run, and those are left out.
    #[must_use]
    pub const fn new(dates: Vec<NaiveDate>, skipped: Vec<NaiveDate>) -> Self {
        Self { dates, skipped }
    }
}
