//! Backfills from the host's own code: prepare, start and await them.
//!
//! `engine/backfill` carries them out, and `backfills` finds those that exist.

use std::ops::RangeInclusive;

use chrono::NaiveDate;
use futures_core::future::BoxFuture;
use serde::Serialize;
use serde_json::json;

use super::Client;
use super::given_params::GivenParams;
use crate::engine::{BackfillDates, BackfillRequest, RequestKey, StartedBackfill, hash_body};
use crate::error::{ErrorKind, Result};
use crate::model::{
    BackfillId, BackfillOrder, BackfillPreview, BackfillUnit, Params, RunId, TraceParent,
};
use crate::storage::BackfillDetail;

/// A backfill to create, from [`Client::backfill`] or [`Client::backfill_dates`]: a run for each
/// date of an inclusive range or of a list.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use floret::{Floret, Pipeline, executor::Ctx, storage::MemoryStorage};
///
/// async fn load(ctx: Ctx) -> Result<(), std::io::Error> {
///     ctx.log.info(format!("load {}", ctx.params["date"])).await;
///     Ok(())
/// }
/// let floret = Floret::builder(MemoryStorage::default())
///     .node("load", load)
///     .pipeline(Pipeline::new("daily").node("load", "load"))
///     .start()
///     .await?;
/// let (from, to) = ("2024-01-01".parse()?, "2024-01-31".parse()?);
/// let backfill = floret.backfill("daily", from..=to).max_parallel(2).start().await?;
/// let done = backfill.finished().await?.expect("no date was skipped");
/// assert_eq!(done.backfill.counts.success, 31);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "no run is created before `start`"]
pub struct BackfillBuilder {
    client: Client,
    start: BackfillRequest,
    params: GivenParams,
    key: Option<String>,
}

impl Client {
    /// Prepares a backfill: a run of the pipeline with this id or slug for each date of the range.
    ///
    /// By default the runs execute one at a time, oldest date first. [`BackfillBuilder::start`]
    /// creates them.
    pub fn backfill(
        &self,
        pipeline: impl Into<String>,
        dates: RangeInclusive<NaiveDate>,
    ) -> BackfillBuilder {
        self.backfill_of(pipeline.into(), BackfillDates::Range(dates))
    }

    /// Prepares a backfill of these dates, in any order, each once.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use floret::{Pipeline, executor::Ctx, testing::memory};
    /// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
    /// # let daily = Pipeline::new("daily").node("load", "load");
    /// # let floret = memory().node("load", load).pipeline(daily).start().await?;
    /// let mondays = ["2024-01-01".parse()?, "2024-01-08".parse()?];
    /// let backfill = floret.backfill_dates("daily", mondays).await?;
    /// assert_eq!(backfill.run_ids().len(), 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn backfill_dates(
        &self,
        pipeline: impl Into<String>,
        dates: impl IntoIterator<Item = NaiveDate>,
    ) -> BackfillBuilder {
        let dates = BackfillDates::Listed(dates.into_iter().collect());
        self.backfill_of(pipeline.into(), dates)
    }

    fn backfill_of(&self, pipeline: String, dates: BackfillDates) -> BackfillBuilder {
        BackfillBuilder {
            client: self.clone(),
            start: BackfillRequest {
                pipeline,
                dates,
                unit: BackfillUnit::Day,
                params: Params::new(),
                order: BackfillOrder::Ascending,
                max_parallel: 1,
                max_failures: None,
                skip_existing: false,
                repeats: None,
                key: None,
                author: self.author(),
                traceparent: None,
            },
            params: GivenParams::default(),
            key: None,
        }
    }
}

impl BackfillBuilder {
    /// Sets a parameter of every run, which overrides the pipeline's own.
    ///
    /// `date` cannot be set, because every run has its own.
    pub fn param(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.params.insert(name, value);
        self
    }

    /// Sets a parameter for each field of a struct or entry of a map, as
    /// [`BackfillBuilder::param`] sets one.
    ///
    /// The struct derives `serde::Serialize`. Its fields are texts, numbers, booleans, dates, times
    /// or enums without data. A field that is `None` is left out, so that the run gets the default.
    pub fn params(mut self, params: &(impl Serialize + ?Sized)) -> Self {
        self.params.extend(params);
        self
    }

    /// Sets how many runs of the backfill may execute at once.
    pub const fn max_parallel(mut self, runs: u32) -> Self {
        self.start.max_parallel = runs;
        self
    }

    /// Sets which instants of the dates have a run, in place of one run a date.
    ///
    /// Only instants that have come are counted, so that today has the hours that have begun.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use floret::{Pipeline, executor::Ctx, testing::memory};
    /// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
    /// # let daily = Pipeline::new("daily").node("load", "load");
    /// # let floret = memory().node("load", load).pipeline(daily).start().await?;
    /// use floret::BackfillUnit;
    ///
    /// let date = "2024-01-01".parse()?;
    /// let hours = floret.backfill("daily", date..=date).unit(BackfillUnit::Hour);
    /// let preview = hours.preview().await?;
    /// assert_eq!((preview.dates.len(), preview.instants.len()), (24, 24));
    /// # Ok(())
    /// # }
    /// ```
    pub const fn unit(mut self, unit: BackfillUnit) -> Self {
        self.start.unit = unit;
        self
    }

    /// Sets the order in which the dates execute.
    pub const fn order(mut self, order: BackfillOrder) -> Self {
        self.start.order = order;
        self
    }

    /// Skips what has already succeeded: dates for which a backfill of days, a schedule or a
    /// catch-up run has, or, of another [unit](Self::unit), its instants for which a backfill of
    /// the same unit has. A run of the schedule counts for its tick, too.
    pub const fn skip_existing(mut self) -> Self {
        self.start.skip_existing = true;
        self
    }

    /// Sets the number of failed runs at which the rest of the backfill is cancelled.
    pub const fn max_failures(mut self, runs: u32) -> Self {
        self.start.max_failures = Some(runs);
        self
    }

    /// Continues a distributed trace, as the header `traceparent` of a request does.
    pub const fn traceparent(mut self, parent: TraceParent) -> Self {
        self.start.traceparent = Some(parent);
        self
    }

    /// Sets the idempotency key.
    ///
    /// A key that was used before for a backfill of this pipeline creates nothing: the result is
    /// the first backfill.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Creates the backfill with all its runs. They are durable when this method returns.
    ///
    /// # Errors
    /// - `NotFound` if there is no such pipeline.
    /// - `Invalid` if there is no date, one after today, one given twice or too many; if the unit
    ///   is [`BackfillUnit::Tick`] and the pipeline has no schedule; if no week, month or tick
    ///   begins on the dates, or on one of a list; if a number is out of range; if a node type has
    ///   no executor; if a parameter does not fit its definition (`param-invalid`) or is no scalar;
    ///   or if the key was used with another backfill.
    /// - `QueueFull` if too many runs are waiting.
    /// - `ShuttingDown` or `Unavailable`.
    pub async fn start(mut self) -> Result<BackfillHandle> {
        self.start.params = self.params.into_texts()?.into();
        let body_hash = hash_body(&body(&self.start));
        self.start.key = self.key.map(|key| RequestKey { key, body_hash });
        let started = self.client.engine().backfill(self.start).await?;
        Ok(BackfillHandle::new(self.client, started))
    }

    /// Returns the dates that would run. Nothing is created.
    ///
    /// # Errors
    /// The same as [`BackfillBuilder::start`].
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use floret::{Floret, Pipeline, executor::Ctx, storage::MemoryStorage};
    /// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
    /// # let floret = Floret::builder(MemoryStorage::default())
    /// #     .node("load", load)
    /// #     .pipeline(Pipeline::new("daily").node("load", "load"))
    /// #     .start()
    /// #     .await?;
    /// let (from, to) = ("2024-01-01".parse()?, "2024-01-03".parse()?);
    /// let preview = floret.backfill("daily", from..=to).preview().await?;
    /// assert_eq!(preview.dates.len(), 3);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn preview(mut self) -> Result<BackfillPreview> {
        self.start.params = self.params.into_texts()?.into();
        self.client.engine().preview_backfill(self.start).await
    }
}

impl IntoFuture for BackfillBuilder {
    /// The handle of the new backfill, which is durable with all its runs.
    ///
    /// # Errors
    /// The same as [`BackfillBuilder::start`].
    type Output = Result<BackfillHandle>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.start())
    }
}

/// Returns the body that a client would send for the same backfill. Absent options are omitted.
fn body(start: &BackfillRequest) -> serde_json::Value {
    let mut body = json!({
        "params": start.params,
        "max_parallel": start.max_parallel,
        "order": start.order,
        "skip_existing": start.skip_existing,
    });
    match &start.dates {
        BackfillDates::Range(dates) => {
            body["start_date"] = json!(dates.start());
            body["end_date"] = json!(dates.end());
        }
        BackfillDates::Listed(dates) => body["dates"] = json!(dates),
        // A rerun has a body of its own.
        BackfillDates::Repeated(_) => {}
    }
    if start.unit != BackfillUnit::Day {
        body["unit"] = json!(start.unit);
    }
    if let Some(max) = start.max_failures {
        body["max_failures"] = max.into();
    }
    body
}

/// A handle to a backfill, from [`BackfillBuilder::start`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use floret::{Pipeline, executor::Ctx, testing::memory};
/// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
/// # let daily = Pipeline::new("daily").node("load", "load");
/// # let floret = memory().node("load", load).pipeline(daily).start().await?;
/// let (from, to) = ("2024-01-01".parse()?, "2024-01-03".parse()?);
/// let backfill = floret.backfill("daily", from..=to).start().await?;
/// assert_eq!(backfill.run_ids().len(), 3);
/// if let Some(done) = backfill.finished().await? {
///     println!("{} of 3 dates succeeded", done.backfill.counts.success);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct BackfillHandle {
    client: Client,
    id: Option<BackfillId>,
    run_ids: Vec<RunId>,
}

impl BackfillHandle {
    pub(super) fn new(client: Client, started: StartedBackfill) -> Self {
        let StartedBackfill {
            id,
            run_ids,
            replayed: _,
        } = started;
        Self {
            client,
            id,
            run_ids,
        }
    }

    /// Returns the backfill's id, or `None` if every date was skipped and nothing was created.
    #[must_use]
    pub const fn id(&self) -> Option<BackfillId> {
        self.id
    }

    /// Returns the ids of the runs, oldest date first.
    #[must_use]
    pub fn run_ids(&self) -> &[RunId] {
        &self.run_ids
    }

    /// Waits until every run has finished and returns the backfill with its runs, or `None` if
    /// nothing was created.
    ///
    /// # Errors
    /// - `NotFound` if the backfill was purged meanwhile.
    /// - `ShuttingDown` if Floret stops first.
    /// - `Unavailable`.
    pub async fn finished(&self) -> Result<Option<BackfillDetail>> {
        let Some(id) = self.id else {
            return Ok(None);
        };
        for run in &self.run_ids {
            match self.client.run_by_id(*run).finished().await {
                // Only finished runs are purged.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                outcome => drop(outcome?),
            }
        }
        self.client.backfills().get(id).await.map(Some)
    }
}
