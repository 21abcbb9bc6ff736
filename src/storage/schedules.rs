//! Schedules: their cursors, and the outcomes of their ticks.
//!
//! `cron` and the scheduler decide when a tick is due.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{NewRun, ReplacedRun};
use crate::error::Result;
use crate::model::{Overlap, PipelineId, Qualified, Scope, SkipReason, StoredPipeline};

/// A pipeline with a schedule, and the schedule's cursor.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StoredSchedule {
    /// The pipeline, enabled or disabled. Its definition has a schedule.
    pub pipeline: StoredPipeline,
    /// The scheduler is done with every tick up to and including this time.
    pub cursor: DateTime<Utc>,
    /// The latest tick that created a run.
    pub last_run: Option<DateTime<Utc>>,
    /// Why the latest skipped tick created no run. `None` once a later tick creates a run.
    pub skipped: Option<SkipReason>,
}

impl StoredSchedule {
    /// Creates a schedule that has not had an outcome of a tick yet.
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

/// A request to advance the cursor of a schedule.
///
/// It either creates the run of one tick, or passes missed ticks without a run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Advance {
    /// The pipeline.
    pub pipeline: Qualified<PipelineId>,
    /// The version of the definition that the request is based on.
    pub version: u32,
    /// The cursor that the request is based on.
    pub from: DateTime<Utc>,
    /// The new cursor.
    pub to: DateTime<Utc>,
    /// The run of the tick, with the time of the tick in `fire_at`.
    pub run: Option<NewRun>,
    /// What happens while another run of the schedule is unfinished.
    pub overlap: Overlap,
    /// The maximum number of pending runs of the pipeline, the new one included.
    pub queued_pipeline_max: u64,
    /// The maximum number of pending runs in total, the new one included.
    pub queued_max: u64,
}

impl Advance {
    /// Creates a request that passes missed ticks, without a run and without limits on the queue.
    #[must_use]
    pub fn new(schedule: &StoredSchedule, to: DateTime<Utc>) -> Self {
        Self {
            pipeline: schedule.pipeline.qualified_id(),
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

/// The outcome of a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TickOutcome {
    /// Its run was created.
    Created,
    /// Its run was not created, for this reason.
    Skipped(SkipReason),
    /// The pipeline already has a run of this tick.
    Taken,
    /// The request had no run.
    Passed,
    /// The stored version or cursor differs from that of the request. Nothing changed.
    Stale,
}

/// The result of advancing a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AdvanceOutcome {
    /// The outcome of the tick.
    pub tick: TickOutcome,
    /// The runs that were cancelled for the run of the tick, the oldest first, each once.
    pub replaced: Vec<ReplacedRun>,
    /// The number of the newest event.
    pub seq: u64,
}

impl AdvanceOutcome {
    /// Creates a result.
    #[must_use]
    pub const fn new(tick: TickOutcome, seq: u64) -> Self {
        Self {
            tick,
            replaced: Vec::new(),
            seq,
        }
    }
}

/// Reads and advances schedules.
#[async_trait]
pub trait Schedules: Send + Sync + 'static {
    /// Returns every pipeline whose definition has a schedule, by id and then by tenant.
    ///
    /// - A save that adds the schedule, changes it or its zone, or enables the pipeline MUST set
    ///   the cursor to the save's `now`. A schedule without a zone has the zone `UTC`.
    /// - Any other save MUST keep the cursor.
    /// - A changed schedule MUST keep `last_run`.
    /// - A schedule MUST be deleted with its pipeline.
    /// - A save of a definition without a schedule MUST delete the stored schedule.
    /// - An unreadable row MUST NOT hide the other schedules.
    ///
    /// # Errors
    /// `Unavailable` if storage cannot answer.
    async fn schedules(&self, scope: &Scope) -> Result<Vec<StoredSchedule>>;

    /// Creates the run of a tick, or records why not, and moves the cursor, in one atomic step.
    ///
    /// - It MUST change nothing (`Stale`) if the stored version or cursor differs from that of the
    ///   request.
    /// - A second run with the same `fire_at` MUST NOT be created (`Taken`).
    /// - While the pipeline is paused, the run MUST NOT be created (`Skipped`), and no other run is
    ///   replaced.
    /// - With [`Overlap::Skip`], the run MUST NOT be created while a run of the schedule is
    ///   unfinished (`Skipped`). Runs of a schedule have the trigger `schedule` or `catchup`. The
    ///   reason is `Blocked` while a gate is closed
    ///   ([`Dependencies`](super::Dependencies)) and none of these runs executes.
    /// - With [`Overlap::CancelRunning`], each other unfinished run of the schedule MUST be
    ///   cancelled with the creation of the run, as by
    ///   [`request_cancel`](super::Runs::request_cancel) with
    ///   [`RunCancel::of_tick`](crate::RunCancel::of_tick) at the creation of the run, and MUST be
    ///   returned. If the run is not created, none is cancelled.
    /// - The run MUST NOT be created if [`create_runs`](super::Runs::create_runs) would refuse it
    ///   for its concurrency key, or if it exceeds a limit of the queue (`Skipped`).
    /// - The runs that the creation replaces for its concurrency key MUST be returned, too.
    /// - `Taken` and `Skipped` MUST move the cursor too. The reason of `Skipped` MUST be stored
    ///   until the next run is created.
    ///
    /// # Errors
    /// `Unavailable` or `StorageFull`. In both cases, nothing changes.
    async fn advance(&self, advance: Advance) -> Result<AdvanceOutcome>;
}
