//! Trigger: makes a run, durable before the answer.
//!
//! When it executes is decided by `queue`.

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::Notify;

use super::{Engine, Shared};
use crate::error::{Error, Issue, Problem, Result, quote};
use crate::model::{Pipeline, PipelineId, Run, RunId, Scope, StoredPipeline, Trigger};
use crate::storage::{CreateRuns, CreatedRuns, IdempotencyKey, NewRun, Operation};

/// A caller's idempotency key with the SHA-256 of the parsed body.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) key: String,
    pub(crate) body_hash: [u8; 32],
}

/// The SHA-256 of a parsed body: equal for equal values, whatever the order of their keys and the blanks between them.
pub(crate) fn hash_of(body: &Value) -> [u8; 32] {
    fn sorted(value: &Value) -> Value {
        match value {
            Value::Object(map) => {
                let in_order: BTreeMap<_, _> = map.iter().collect();
                Value::Object(
                    in_order
                        .into_iter()
                        .map(|(key, value)| (key.clone(), sorted(value)))
                        .collect(),
                )
            }
            Value::Array(values) => values.iter().map(sorted).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
        }
    }
    Sha256::digest(sorted(body).to_string()).into()
}

/// A wish to start a run.
#[derive(Debug, Clone)]
pub(crate) struct Start {
    /// The pipeline's id or slug.
    pub(crate) pipeline: String,
    /// Parameters over the pipeline's own.
    pub(crate) params: BTreeMap<String, String>,
    pub(crate) key: Option<Key>,
    pub(crate) scope: Scope,
}

/// A run that was made, or that the first call with the same key made.
#[derive(Debug, Clone)]
pub(crate) struct Started {
    pub(crate) run_id: RunId,
    pub(crate) pipeline_id: PipelineId,
    pub(crate) replayed: bool,
}

/// Wakes a loop when dropped, so that a caller who leaves in the middle does not leave a run behind.
pub(super) struct WakeLater<'a>(pub(super) &'a Notify);

impl Drop for WakeLater<'_> {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl Engine {
    /// Makes a run.
    ///
    /// # Errors
    /// `NotFound`, `Invalid` (`node-type-unknown`, `idempotency-key-reused`), `QueueFull`, and what storage answers.
    pub(crate) async fn trigger(&self, start: Start) -> Result<Started> {
        self.refuse_in_shutdown()?;
        let shared = &self.0;
        let pipeline = shared.find_pipeline(&start.pipeline, &start.scope).await?;
        let key = start
            .key
            .map(|key| key.for_operation(Operation::Run(pipeline.id.clone())));
        if let Err(refused) = shared.refuse_unknown_types(&pipeline.definition) {
            let made = shared.made_before(key.as_ref()).await?;
            return made.ok_or(refused)?.into_started(pipeline.id);
        }
        let now = shared.clock.now();
        let mut run = Run::new(
            shared.clock.new_run_id(),
            pipeline.id.clone(),
            pipeline.version,
            Trigger::Manual,
            now.date_naive(),
            now,
        );
        run.params.clone_from(&pipeline.definition.params);
        run.params.extend(start.params);
        let created = shared.create(run, key, start.scope).await?;
        created.into_started(pipeline.id)
    }
}

impl Key {
    pub(super) fn for_operation(self, operation: Operation) -> IdempotencyKey {
        IdempotencyKey::new(operation, self.key, self.body_hash)
    }
}

impl CreatedRuns {
    pub(super) fn into_started(self, pipeline_id: PipelineId) -> Result<Started> {
        match self.run_ids.first() {
            Some(run_id) => Ok(Started {
                run_id: *run_id,
                pipeline_id,
                replayed: self.replayed,
            }),
            None => Err(Error::internal("storage made no run and refused none")),
        }
    }
}

impl Shared {
    pub(super) async fn find_pipeline(&self, key: &str, scope: &Scope) -> Result<StoredPipeline> {
        let found = self.storage.find_pipeline(key, scope).await?;
        found.ok_or_else(|| Error::pipeline_not_found(quote(key)))
    }

    /// What the first act with this key made: it is answered before anything else is decided.
    pub(super) async fn made_before(
        &self,
        key: Option<&IdempotencyKey>,
    ) -> Result<Option<CreatedRuns>> {
        match key {
            Some(key) => self.storage.find_idempotent(key).await,
            None => Ok(None),
        }
    }

    /// Stores a run and wakes the queue.
    pub(super) async fn create(
        &self,
        run: Run,
        key: Option<IdempotencyKey>,
        scope: Scope,
    ) -> Result<CreatedRuns> {
        let mut create = CreateRuns::new(vec![NewRun::new(run)]);
        create.scope = scope;
        create.idempotency = key;
        self.create_all(create).await
    }

    /// Stores runs within the bounds of the queue and wakes it.
    pub(super) async fn create_all(&self, mut create: CreateRuns) -> Result<CreatedRuns> {
        create.queued_pipeline_max = self.limits.queued_pipeline_max;
        create.queued_max = self.limits.queued_max;
        let wake = WakeLater(&self.wake);
        let created = self.storage.create_runs(create).await?;
        self.events.committed(created.seq);
        drop(wake);
        Ok(created)
    }

    /// Refuses a pipeline that has a node which nothing here can execute.
    pub(super) fn refuse_unknown_types(&self, pipeline: &Pipeline) -> Result<()> {
        let issues = self.unknown_types(pipeline);
        let Some(first) = issues.first() else {
            return Ok(());
        };
        Err(Error::new(Problem::NodeTypeUnknown, first.detail.clone()).with_issues(issues))
    }

    pub(super) fn unknown_types(&self, pipeline: &Pipeline) -> Vec<Issue> {
        let is_unknown = |kind: &str| self.registry.get(kind).is_none();
        let known = || match self.registry.kinds().collect::<Vec<_>>() {
            none if none.is_empty() => "none".to_owned(),
            kinds => kinds.join(", "),
        };
        let nodes = pipeline
            .nodes
            .iter()
            .enumerate()
            .filter(|(_, node)| is_unknown(&node.kind));
        nodes
            .map(|(index, node)| {
                let detail = format!(
                    "node {} has the type {}, for which no executor is registered; registered: {}",
                    quote(&node.id),
                    quote(&node.kind),
                    known()
                );
                Issue::pointer(format!("/nodes/{index}/type"), detail)
            })
            .collect()
    }
}
