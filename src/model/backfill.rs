//! A backfill: runs of one pipeline for a range of dates, created and observed together.
//!
//! Each of its runs is a [`Run`](super::Run) with the id of the backfill. Storage decides which of
//! them executes next.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize, Serializer};

use super::{
    BackfillId, BackfillUnit, Cancel, Pause, PipelineId, RunId, RunStatus, TenantId, rfc3339,
};

/// The status of a backfill, which follows from the statuses of its runs.
///
/// On the wire it is the name in lower case.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use floret::{Pipeline, executor::Ctx, testing::memory};
/// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
/// # let daily = Pipeline::new("daily").node("load", "load");
/// # let floret = memory().node("load", load).pipeline(daily).start().await?;
/// use floret::BackfillStatus;
///
/// let (from, to) = ("2024-01-01".parse()?, "2024-01-03".parse()?);
/// let started = floret.backfill("daily", from..=to).start().await?;
/// let done = started.finished().await?.expect("no date was skipped");
/// match done.backfill.status {
///     BackfillStatus::Failed => println!("{} dates failed", done.backfill.counts.failed),
///     status => assert_eq!(status, BackfillStatus::Success),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum BackfillStatus {
    /// At least one run is pending or running.
    Running,
    /// At least one run is pending or running, and none of the pending ones starts.
    Paused,
    /// Every run succeeded.
    Success,
    /// At least one run failed. A resume is a run of its own, but once it succeeds, the failed run
    /// counts as a success and the status follows.
    Failed,
    /// No run failed and at least one was cancelled.
    Cancelled,
}

/// The order in which the dates of a backfill execute.
///
/// On the wire it is `asc` or `desc`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use floret::{Pipeline, executor::Ctx, testing::memory};
/// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
/// # let daily = Pipeline::new("daily").node("load", "load");
/// # let floret = memory().node("load", load).pipeline(daily).start().await?;
/// use floret::BackfillOrder;
///
/// let (from, to) = ("2024-01-01".parse()?, "2024-01-03".parse()?);
/// let newest_first = floret.backfill("daily", from..=to).order(BackfillOrder::Descending);
/// let done = newest_first.start().await?.finished().await?.expect("no date was skipped");
/// assert_eq!(done.backfill.order, BackfillOrder::Descending);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub enum BackfillOrder {
    /// Oldest date first, the default.
    #[default]
    #[serde(rename = "asc")]
    Ascending,
    /// Newest date first.
    #[serde(rename = "desc")]
    Descending,
}

/// The number of runs of a backfill per status. Purged runs do not count. A failed run whose resume
/// has succeeded counts as a success.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use floret::{Pipeline, executor::Ctx, testing::memory};
/// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
/// # let daily = Pipeline::new("daily").node("load", "load");
/// # let floret = memory().node("load", load).pipeline(daily).start().await?;
/// let (from, to) = ("2024-01-01".parse()?, "2024-01-03".parse()?);
/// let started = floret.backfill("daily", from..=to).start().await?;
/// let done = started.finished().await?.expect("no date was skipped");
/// let counts = done.backfill.counts;
/// assert_eq!((counts.success, counts.failed, counts.pending), (3, 0, 0));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct BackfillCounts {
    /// Runs that are pending.
    pub pending: u64,
    /// Runs that are running.
    pub running: u64,
    /// Runs that succeeded.
    pub success: u64,
    /// Runs that failed.
    pub failed: u64,
    /// Runs that were cancelled.
    pub cancelled: u64,
}

/// A backfill: its settings, its status and the counts of its runs.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use floret::{Pipeline, executor::Ctx, testing::memory};
/// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
/// # let daily = Pipeline::new("daily").node("load", "load");
/// # let floret = memory().node("load", load).pipeline(daily).start().await?;
/// use floret::BackfillStatus;
///
/// let (from, to) = ("2024-01-01".parse()?, "2024-01-03".parse()?);
/// let started = floret.backfill("daily", from..=to).start().await?;
/// let done = started.finished().await?.expect("no date was skipped");
/// assert_eq!(done.backfill.status, BackfillStatus::Success);
/// assert_eq!((done.backfill.start_date, done.backfill.end_date), (from, to));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backfill {
    /// The id of the backfill.
    pub id: BackfillId,
    /// The pipeline that its runs execute.
    pub pipeline_id: PipelineId,
    /// The tenant that owned the pipeline when the backfill was created.
    pub tenant: Option<TenantId>,
    /// The current status.
    pub status: BackfillStatus,
    /// The first date of the range.
    pub start_date: NaiveDate,
    /// The last date of the range, inclusive.
    pub end_date: NaiveDate,
    /// Which instants of these dates have a run.
    pub unit: BackfillUnit,
    /// The order in which the dates execute.
    pub order: BackfillOrder,
    /// The most runs that may execute at the same time, at least 1.
    pub max_parallel: u32,
    /// The number of failed runs at which the pending runs are cancelled, or `None` for no such
    /// limit.
    pub max_failures: Option<u32>,
    /// The pause, if it is paused. A cancel and the end of its last run end the pause.
    pub paused: Option<Pause>,
    /// The cancel request, if there is one: from a caller, or because `max_failures` was reached.
    pub cancel: Option<Cancel>,
    /// The backfill that this one repeats.
    pub rerun_of: Option<BackfillId>,
    /// The number of its runs per status.
    pub counts: BackfillCounts,
    /// When the backfill was created.
    pub created_at: DateTime<Utc>,
    /// When its last run finished, or `None` before that.
    pub finished_at: Option<DateTime<Utc>>,
}

impl Backfill {
    /// Creates a running backfill of the dates from the first to the last, inclusive.
    ///
    /// It has a run a date, and executes one at a time, oldest date first. Set the public fields to
    /// change that.
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
            unit: BackfillUnit::Day,
            order: BackfillOrder::Ascending,
            max_parallel: 1,
            max_failures: None,
            paused: None,
            cancel: None,
            rerun_of: None,
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

/// A run of a backfill in short form.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use floret::{Pipeline, executor::Ctx, testing::memory};
/// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
/// # let daily = Pipeline::new("daily").node("load", "load");
/// # let floret = memory().node("load", load).pipeline(daily).start().await?;
/// let (from, to) = ("2024-01-01".parse()?, "2024-01-03".parse()?);
/// let started = floret.backfill("daily", from..=to).start().await?;
/// let done = started.finished().await?.expect("no date was skipped");
/// for run in &done.runs {
///     println!("{}: run {} is {:?}", run.date, run.id, run.status);
/// }
/// assert!(done.runs.iter().all(|run| run.status.is_terminal()));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackfillRun {
    /// The id of the run.
    pub id: RunId,
    /// The date that the run processes.
    pub date: NaiveDate,
    /// The instant that the run processes. `None` only for a run from before Floret recorded it.
    pub scheduled_at: Option<DateTime<Utc>>,
    /// The current status.
    pub status: RunStatus,
}

impl BackfillRun {
    /// Creates the entry for a date, without an instant.
    #[must_use]
    pub const fn new(id: RunId, date: NaiveDate, status: RunStatus) -> Self {
        Self {
            id,
            date,
            scheduled_at: None,
            status,
        }
    }
}

/// The dates that a backfill would create runs for and the dates that it would skip. All lists are
/// sorted, oldest first.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use floret::{Pipeline, executor::Ctx, testing::memory};
/// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
/// # let daily = Pipeline::new("daily").node("load", "load");
/// # let floret = memory().node("load", load).pipeline(daily).start().await?;
/// let (from, to) = ("2024-01-01".parse()?, "2024-01-03".parse()?);
/// floret.backfill("daily", from..=from).start().await?.finished().await?;
/// let preview = floret.backfill("daily", from..=to).skip_existing().preview().await?;
/// assert_eq!(preview.skipped, [from]);
/// assert_eq!(preview.dates.len(), 2);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackfillPreview {
    /// The date of each run.
    pub dates: Vec<NaiveDate>,
    /// The date of each run that would be skipped because an earlier one of it succeeded.
    pub skipped: Vec<NaiveDate>,
    /// The instant of each run. Empty if the unit is [`BackfillUnit::Day`], and on the wire absent
    /// then.
    pub instants: Vec<DateTime<Utc>>,
    /// The instant of each run that would be skipped. Empty if the unit is [`BackfillUnit::Day`].
    pub skipped_instants: Vec<DateTime<Utc>>,
}

impl BackfillPreview {
    /// Creates a preview from both lists of dates, each sorted oldest date first.
    #[must_use]
    pub const fn new(dates: Vec<NaiveDate>, skipped: Vec<NaiveDate>) -> Self {
        Self {
            dates,
            skipped,
            instants: Vec::new(),
            skipped_instants: Vec::new(),
        }
    }
}

/// The fields of a preview, in the order of the wire contract.
#[derive(Serialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(
        rename = "BackfillPreview",
        description = "The dates that a backfill would create runs for and the dates that it would skip. All lists are sorted, oldest first."
    )
)]
struct PreviewBody<'a> {
    /// The date of each run.
    dates: &'a [NaiveDate],
    /// The date of each run that would be skipped because an earlier one of it succeeded.
    skipped: &'a [NaiveDate],
    /// The instant of each run. Absent if the unit is `day`.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "rfc3339::serialize_some_list"
    )]
    #[cfg_attr(test, schemars(with = "Option<Vec<DateTime<Utc>>>"))]
    instants: Option<&'a [DateTime<Utc>]>,
    /// The instant of each run that would be skipped. Absent if the unit is `day`, or if none would
    /// be skipped.
    #[serde(
        skip_serializing_if = "<[_]>::is_empty",
        serialize_with = "rfc3339::serialize_list"
    )]
    skipped_instants: &'a [DateTime<Utc>],
}

impl Serialize for BackfillPreview {
    /// Writes the preview as the API shows it.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self {
            dates,
            skipped,
            instants,
            skipped_instants,
        } = self;
        // Runs that are all skipped leave an empty list, as their dates do.
        let has_instants = !(instants.is_empty() && skipped_instants.is_empty());
        let body = PreviewBody {
            dates,
            skipped,
            instants: has_instants.then_some(instants.as_slice()),
            skipped_instants,
        };
        body.serialize(serializer)
    }
}

#[cfg(test)]
schema_of! { BackfillPreview => PreviewBody<'static> }
