//! Resumes a failed run: creates a new run that inherits what succeeded and executes the rest.
//!
//! `chain` finds the earlier successes, and `graph/reuse` decides which of them are inherited.
//! `prepare` checks that the inherited outputs are still readable when the run starts.

mod chain;
mod choices;
mod params;
mod preview;

use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) use self::chain::{Chain, DefinitionGraph};
pub(super) use self::choices::{NamedNodes, NodeChoices};
use super::audit::{Audited, Author, Named};
use super::concurrency;
use super::prepare::PlannedRun;
use super::run_date::{kept_instant, set_params};
use super::{Engine, RequestKey, Shared, StartedRun};
use crate::error::{Error, Problem, Result};
use crate::graph::Graph;
use crate::graph::reuse::ChainResult;
use crate::model::{
    AuditAction, AuditSubject, NodeId, NodeIndex, OnConflict, Pipeline, Run, RunId, RunStatus,
    Scope, StoredPipeline, TraceParent, Trigger,
};
use crate::storage::{
    CreateRuns, IdempotentOperation, NewRun, RunDetail, blocks_resume, not_resumable,
};

/// A request to resume a run.
#[derive(Debug, Clone)]
pub(crate) struct ResumeRequest {
    pub(crate) run: RunId,
    /// A node that executes again, with everything downstream of it, even if it succeeded.
    pub(crate) from_node: Option<String>,
    /// Nodes that do not execute, as if they had succeeded without an output.
    pub(crate) skip_nodes: Vec<String>,
    /// Parameters that override those of the resumed run.
    pub(crate) params: BTreeMap<String, String>,
    pub(crate) definition: ResumeDefinition,
    pub(crate) key: Option<RequestKey>,
    /// Why, in the words of the caller.
    pub(crate) reason: Option<String>,
    /// Who asks, and which objects that reaches.
    pub(crate) author: Author,
    /// The place of the request in a distributed trace.
    pub(crate) traceparent: Option<TraceParent>,
}

/// The definition that a resuming run executes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum ResumeDefinition {
    /// The definition of the resumed run.
    #[default]
    Recorded,
    /// The newest definition of the pipeline.
    Current,
}

/// A run that reuses what earlier runs have, before it is stored.
pub(super) struct ReusingRun {
    pub(super) run: Run,
    pub(super) graph: Arc<Graph>,
    pub(super) named: NamedNodes,
    pub(super) nodes: NodeChoices,
    on_conflict: OnConflict,
}

impl ReusingRun {
    /// Returns the run to store.
    pub(super) fn into_new_run(self) -> NewRun {
        NewRun {
            on_conflict: self.on_conflict,
            ..NewRun::new(self.run)
        }
    }

    /// Returns what the run would execute.
    fn planned(&self) -> PlannedRun<'_> {
        PlannedRun::new(&self.graph, &self.run, |node_index| {
            self.is_sink(node_index)
        })
    }

    /// Returns whether a node is a sink that has succeeded.
    fn is_sink(&self, node_index: NodeIndex) -> bool {
        let result = self.nodes.results.get(usize::from(node_index));
        matches!(result, Some(ChainResult::Succeeded { is_sink: true, .. }))
    }

    /// Refuses a run from a node that it would not execute, since no edge to the node is taken.
    fn refuse_untaken(&self) -> Result<()> {
        let from = self.named.from;
        match from.filter(|from| self.planned().is_untaken(*from)) {
            Some(from) => {
                let id = self.graph.id(from).map_or("", NodeId::as_str);
                Err(choices::untaken(id))
            }
            None => Ok(()),
        }
    }
}

impl Engine {
    /// Creates a run that resumes a failed one.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` (`run-not-resumable`), `Invalid`, `QueueFull`, and any error of
    /// storage.
    pub(crate) async fn resume(&self, resume: ResumeRequest) -> Result<StartedRun> {
        let (action, named) = (AuditAction::RunResume, Named::Run(resume.run));
        let audited = Audited::new(action, named, resume.author.clone());
        let audited = audited.because(resume.reason.clone());
        self.audited(audited, |shared, audited| async move {
            shared.resume(resume, &audited).await
        })
        .await
    }
}

impl Shared {
    async fn resume(&self, mut resume: ResumeRequest, audited: &Audited) -> Result<StartedRun> {
        let old = self
            .storage
            .find_run(resume.run, &resume.author.scope)
            .await?;
        let old = old.ok_or_else(|| Error::run_not_found(resume.run))?;
        let pipeline = old.run.qualified_pipeline();
        let key = resume.key.take();
        let key = match key {
            Some(key) => Some(self.conceal_repeat(key, &old, &resume.params).await?),
            None => None,
        };
        let key = key.map(|key| key.for_operation(IdempotentOperation::Resume(resume.run)));
        if let Some(replayed) = self.find_replayed(key.as_ref()).await? {
            return replayed.into_started_run(pipeline);
        }
        match self.new_resume(&resume, &old).await {
            Ok(new) => {
                let scope = Scope::of(old.run.tenant.as_ref());
                let mut create = CreateRuns::new(vec![new.into_new_run()]);
                (create.idempotency, create.scope) = (key, scope);
                let subject = AuditSubject::Run(resume.run);
                create.audit = Some(audited.entry(subject, self.clock.now()));
                self.create_runs(create).await?.into_started_run(pipeline)
            }
            Err(refused) => {
                // A concurrent request with the same key may have created the run that blocks
                // this resume.
                let replayed = self.find_replayed(key.as_ref()).await?;
                replayed.ok_or(refused)?.into_started_run(pipeline)
            }
        }
    }

    /// Builds the run that resumes another one.
    ///
    /// # Errors
    /// `Conflict` (`run-not-resumable`), `Invalid`, and any error of storage.
    async fn new_resume(&self, resume: &ResumeRequest, old: &RunDetail) -> Result<ReusingRun> {
        let scope = &Scope::of(old.run.tenant.as_ref());
        let pipeline_id = &old.run.pipeline_id;
        let pipeline = self.storage.find_pipeline(pipeline_id.as_str(), scope);
        let pipeline = pipeline.await?.filter(|found| found.id == *pipeline_id);
        let definition = match (&pipeline, resume.definition) {
            (Some(pipeline), ResumeDefinition::Current) => &pipeline.definition,
            (None, ResumeDefinition::Current) | (_, ResumeDefinition::Recorded) => &old.definition,
        };
        let current = DefinitionGraph::new(definition)?;
        let from = resume.from_node.as_deref();
        let named = NamedNodes::find(&current, from, &resume.skip_nodes)?;
        let pipeline = refuse_not_resumable(&old.run, pipeline.as_ref())?;
        self.refuse_unusable_types(definition, old.run.tenant.as_ref())?;
        let mut run = self.new_run(&old.run, definition);
        run.created_by.clone_from(&resume.author.by);
        run.traceparent = resume.traceparent;
        if resume.definition == ResumeDefinition::Current {
            run.pipeline_version = pipeline.version;
        }
        let defs = &pipeline.definition.param_defs;
        let params = self.resume_params(resume, &old.run, definition, defs)?;
        set_params(&mut run, params);
        let run = concurrency::keyed(run, definition)?;
        let chain = self.storage.find_chain(run.first_run, scope).await?;
        refuse_blocked_chain(&old.run, &chain)?;
        let chain = Chain::new(&chain, old.run.id)?;
        self.reusing(run, current, &chain, named)
    }

    /// Gives a run what it reuses of a chain.
    ///
    /// # Errors
    /// `Invalid` (`invalid-field`) if it would not execute the node that it is to begin with.
    pub(super) fn reusing(
        &self,
        mut run: Run,
        current: DefinitionGraph<'_>,
        chain: &Chain<'_>,
        named: NamedNodes,
    ) -> Result<ReusingRun> {
        let nodes = self.choose_nodes(&mut run, &current, chain, &named);
        let new = ReusingRun {
            run,
            on_conflict: concurrency::on_conflict(current.definition),
            graph: current.graph,
            named,
            nodes,
        };
        new.refuse_untaken()?;
        Ok(new)
    }

    fn new_run(&self, old: &Run, definition: &Pipeline) -> Run {
        let clock = &self.clock;
        let mut run = Run::new(
            clock.new_run_id(),
            old.pipeline_id.clone(),
            old.pipeline_version,
            Trigger::Resume,
            old.date,
            clock.now(),
        );
        run.scheduled_at = Some(kept_instant(old, definition));
        run.tenant.clone_from(&old.tenant);
        run.labels.clone_from(&old.labels);
        run.priority = old.priority;
        run.resumed_from = Some(old.id);
        run.first_run = old.first_run;
        run
    }
}

/// Refuses a run that is not failed, or whose pipeline was deleted.
fn refuse_not_resumable<'a>(
    old: &Run,
    pipeline: Option<&'a StoredPipeline>,
) -> Result<&'a StoredPipeline> {
    if old.status != RunStatus::Failed {
        return Err(not_resumable(old.id, old.id, old.status));
    }
    pipeline.ok_or_else(|| {
        Error::new(
            Problem::RunNotResumable,
            format!(
                "the pipeline {} of run {} is deleted",
                old.pipeline_id, old.id
            ),
        )
    })
}

/// Refuses a resume while another run of the chain blocks it.
///
/// Storage enforces the same rule when it creates the run. This check uses the chain that was read,
/// because a run that finishes between the two may succeed with nodes that this chain does not
/// show. The new run would execute those nodes again.
fn refuse_blocked_chain(old: &Run, chain: &[RunDetail]) -> Result<()> {
    let is_blocking = |link: &&RunDetail| blocks_resume(link.run.status);
    match chain.iter().find(is_blocking) {
        Some(RunDetail { run, .. }) => Err(not_resumable(old.id, run.id, run.status)),
        None => Ok(()),
    }
}
