//! Resume: makes a run that goes on where a failed one ended.
//!
//! What it takes over is found in the chain of runs (`chain`) and decided by `graph/reuse`; whether the outputs are still good, when it
//! starts (`recovery`).

mod chain;

use self::chain::{Chain, Plan};
use super::{Engine, Key, Started};
use crate::error::{Error, Issue, Problem, Result, quote};
use crate::executor::Effect;
use crate::graph::reuse::{ChainResult, select_reused};
use crate::model::{
    InheritedOutput, Node, NodeIndex, Run, RunId, RunStatus, Scope, StoredPipeline, Trigger,
};
use crate::storage::{ChainRun, Operation, not_resumable, stands_in_the_way};

/// A wish to resume a run.
#[derive(Debug, Clone)]
pub(crate) struct Resume {
    pub(crate) run: RunId,
    /// The node that executes again, with all below it, though it succeeded.
    pub(crate) from_node: Option<String>,
    pub(crate) definition: ResumeOn,
    pub(crate) key: Option<Key>,
    pub(crate) scope: Scope,
}

/// The definition that a resume runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum ResumeOn {
    /// The one that the old run ran.
    #[default]
    Recorded,
    /// The newest one of the pipeline.
    Current,
}

impl Engine {
    /// Makes a run that resumes another.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` (`run-not-resumable`), `Invalid`, `QueueFull`, and what storage answers.
    pub(crate) async fn resume(&self, resume: Resume) -> Result<Started> {
        self.refuse_in_shutdown()?;
        let (shared, scope) = (&self.0, &resume.scope);
        let old = shared.storage.find_run(resume.run, scope).await?;
        let old = old.ok_or_else(|| Error::run_not_found(resume.run))?;
        let key = resume
            .key
            .map(|key| key.for_operation(Operation::Resume(resume.run)));
        if let Some(made) = shared.made_before(key.as_ref()).await? {
            return made.into_started(old.run.pipeline_id);
        }
        let pipeline_id = &old.run.pipeline_id;
        let pipeline = shared
            .storage
            .find_pipeline(pipeline_id.as_str(), scope)
            .await?
            .filter(|found| found.id == *pipeline_id);
        let definition = match (&pipeline, resume.definition) {
            (Some(pipeline), ResumeOn::Current) => &pipeline.definition,
            (None, ResumeOn::Current) | (_, ResumeOn::Recorded) => &old.definition,
        };
        let plan = Plan::new(definition)?;
        let from = resume
            .from_node
            .map(|id| place_of(&plan, &id))
            .transpose()?;
        let pipeline = refuse_unfit(&old.run, pipeline.as_ref())?;
        shared.refuse_unknown_types(definition)?;
        let mut run = self.resuming_run(&old.run);
        if resume.definition == ResumeOn::Current {
            run.pipeline_version = pipeline.version;
        }
        let chain = shared.storage.find_chain(run.first_run, scope).await?;
        if let Err(refused) = refuse_unfinished(&old.run, &chain) {
            // The run in the way may be the one that this key has made meanwhile.
            let made = shared.made_before(key.as_ref()).await?;
            return made.ok_or(refused)?.into_started(old.run.pipeline_id);
        }
        let chain = Chain::new(&chain, old.run.id)?;
        run.inherited = self.inherited(&plan, &chain, from);
        let created = shared.create(run, key, resume.scope).await?;
        created.into_started(old.run.pipeline_id)
    }

    fn resuming_run(&self, of: &Run) -> Run {
        let clock = &self.0.clock;
        let mut run = Run::new(
            clock.new_run_id(),
            of.pipeline_id.clone(),
            of.pipeline_version,
            Trigger::Resume,
            of.date,
            clock.now(),
        );
        run.params.clone_from(&of.params);
        run.tenant.clone_from(&of.tenant);
        run.resumed_from = Some(of.id);
        run.first_run = of.first_run;
        run
    }

    /// What the next run of a chain takes over.
    fn inherited(
        &self,
        plan: &Plan<'_>,
        chain: &Chain<'_>,
        from: Option<NodeIndex>,
    ) -> Vec<InheritedOutput> {
        let known = plan.graph.node_indexes().map(|node_index| {
            let is_sink = plan.node(node_index).is_some_and(|node| self.is_sink(node));
            (is_sink, chain.success(plan, node_index, is_sink))
        });
        let known: Vec<_> = known.collect();
        let earlier: Vec<_> = known
            .iter()
            .map(|(is_sink, found)| match found {
                Some(found) => ChainResult::Succeeded {
                    is_unchanged: found.is_same,
                    is_sink: *is_sink,
                },
                None => ChainResult::NotSucceeded,
            })
            .collect();
        let reused = select_reused(&plan.graph, &earlier, from);
        let taken = known.into_iter().zip(reused);
        taken
            .filter(|(_, is_reused)| *is_reused)
            .filter_map(|((_, found), _)| found.map(|found| found.inherited))
            .collect()
    }

    fn is_sink(&self, node: &Node) -> bool {
        let executor = self.0.registry.get(&node.kind);
        executor.is_none_or(|executor| executor.effect(node) == Effect::Sink)
    }
}

/// Where the node is that a caller named.
fn place_of(plan: &Plan<'_>, id: &str) -> Result<NodeIndex> {
    plan.graph.node_index(id).ok_or_else(|| {
        let known: Vec<_> = plan.graph.node_indexes().filter_map(|node_index| plan.graph.id(node_index)).take(20).map(|id| id.as_str()).collect();
        let detail = format!(
            "from_node must name a node of the definition that runs, received {}; its nodes begin with {}",
            quote(id),
            known.join(", ")
        );
        Error::invalid(Problem::InvalidField, vec![Issue::pointer("/from_node", detail)])
    })
}

/// Refuses a run that cannot be resumed, or whose pipeline is gone.
fn refuse_unfit<'a>(old: &Run, pipeline: Option<&'a StoredPipeline>) -> Result<&'a StoredPipeline> {
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

/// Refuses what storage refuses when the run is made, by the chain as it was read: what one that ends in between succeeded with would be executed again.
fn refuse_unfinished(old: &Run, chain: &[ChainRun]) -> Result<()> {
    let in_the_way = |link: &&ChainRun| stands_in_the_way(link.run.status);
    match chain.iter().find(in_the_way) {
        Some(ChainRun { run, .. }) => Err(not_resumable(old.id, run.id, run.status)),
        None => Ok(()),
    }
}
