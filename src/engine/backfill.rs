//! Creates the runs of many dates together, and previews them.
//!
//! Storage decides which run executes next, how many execute at once, and when failures cancel the
//! rest. `backfill_cancel` cancels the unfinished ones, and `trigger` holds what all run creations
//! share.

use chrono::NaiveDate;

use super::audit::{Audited, Author, Named};
use super::backfill_dates::BackfillDates;
use super::backfill_intervals::{Interval, IntervalPlan};
use super::concurrency;
use super::request_key::has_secret;
use super::run_date::set_params;
use super::secret_params::Owner;
use super::{Engine, RequestKey, Shared};
use crate::error::{Error, Issue, Problem, Result};
use crate::graph::{param_defs, sizes};
use crate::model::{
    AuditAction, AuditSubject, Backfill, BackfillId, BackfillOrder, BackfillPreview, BackfillUnit,
    DATE_PARAM, Params, Run, RunId, Scope, StoredPipeline, TraceParent, Trigger,
};
use crate::storage::{CreateRuns, CreatedRuns, IdempotentOperation, NewBackfill, NewRun};

/// A request to create a backfill.
#[derive(Debug, Clone)]
pub(crate) struct BackfillRequest {
    /// The pipeline's id or slug.
    pub(crate) pipeline: String,
    pub(crate) dates: BackfillDates,
    /// Which instants of the dates have a run.
    pub(crate) unit: BackfillUnit,
    /// Parameters that override the pipeline's own. They are the same for every date.
    pub(crate) params: Params,
    pub(crate) order: BackfillOrder,
    pub(crate) max_parallel: u32,
    pub(crate) max_failures: Option<u32>,
    pub(crate) skip_existing: bool,
    /// The backfill that it repeats, if it repeats one.
    pub(crate) repeats: Option<BackfillId>,
    pub(crate) key: Option<RequestKey>,
    /// Who asks, and which objects that reaches.
    pub(crate) author: Author,
    /// The place of the request in a distributed trace.
    pub(crate) traceparent: Option<TraceParent>,
}

/// The backfill that a request created, or the one that an earlier request with the same key
/// created.
#[derive(Debug, Clone)]
pub(crate) struct StartedBackfill {
    /// `None` if every date was skipped.
    pub(crate) id: Option<BackfillId>,
    /// Ordered by date, oldest first.
    pub(crate) run_ids: Vec<RunId>,
    pub(crate) replayed: bool,
}

impl Engine {
    /// Creates a backfill with all its runs.
    ///
    /// # Errors
    /// `NotFound`, `Invalid` (`range-invalid`, `backfill-too-large`, `invalid-field`,
    /// `params-too-large`, `param-invalid`, `node-type-unknown`, `idempotency-key-reused`),
    /// `QueueFull`, and any error of storage.
    pub(crate) async fn backfill(&self, request: BackfillRequest) -> Result<StartedBackfill> {
        let named = Named::Pipeline(request.pipeline.clone());
        let action = AuditAction::BackfillCreate;
        let audited = Audited::new(action, named, request.author.clone());
        self.audited(audited, |shared, audited| async move {
            shared.backfill(request, &audited).await
        })
        .await
    }

    /// Returns the dates that a backfill would run. Nothing is created.
    ///
    /// # Errors
    /// The same as [`Engine::backfill`].
    pub(crate) async fn preview_backfill(
        &self,
        request: BackfillRequest,
    ) -> Result<BackfillPreview> {
        let shared = &self.0;
        let pipeline = shared
            .find_pipeline(&request.pipeline, &request.author.scope)
            .await?;
        let unit = request.unit;
        let mut create = shared.new_backfill(request, &pipeline)?;
        create.is_preview = true;
        let of_run = |new: &NewRun| (new.run.id, (new.run.date, new.run.instant()));
        let runs: Vec<_> = create.runs.iter().map(of_run).collect();
        let skipped = shared.storage.create_runs(create).await?.skipped;
        let is_skipped = |(id, _): &(RunId, _)| skipped.binary_search(id).is_ok();
        let (skipped, runs): (Vec<_>, Vec<_>) = runs.into_iter().partition(is_skipped);
        let split = |runs: Vec<_>| -> (Vec<_>, Vec<_>) {
            runs.into_iter().map(|(_, interval)| interval).unzip()
        };
        let ((dates, instants), (skipped, skipped_instants)) = (split(runs), split(skipped));
        let mut preview = BackfillPreview::new(dates, skipped);
        if unit != BackfillUnit::Day {
            (preview.instants, preview.skipped_instants) = (instants, skipped_instants);
        }
        Ok(preview)
    }
}

impl StartedBackfill {
    /// Returns the answer to a request that leaves no date.
    pub(super) const fn empty() -> Self {
        Self {
            id: None,
            run_ids: Vec::new(),
            replayed: false,
        }
    }
}

impl From<CreatedRuns> for StartedBackfill {
    fn from(created: CreatedRuns) -> Self {
        Self {
            id: created.backfill,
            run_ids: created.run_ids,
            replayed: created.is_replayed,
        }
    }
}

impl Shared {
    pub(super) async fn backfill(
        &self,
        mut request: BackfillRequest,
        audited: &Audited,
    ) -> Result<StartedBackfill> {
        let pipeline = self
            .find_pipeline(&request.pipeline, &request.author.scope)
            .await?;
        let operation = IdempotentOperation::Backfill(pipeline.qualified_id());
        let key = request.key.take();
        // A rerun takes its parameters from a run: its body has no secret.
        let names = request.params.iter().map(|(name, _)| name);
        let names = names.filter(|_| request.repeats.is_none());
        let has_secret = has_secret(&pipeline.definition, names);
        let key = key.map(|key| self.conceal(key, has_secret));
        let key = key.map(|key| key.for_operation(operation));
        let subject = match &request.repeats {
            Some(repeated) => AuditSubject::Backfill(*repeated),
            None => AuditSubject::Pipeline(pipeline.id.clone()),
        };
        let mut create = match self.new_backfill(request, &pipeline) {
            Ok(create) => create,
            Err(refused) => {
                let replayed = self.find_replayed(key.as_ref()).await?;
                return replayed.map(StartedBackfill::from).ok_or(refused);
            }
        };
        create.idempotency = key;
        create.audit = Some(audited.entry(subject, self.clock.now()));
        self.create_runs(create).await.map(StartedBackfill::from)
    }

    /// Returns the intervals of a request, or refuses it if it is invalid.
    fn check_backfill(
        &self,
        request: &BackfillRequest,
        pipeline: &StoredPipeline,
    ) -> Result<Vec<Interval>> {
        self.refuse_unusable_types(&pipeline.definition, pipeline.tenant.as_ref())?;
        let (now, max) = (self.clock.now(), self.limits.backfill_dates_max);
        let plan = IntervalPlan::new(request.unit, &pipeline.definition, now, max);
        let (intervals, mut problems) = match plan.intervals(&request.dates) {
            Ok(intervals) => (intervals, Vec::new()),
            Err(problems) => (Vec::new(), problems),
        };
        if request.params.contains(DATE_PARAM) {
            let detail = "params.date is the date of each run here and cannot be given".to_owned();
            problems.push((
                Problem::InvalidField,
                Issue::pointer("/params/date", detail),
            ));
        }
        let mut all = param_defs::resolve(&pipeline.definition, request.params.to_map());
        if let Err(error) = sizes::check_params(&all, &self.limits) {
            let issues = error.issues().iter().cloned();
            problems.extend(issues.map(|issue| (Problem::ParamsTooLarge, issue)));
        }
        // Each run gets its own.
        all.remove(DATE_PARAM);
        let unfit = self.param_issues(&pipeline.definition, &all, &request.params);
        let unfit = unfit.into_vec();
        problems.extend(
            unfit
                .into_iter()
                .map(|issue| (Problem::ParamInvalid, issue)),
        );
        let bounded = [
            ("max_parallel", Some(request.max_parallel)),
            ("max_failures", request.max_failures),
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
            return Ok(intervals);
        };
        let problem = *problem;
        let issues = problems.into_iter().map(|(_, issue)| issue).collect();
        Err(Error::invalid(problem, issues))
    }

    /// Builds the creation of a backfill.
    ///
    /// # Errors
    /// `Invalid` if the request is invalid, or a run has no concurrency key (`param-invalid`), and
    /// `Conflict` (`encryption-key-missing`).
    fn new_backfill(
        &self,
        request: BackfillRequest,
        pipeline: &StoredPipeline,
    ) -> Result<CreateRuns> {
        let intervals = self.check_backfill(&request, pipeline)?;
        let BackfillRequest {
            pipeline: _,
            dates: _,
            unit,
            params,
            order,
            max_parallel,
            max_failures,
            skip_existing,
            repeats,
            key: _,
            author,
            traceparent,
        } = request;
        let date_of =
            |interval: Option<&Interval>| interval.map_or_else(NaiveDate::default, |it| it.date);
        let range = (date_of(intervals.first()), date_of(intervals.last()));
        // The backfill's id is generated first, so that the newest run has the greatest id. The id
        // generator is seeded with the newest run's id at the next start.
        let id = self.clock.new_backfill_id();
        let now = self.clock.now();
        let mut backfill = Backfill::new(id, pipeline.id.clone(), range, now);
        (backfill.order, backfill.max_parallel) = (order, max_parallel);
        (backfill.unit, backfill.max_failures) = (unit, max_failures);
        backfill.rerun_of = repeats;
        // Shared by all runs.
        let texts = param_defs::resolve(&pipeline.definition, params.to_map());
        let owner = Owner {
            tenant: pipeline.tenant.as_ref(),
            pipeline: &pipeline.id,
        };
        let all = self.seal_params(&pipeline.definition, owner, texts, &params)?;
        let run_of = |interval: Interval| {
            let (run, trigger) = (self.clock.new_run_id(), Trigger::Backfill);
            let mut run = Run::new(
                run,
                pipeline.id.clone(),
                pipeline.version,
                trigger,
                interval.date,
                now,
            );
            set_params(&mut run, all.clone());
            run.scheduled_at = Some(interval.scheduled_at);
            run.backfill_id = Some(id);
            run.created_by.clone_from(&author.by);
            run.rerun_of = interval.repeats;
            run.traceparent = traceparent;
            let run = concurrency::keyed(run, &pipeline.definition)?;
            Ok(concurrency::new_run(run, &pipeline.definition))
        };
        let runs: Result<Vec<_>> = intervals.into_iter().map(run_of).collect();
        let mut create = CreateRuns::new(runs?);
        create.scope = Scope::of(pipeline.tenant.as_ref());
        let mut new = NewBackfill::new(backfill);
        new.skip_existing = skip_existing;
        create.backfill = Some(new);
        Ok(create)
    }
}
