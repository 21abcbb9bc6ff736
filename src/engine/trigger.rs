//! Triggers runs: a run is durable before the caller gets its id. Also holds what every creation of
//! runs shares.
//!
//! `queue` decides when a run executes.

use std::collections::BTreeMap;

use tokio::sync::Notify;

use super::audit::Author;
use super::concurrency;
use super::labels::Annotations;
use super::queue_place::QueuePlace;
use super::replaced_runs;
use super::request_key::has_secret;
use super::run_date::{run_date, set_params};
use super::secret_params::Owner;
use super::{Engine, RequestKey, Shared};
use crate::error::{Error, Result, quote};
use crate::graph::{param_defs, sizes};
use crate::metrics;
use crate::model::{
    Params, PipelineId, Qualified, Run, RunId, Scope, StoredPipeline, TraceParent, Trigger,
    WebhookToken,
};
use crate::storage::{CreateRuns, CreatedRuns, IdempotencyKey, IdempotentOperation, NewRun};

/// A request to start a run.
#[derive(Debug, Clone)]
pub(crate) struct RunRequest {
    /// The pipeline's id or slug.
    pub(crate) pipeline: String,
    /// Parameters that override the pipeline's own.
    pub(crate) params: BTreeMap<String, String>,
    /// The version to execute. The newest one if absent.
    pub(crate) definition: Option<u32>,
    /// Its labels and its note.
    pub(crate) annotations: Annotations,
    pub(crate) place: QueuePlace,
    pub(crate) key: Option<RequestKey>,
    /// Who asks, and which objects that reaches.
    pub(crate) author: Author,
    /// The place of the request in a distributed trace.
    pub(crate) traceparent: Option<TraceParent>,
    /// The token of the webhook that asks, if one does.
    pub(crate) webhook: Option<WebhookToken>,
}

/// The run that a request created, or the one that an earlier request with the same key created.
#[derive(Debug, Clone)]
pub(crate) struct StartedRun {
    pub(crate) run_id: RunId,
    pub(crate) pipeline: Qualified<PipelineId>,
    pub(crate) replayed: bool,
}

/// Wakes a loop when dropped: also after an error, since the outcome of a failed commit is unknown.
pub(super) struct WakeOnDrop<'a>(pub(super) &'a Notify);

impl Drop for WakeOnDrop<'_> {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl Engine {
    /// Creates a run of a pipeline.
    ///
    /// # Errors
    /// `NotFound`, `Unauthenticated` (a webhook), `Invalid` (`node-type-unknown`,
    /// `params-too-large`, `param-invalid`, `idempotency-key-reused`), `Conflict`
    /// (`concurrency-key-taken`), `QueueFull`, and any error of storage.
    pub(crate) async fn trigger(&self, start: RunRequest) -> Result<StartedRun> {
        self.command(|shared| async move { shared.trigger(start).await })
            .await
    }
}

impl CreatedRuns {
    pub(super) fn into_started_run(self, pipeline: Qualified<PipelineId>) -> Result<StartedRun> {
        match self.run_ids.first() {
            Some(run_id) => Ok(StartedRun {
                run_id: *run_id,
                pipeline,
                replayed: self.is_replayed,
            }),
            None => Err(Error::internal(
                "storage created no run and returned no error",
            )),
        }
    }
}

impl Shared {
    async fn trigger(&self, start: RunRequest) -> Result<StartedRun> {
        let (name, scope) = (&start.pipeline, &start.author.scope);
        let (pipeline, trigger) = match &start.webhook {
            Some(token) => (
                self.find_by_token(name, token, scope).await?,
                Trigger::Webhook,
            ),
            None => (self.find_pipeline(name, scope).await?, Trigger::Manual),
        };
        let operation = IdempotentOperation::Run(pipeline.qualified_id());
        let has_secret = has_secret(
            &pipeline.definition,
            start.params.keys().map(String::as_str),
        );
        let key = start.key.map(|key| self.conceal(key, has_secret));
        let key = key.map(|key| key.for_operation(operation));
        let version = start.definition.unwrap_or(pipeline.version);
        let run = match self.find_version(&pipeline, version, "definition").await {
            Ok(pipeline) => {
                let run = self.new_manual_run(&pipeline, &start.params.into());
                let run = run.and_then(|run| start.annotations.attach(run));
                let run = run.and_then(|run| start.place.give_to(run));
                run.map(|run| concurrency::new_run(run, &pipeline.definition))
            }
            Err(refused) => Err(refused),
        };
        let new = match run {
            Ok(mut new) => {
                (new.run.created_by, new.run.trigger) = (start.author.by, trigger);
                new.run.traceparent = start.traceparent;
                new
            }
            Err(refused) => {
                let replayed = self.find_replayed(key.as_ref()).await?;
                return replayed
                    .ok_or(refused)?
                    .into_started_run(pipeline.qualified_id());
            }
        };
        let created = self.create(new, key, Scope::of(pipeline.tenant.as_ref()));
        created.await?.into_started_run(pipeline.qualified_id())
    }

    pub(super) async fn find_pipeline(&self, key: &str, scope: &Scope) -> Result<StoredPipeline> {
        let found = self.storage.find_pipeline(key, scope).await?;
        found.ok_or_else(|| Error::pipeline_not_found(quote(key)))
    }

    /// Builds a run of a pipeline that a caller starts.
    ///
    /// # Errors
    /// `Invalid` (`node-type-unknown`, `params-too-large`, `param-invalid`, `invalid-field`), and
    /// `Conflict` (`encryption-key-missing`).
    pub(super) fn new_manual_run(&self, pipeline: &StoredPipeline, given: &Params) -> Result<Run> {
        self.refuse_unusable_types(&pipeline.definition, pipeline.tenant.as_ref())?;
        let now = self.clock.now();
        let params = param_defs::resolve(&pipeline.definition, given.to_map());
        sizes::check_params(&params, &self.limits)?;
        self.refuse_unfit_params(&pipeline.definition, &params, given)?;
        let (date, scheduled_at) = run_date(&params, &pipeline.definition, now)?;
        let mut run = Run::new(
            self.clock.new_run_id(),
            pipeline.id.clone(),
            pipeline.version,
            Trigger::Manual,
            date,
            now,
        );
        run.scheduled_at = scheduled_at;
        let owner = Owner {
            tenant: pipeline.tenant.as_ref(),
            pipeline: &pipeline.id,
        };
        let params = self.seal_params(&pipeline.definition, owner, params, given)?;
        set_params(&mut run, params);
        concurrency::keyed(run, &pipeline.definition)
    }

    /// Returns the runs that an earlier request with this key created.
    ///
    /// A repeated request gets this answer even if it would be refused today.
    pub(super) async fn find_replayed(
        &self,
        key: Option<&IdempotencyKey>,
    ) -> Result<Option<CreatedRuns>> {
        let Some(key) = key else {
            return Ok(None);
        };
        let first = self.storage.find_idempotent(&key.operation, &key.key);
        let first = first.await?;
        let replayed = first.map(|first| first.for_repeat(&key.body_hash));
        replayed.transpose()
    }

    /// Creates a run and wakes the queue.
    pub(super) async fn create(
        &self,
        new: NewRun,
        key: Option<IdempotencyKey>,
        scope: Scope,
    ) -> Result<CreatedRuns> {
        let mut create = CreateRuns::new(vec![new]);
        create.scope = scope;
        create.idempotency = key;
        self.create_runs(create).await
    }

    /// Creates runs within the limits of the queue and wakes it.
    pub(super) async fn create_runs(&self, mut create: CreateRuns) -> Result<CreatedRuns> {
        let capacity = self.capacity.current();
        create.queued_pipeline_max = capacity.queued_pipeline_max;
        create.queued_max = capacity.queued_max;
        let _wake = WakeOnDrop(&self.wake);
        // The queue runs once this task waits for the commit, which can then hold a claim, too.
        self.wake.notify_one();
        let trigger = create.runs.first().map(|new| new.run.trigger);
        let replaced_of = replaced_runs::replaced_of(&create.runs, &create.scope);
        match self.storage.create_runs(create).await {
            Ok(created) => {
                if let Some(trigger) = trigger.filter(|_| !created.is_replayed) {
                    metrics::runs_created(trigger, created.run_ids.len());
                }
                self.events.committed(created.seq);
                self.notify_replaced(&created.replaced);
                Ok(created)
            }
            Err(error) => {
                self.notify_after_failed_commit(&error).await;
                self.notify_if_replaced(replaced_of).await;
                Err(error)
            }
        }
    }
}
