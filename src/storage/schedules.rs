//! Schedules: how far each has come, and what becomes of its next tick.
//!
//! When a tick is due is decided above, by `cron` and the scheduler.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::NewRun;
use crate::error::Result;
use crate::model::{Overlap, PipelineId, Scope, SkipReason, StoredPipeline};

/// A pipeline with a schedule, and how far that has come.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StoredSchedule {
    /// The pipeline, enabled or not; its definition has a schedule.
    pub pipeline: StoredPipeline,
    /// Up to when ticks are decided, this instant included.
    pub cursor: DateTime<Utc>,
    /// The instant of the latest tick that made a run.
    pub last_run: Option<DateTime<Utc>>,
    /// Why the latest tick made none, where it did not.
    pub skipped: Option<SkipReason>,
}

impl StoredSchedule {
    /// A schedule that has had no tick yet.
    #[must_use]
    pub const fn new(pipeline: StoredPipeline, cursor: DateTime<Utc>) -> Self {
        Self {
            pipeline,
            cursor,
            last_run: None,
            skipped: None,
        }
    }
}

/// A step of a schedule: a tick with its run, or ticks that were missed and make none.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Advance {
    /// The pipeline.
    pub pipeline: PipelineId,
    /// The version of its definition by which this was decided.
    pub version: u32,
    /// The cursor as it was found.
    pub from: DateTime<Utc>,
    /// The cursor from then on.
    pub to: DateTime<Utc>,
    /// The run of the tick, with its instant in `fire_at`.
    pub run: Option<NewRun>,
    /// Whether it is made while a run of the schedule is unfinished.
    pub overlap: Overlap,
    /// Runs of the pipeline that may wait.
    pub queued_pipeline_max: u64,
    /// Runs that may wait in all.
    pub queued_max: u64,
}

impl Advance {
    /// A step over missed ticks, without a run.
    #[must_use]
    pub fn new(schedule: &StoredSchedule, to: DateTime<Utc>) -> Self {
        Self {
            pipeline: schedule.pipeline.id.clone(),
            version: schedule.pipeline.version,
            from: schedule.cursor,
            to,
            run: None,
            overlap: schedule.pipeline.definition.overlap,
            queued_pipeline_max: u64::MAX,
            queued_max: u64::MAX,
        }
    }
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tick {
    /// Its run is made.
    Made,
    /// Its run is not made, for this reason.
    Skipped(SkipReason),
    /// The pipeline has a run of this instant already.
    Taken,
    /// No run was given.
    Passed,
    /// The schedule is not as it was found: nothing changed.
    Stale,
}

/// The answer to a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct AdvancedSchedule {
    /// What became of it.
    pub tick: Tick,
    /// The newest event.
    pub seq: u64,
}

impl AdvancedSchedule {
    /// An answer.
    #[must_use]
    pub const fn new(tick: Tick, seq: u64) -> Self {
        Self { tick, seq }
    }
}

/// How far schedules have come.
#[async_trait]
pub trait Schedules: Send + Sync + 'static {
    /// Every pipeline whose definition has a schedule, by id.
    ///
    /// A schedule MUST begin, with its cursor at the save's `now`, when the pipeline is first saved
    /// with it, when it or its zone is changed, and when the pipeline is enabled; any other save
    /// MUST keep its cursor (no zone and `UTC` are the same). What a pipeline ran last MUST outlive
    /// a changed schedule. It MUST end with its pipeline and with a save without it. One that
    /// cannot be read MUST NOT hide the others.
    ///
    /// # Errors
    /// `Unavailable` when storage cannot answer.
    async fn schedules(&self, scope: &Scope) -> Result<Vec<StoredSchedule>>;

    /// Makes the run of a tick, or notes why it is not made, and moves the cursor: in one step, all
    /// or nothing.
    ///
    /// It MUST change nothing (`Stale`) unless version and cursor are those that were found. The
    /// run MUST NOT be made, and the cursor moves all the same, when the pipeline has one of the
    /// same `fire_at` (`Taken`), when a run of the schedule (made by `schedule` or `catchup`) is
    /// unfinished and `overlap` says `skip`, and when the queue is full (`Skipped`, noted until the
    /// next run is made).
    ///
    /// # Errors
    /// `Unavailable` or `StorageFull`; nothing changed then.
    async fn advance(&self, advance: Advance) -> Result<AdvancedSchedule>;
}
