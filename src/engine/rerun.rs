//! Reruns a finished run: creates a new run with its parameters, which executes every node.
//!
//! `resume` continues a failed run instead.

use std::collections::BTreeMap;

use super::labels::Annotations;
use super::resume::ResumeDefinition;
use super::run_date::{run_date, set_params};
use super::{Engine, RequestKey, Shared, StartedRun};
use crate::error::{Error, Problem, Result};
use crate::graph::{param_defs, sizes};
use crate::model::{CallerName, DATE_PARAM, Pipeline, Run, RunId, Scope, Trigger};
use crate::storage::IdempotentOperation;

/// A request to rerun a run.
#[derive(Debug, Clone)]
pub(crate) struct RerunRequest {
    pub(crate) run: RunId,
    pub(crate) definition: ResumeDefinition,
    /// Parameters that override those of the earlier run.
    pub(crate) params: BTreeMap<String, String>,
    pub(crate) note: Option<String>,
    pub(crate) key: Option<RequestKey>,
    pub(crate) scope: Scope,
    /// Who reruns the run.
    pub(crate) by: Option<CallerName>,
}

impl Engine {
    /// Creates a run with the parameters of a finished one.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` (`run-not-finished`), `Invalid`, `QueueFull`, and any error of
    /// storage.
    pub(crate) async fn rerun(&self, rerun: RerunRequest) -> Result<StartedRun> {
        self.command(|shared| async move { shared.rerun(rerun).await })
            .await
    }
}

impl Shared {
    async fn rerun(&self, rerun: RerunRequest) -> Result<StartedRun> {
        let old = self.storage.find_run(rerun.run, &rerun.scope).await?;
        let old = old.ok_or_else(|| Error::run_not_found(rerun.run))?;
        let scope = Scope::of(old.run.tenant.as_ref());
        let key = rerun.key.clone();
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
        let (definition, version) = match rerun.definition {
            ResumeDefinition::Recorded => (&old.definition, old.run.pipeline_version),
            ResumeDefinition::Current => (&pipeline.definition, pipeline.version),
        };
        let run = self.new_rerun(&old.run, definition, version, rerun)?;
        let created = self.create(run, key, scope).await?;
        created.into_started_run(old.run.qualified_pipeline())
    }

    fn new_rerun(
        &self,
        old: &Run,
        definition: &Pipeline,
        version: u32,
        rerun: RerunRequest,
    ) -> Result<Run> {
        self.refuse_unusable_types(definition, old.tenant.as_ref())?;
        let names_date = rerun.params.contains_key(DATE_PARAM);
        let earlier = old.params.iter();
        let mut params: BTreeMap<_, _> = earlier
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .collect();
        params.extend(rerun.params);
        let params = param_defs::resolve(definition, params);
        sizes::check_params(&params, &self.limits)?;
        self.refuse_unfit_params(definition, &params)?;
        let now = self.clock.now();
        let date = if names_date {
            run_date(&params, definition, now)?
        } else {
            old.date
        };
        let (id, pipeline) = (self.clock.new_run_id(), old.pipeline_id.clone());
        let mut run = Run::new(id, pipeline, version, Trigger::Manual, date, now);
        set_params(&mut run, params);
        run.tenant.clone_from(&old.tenant);
        run.created_by = rerun.by;
        run.rerun_of = Some(old.id);
        let annotations = Annotations {
            labels: old.labels.clone(),
            note: rerun.note,
        };
        annotations.attach(run)
    }
}
