//! Backfill: makes the runs of a range of dates together, previews them, and cancels what is left of one.
//!
//! Which run goes next, how many at once and what a failure ends is decided by storage.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use chrono::NaiveDate;
use chrono_tz::Tz;

use super::{Engine, Key, Shared};
use crate::error::{Error, Issue, Problem, Result, trace_causes};
use crate::model::{
    Backfill, BackfillId, BackfillOrder, BackfillPreview, Cancel, Pipeline, Run, RunId, RunStatus,
    Scope, StoredPipeline, Trigger,
};
use crate::outage::{Backoff, RetryError, retry_while_unavailable};
use crate::storage::{
    BackfillDetail, CancelBackfill, CreateRuns, CreatedRuns, NewBackfill, NewRun, Operation,
};

/// The parameter that holds the date of a run.
const DATE: &str = "date";

/// A wish for a backfill.
#[derive(Debug, Clone)]
pub(crate) struct StartBackfill {
    /// The pipeline's id or slug.
    pub(crate) pipeline: String,
    pub(crate) dates: RangeInclusive<NaiveDate>,
    /// Parameters over the pipeline's own, the same for every date.
    pub(crate) params: BTreeMap<String, String>,
    pub(crate) order: BackfillOrder,
    pub(crate) max_parallel: u32,
    pub(crate) max_failures: Option<u32>,
    pub(crate) skip_existing: bool,
    pub(crate) key: Option<Key>,
    pub(crate) scope: Scope,
}

/// What was made, or what the first call with the same key made.
#[derive(Debug, Clone)]
pub(crate) struct Backfilled {
    /// None where every date was skipped.
    pub(crate) id: Option<BackfillId>,
    /// The oldest date first.
    pub(crate) run_ids: Vec<RunId>,
    pub(crate) replayed: bool,
}

impl Engine {
    /// Makes a backfill with all its runs.
    ///
    /// # Errors
    /// `NotFound`, `Invalid` (`range-invalid`, `backfill-too-large`, `invalid-field`, `node-type-unknown`, `idempotency-key-reused`), `QueueFull`,
    /// and what storage answers.
    pub(crate) async fn backfill(&self, mut start: StartBackfill) -> Result<Backfilled> {
        self.refuse_in_shutdown()?;
        let shared = &self.0;
        let pipeline = shared.find_pipeline(&start.pipeline, &start.scope).await?;
        let operation = Operation::Backfill(pipeline.id.clone());
        let key = start.key.take().map(|key| key.for_operation(operation));
        if let Err(refused) = shared.check_backfill(&start, &pipeline) {
            let made = shared.made_before(key.as_ref()).await?;
            return made.map(Backfilled::from).ok_or(refused);
        }
        let mut create = shared.backfill_of(start, &pipeline);
        create.idempotency = key;
        shared.create_all(create).await.map(Backfilled::from)
    }

    /// Tells what a backfill would run; nothing is made.
    ///
    /// # Errors
    /// As [`Engine::backfill`].
    pub(crate) async fn preview_backfill(&self, start: StartBackfill) -> Result<BackfillPreview> {
        let shared = &self.0;
        let pipeline = shared.find_pipeline(&start.pipeline, &start.scope).await?;
        shared.check_backfill(&start, &pipeline)?;
        let mut create = shared.backfill_of(start, &pipeline);
        create.is_preview = true;
        let mut dates: Vec<_> = create.runs.iter().map(|new| new.run.date).collect();
        let skipped = shared.storage.create_runs(create).await?.skipped;
        // Both are in the order of the dates.
        dates.retain(|date| skipped.binary_search(date).is_err());
        Ok(BackfillPreview::new(dates, skipped))
    }

    /// Asks all that is left of a backfill to stop.
    ///
    /// # Errors
    /// `NotFound`, `RunFinished` (`run-finished`), and what storage answers.
    pub(crate) async fn cancel_backfill(
        &self,
        id: BackfillId,
        cancel: Cancel,
        scope: &Scope,
    ) -> Result<BackfillDetail> {
        self.refuse_in_shutdown()?;
        let mut request = CancelBackfill::new(id, cancel, self.0.clock.now());
        request.scope = scope.clone();
        // A task, since the drivers must learn of the stored wish though the caller leaves meanwhile.
        let told = self
            .0
            .tasks
            .spawn(cancel_and_tell(Arc::clone(&self.0), request));
        told.await.map_err(|error| {
            Error::internal("the wish to cancel was not carried out").with_source(error)
        })?
    }
}

impl From<CreatedRuns> for Backfilled {
    fn from(created: CreatedRuns) -> Self {
        Self {
            id: created.backfill,
            run_ids: created.run_ids,
            replayed: created.replayed,
        }
    }
}

/// The zone in which the dates of a pipeline begin.
pub(super) fn zone_of(pipeline: &Pipeline) -> Tz {
    let named = pipeline.schedule_timezone.as_deref();
    named
        .and_then(|name| crate::cron::zone(name).ok())
        .unwrap_or(Tz::UTC)
}

/// How many dates a range has; none where it ends before it begins.
fn count(dates: &RangeInclusive<NaiveDate>) -> u64 {
    let days = dates.end().signed_duration_since(*dates.start()).num_days();
    u64::try_from(days.saturating_add(1)).unwrap_or(0)
}

impl Shared {
    /// Refuses what no backfill can be, by arithmetic: no date is made before.
    fn check_backfill(&self, start: &StartBackfill, pipeline: &StoredPipeline) -> Result<()> {
        self.refuse_unknown_types(&pipeline.definition)?;
        let mut problems = self.range_problems(&start.dates, zone_of(&pipeline.definition));
        if start.params.contains_key(DATE) {
            let detail = "params.date is the date of each run here and cannot be given".to_owned();
            problems.push((
                Problem::InvalidField,
                Issue::pointer("/params/date", detail),
            ));
        }
        let max = self.limits.backfill_dates_max;
        let bounded = [
            ("max_parallel", Some(start.max_parallel)),
            ("max_failures", start.max_failures),
        ];
        for (name, number) in bounded {
            if let Some(number) = number.filter(|number| !(1..=max).contains(number)) {
                let detail = format!("{name} must be from 1 to {max}, received {number}");
                problems.push((
                    Problem::InvalidField,
                    Issue::pointer(format!("/{name}"), detail),
                ));
            }
        }
        let Some((problem, _)) = problems.first() else {
            return Ok(());
        };
        let problem = *problem;
        let issues = problems.into_iter().map(|(_, issue)| issue).collect();
        Err(Error::invalid(problem, issues))
    }

    fn range_problems(&self, dates: &RangeInclusive<NaiveDate>, zone: Tz) -> Vec<(Problem, Issue)> {
        let (first, last) = (dates.start(), dates.end());
        let mut problems = Vec::new();
        let mut refuse =
            |problem, pointer, detail| problems.push((problem, Issue::pointer(pointer, detail)));
        if last < first {
            let detail =
                format!("end_date must not be before start_date, received {last} before {first}");
            refuse(Problem::RangeInvalid, "/end_date", detail);
        }
        let today = self.clock.now().with_timezone(&zone).date_naive();
        if *last > today {
            let detail =
                format!("end_date must not be after today, {today} in {zone}, received {last}");
            refuse(Problem::RangeInvalid, "/end_date", detail);
        }
        let max = self.limits.backfill_dates_max;
        let count = count(dates);
        if count > u64::from(max) {
            let detail = format!("a backfill has at most {max} dates, these are {count}");
            refuse(Problem::BackfillTooLarge, "/end_date", detail);
        }
        problems
    }

    /// The creation of a backfill that was checked.
    fn backfill_of(&self, start: StartBackfill, pipeline: &StoredPipeline) -> CreateRuns {
        let StartBackfill {
            pipeline: _,
            dates,
            params,
            order,
            max_parallel,
            max_failures,
            skip_existing,
            key: _,
            scope,
        } = start;
        let range = (*dates.start(), *dates.end());
        // Its id is made first, so that the newest run's is the greatest of all, with which the next start begins.
        let id = self.clock.new_backfill_id();
        let now = self.clock.now();
        let mut backfill = Backfill::new(id, pipeline.id.clone(), range, now);
        (backfill.order, backfill.max_parallel) = (order, max_parallel);
        backfill.max_failures = max_failures;
        let mut all = pipeline.definition.params.clone();
        all.extend(params);
        let run_of = |date: NaiveDate| {
            let (run, trigger) = (self.clock.new_run_id(), Trigger::Backfill);
            let mut run = Run::new(
                run,
                pipeline.id.clone(),
                pipeline.version,
                trigger,
                date,
                now,
            );
            run.params.clone_from(&all);
            run.params.insert(DATE.to_owned(), date.to_string());
            run.backfill_id = Some(id);
            NewRun::new(run)
        };
        let count = usize::try_from(count(&dates)).unwrap_or(usize::MAX);
        let runs = range.0.iter_days().take(count).map(run_of);
        let mut create = CreateRuns::new(runs.collect());
        create.scope = scope;
        let mut new = NewBackfill::new(backfill);
        new.skip_existing = skip_existing;
        create.backfill = Some(new);
        create
    }

    /// Tells whoever is concerned that the rest of these backfills was cancelled.
    pub(super) fn tell_of_stopped(self: &Arc<Self>, stopped: impl IntoIterator<Item = BackfillId>) {
        for id in stopped {
            // A task, since storage must be asked and whoever ended the run goes on meanwhile.
            self.tasks.spawn(tell_when_found(Arc::clone(self), id));
        }
    }

    /// Tells the drivers of what executes, and whoever waits for what has ended.
    fn tell_of(&self, detail: &BackfillDetail) {
        let wish = detail.backfill.cancel;
        for run in &detail.runs {
            match (run.status, wish) {
                (RunStatus::Running, Some(wish)) => self.active.cancel(run.id, wish),
                (RunStatus::Running | RunStatus::Pending, _) => {}
                (RunStatus::Success | RunStatus::Failed | RunStatus::Cancelled, _) => {
                    self.events.ended(run.id);
                }
            }
        }
    }
}

async fn cancel_and_tell(shared: Arc<Shared>, request: CancelBackfill) -> Result<BackfillDetail> {
    let id = request.backfill;
    match shared.storage.cancel_backfill(request).await {
        Ok(cancelled) => {
            shared.events.committed(cancelled.seq);
            shared.tell_of(&cancelled.detail);
            Ok(cancelled.detail)
        }
        Err(error) => {
            // A wish may be stored though the answer got lost.
            if let Ok(Some(detail)) = shared.storage.find_backfill(id, &Scope::All).await {
                shared.tell_newest().await;
                shared.tell_of(&detail);
            }
            Err(error)
        }
    }
}

/// Runs that execute here end cancelled in any case; without this they would begin more nodes before.
async fn tell_when_found(shared: Arc<Shared>, id: BackfillId) {
    let find = || shared.storage.find_backfill(id, &Scope::All);
    let stop = shared.stop.cancelled();
    match retry_while_unavailable(&shared.clock, Backoff::STANDARD, stop, find).await {
        Ok(Some(detail)) => shared.tell_of(&detail),
        Ok(None) | Err(RetryError::Stopped(_)) => {}
        Err(RetryError::Permanent(error)) => {
            tracing::error!(%error, backfill_id = %id, "a cancelled backfill cannot be read; its runs stop at their next append");
            trace_causes(&error);
        }
    }
}
