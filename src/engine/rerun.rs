//! Reruns a finished run: creates a new run with its parameters, which executes every node, or
//! those from one on.
//!
//! `resume` continues a failed run instead, and has the rules of what is reused.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::audit::{Audited, Author, Named};
use super::concurrency;
use super::labels::Annotations;
use super::resume::{Chain, DefinitionGraph, NamedNodes, ResumeDefinition};
use super::run_date::kept_instant;
use super::{Engine, RequestKey, Shared, StartedRun};
use crate::error::{Error, Problem, Result};
use crate::model::{
    AuditAction, AuditSubject, DATE_PARAM, ParamDef, Pipeline, Run, RunId, Scope, StoredPipeline,
    TraceParent,
};
use crate::storage::{CreateRuns, IdempotentOperation, NewRun, RunDetail};

/// A request to rerun a run.
#[derive(Debug, Clone)]
pub(crate) struct RerunRequest {
    pub(crate) run: RunId,
    pub(crate) definition: ResumeDefinition,
    /// Parameters that override those of the earlier run.
    pub(crate) params: BTreeMap<String, String>,
    /// The first node to execute. The nodes that are not below it reuse what the run has of them.
    pub(crate) from_node: Option<String>,
    pub(crate) note: Option<String>,
    pub(crate) key: Option<RequestKey>,
    /// Why, in the words of the caller.
    pub(crate) reason: Option<String>,
    /// Who asks, and which objects that reaches.
    pub(crate) author: Author,
    /// The place of the request in a distributed trace.
    pub(crate) traceparent: Option<TraceParent>,
}

impl Engine {
    /// Creates a run with the parameters of a finished one.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` (`run-not-finished`), `Invalid`, `QueueFull`, and any error of
    /// storage.
    pub(crate) async fn rerun(&self, rerun: RerunRequest) -> Result<StartedRun> {
        let (action, named) = (AuditAction::RunRerun, Named::Run(rerun.run));
        let audited = Audited::new(action, named, rerun.author.clone());
        let audited = audited.because(rerun.reason.clone());
        self.audited(audited, |shared, audited| async move {
            shared.rerun(rerun, &audited).await
        })
        .await
    }
}

impl Shared {
    async fn rerun(&self, rerun: RerunRequest, audited: &Audited) -> Result<StartedRun> {
        let old = self
            .storage
            .find_run(rerun.run, &rerun.author.scope)
            .await?;
        let old = old.ok_or_else(|| Error::run_not_found(rerun.run))?;
        let scope = Scope::of(old.run.tenant.as_ref());
        let key = match rerun.key.clone() {
            Some(key) => Some(self.conceal_repeat(key, &old, &rerun.params).await?),
            None => None,
        };
        let key = key.map(|key| key.for_operation(IdempotentOperation::Rerun(rerun.run)));
        if let Some(replayed) = self.find_replayed(key.as_ref()).await? {
            return replayed.into_started_run(old.run.qualified_pipeline());
        }
        if !old.run.status.is_terminal() {
            let message = format!(
                "run {} has not finished, so that it cannot be rerun",
                rerun.run
            );
            return Err(Error::new(Problem::RunNotFinished, message));
        }
        let id = &old.run.pipeline_id;
        let pipeline = self.storage.find_pipeline(id.as_str(), &scope).await?;
        let pipeline = pipeline
            .filter(|found| found.id == *id)
            .ok_or_else(|| Error::pipeline_not_found(id))?;
        let current = Arc::clone(&pipeline.definition);
        let pipeline = match rerun.definition {
            ResumeDefinition::Recorded => StoredPipeline {
                version: old.run.pipeline_version,
                definition: Arc::clone(&old.definition),
                ..pipeline
            },
            ResumeDefinition::Current => pipeline,
        };
        let from_node = rerun.from_node.clone();
        let run = self.new_rerun(&old.run, &pipeline, &current.param_defs, rerun)?;
        let definition = &*pipeline.definition;
        let new = match from_node {
            Some(from_node) => self.reuse_above(run, &old, definition, &from_node)?,
            None => concurrency::new_run(run, definition),
        };
        let mut create = CreateRuns::new(vec![new]);
        (create.idempotency, create.scope) = (key, scope);
        let subject = AuditSubject::Run(old.run.id);
        create.audit = Some(audited.entry(subject, self.clock.now()));
        let created = self.create_runs(create).await?;
        created.into_started_run(old.run.qualified_pipeline())
    }

    /// Gives a run what an earlier one has of the nodes that are not below the named one.
    ///
    /// # Errors
    /// `Invalid` (`invalid-field`) if there is no such node, or no edge to it is taken.
    fn reuse_above(
        &self,
        run: Run,
        old: &RunDetail,
        definition: &Pipeline,
        from_node: &str,
    ) -> Result<NewRun> {
        let current = DefinitionGraph::new(definition)?;
        let named = NamedNodes::find(&current, Some(from_node), &[])?;
        let chain = Chain::new(std::slice::from_ref(old), old.run.id)?;
        let mut new = self.reusing(run, current, &chain, named)?.into_new_run();
        // A rerun begins a chain of its own.
        new.run.generations.clear();
        Ok(new)
    }

    fn new_rerun(
        &self,
        old: &Run,
        pipeline: &StoredPipeline,
        current: &[ParamDef],
        rerun: RerunRequest,
    ) -> Result<Run> {
        let has_own_date = rerun.params.contains_key(DATE_PARAM);
        let params = self.repeated_params(old, rerun.params, current)?;
        let mut run = Run {
            tenant: old.tenant.clone(),
            created_by: rerun.author.by,
            traceparent: rerun.traceparent,
            rerun_of: Some(old.id),
            priority: old.priority,
            ..self.new_manual_run(pipeline, &params)?
        };
        if !has_own_date {
            run.scheduled_at = Some(kept_instant(old, &pipeline.definition));
        }
        let annotations = Annotations {
            labels: old.labels.clone(),
            note: rerun.note,
        };
        annotations.attach(run)
    }
}
