//! Resumes a failed run: creates a new run that inherits what succeeded and executes the rest.
//!
//! `chain` finds the earlier successes, and `graph/reuse` decides which of them are inherited.
//! `prepare` checks that the inherited outputs are still readable when the run starts.

mod chain;
mod preview;

use std::sync::Arc;

use self::chain::{Chain, DefinitionGraph, PastSuccess};
use super::prepare::PlannedRun;
use super::run_date::set_params;
use super::{Engine, RequestKey, Shared, StartedRun};
use crate::error::{Error, Issue, Problem, Result, quote};
use crate::executor::is_sink;
use crate::graph::Graph;
use crate::graph::reuse::{ChainResult, ResumeChoice, choose};
use crate::model::{
    CallerName, Node, NodeId, NodeIndex, Run, RunId, RunStatus, Scope, StoredPipeline, TenantId,
    Trigger,
};
use crate::storage::{IdempotentOperation, RunDetail, blocks_resume, not_resumable};
use crate::suggestion::{did_you_mean, nearest};

/// How many nodes a refusal lists if none is similar to the requested one.
const NODES_NAMED_MAX: usize = 20;

/// A request to resume a run.
#[derive(Debug, Clone)]
pub(crate) struct ResumeRequest {
    pub(crate) run: RunId,
    /// A node that executes again, with everything downstream of it, even if it succeeded.
    pub(crate) from_node: Option<String>,
    pub(crate) definition: ResumeDefinition,
    pub(crate) key: Option<RequestKey>,
    pub(crate) scope: Scope,
    /// Who resumes the run.
    pub(crate) by: Option<CallerName>,
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

/// A run that resumes another one, before it is stored.
struct NewResume {
    run: Run,
    graph: Arc<Graph>,
    /// The node that the caller has named.
    from: Option<NodeIndex>,
    /// What the chain has for each node.
    results: Vec<ChainResult>,
    /// What the run does with each node.
    choices: Vec<ResumeChoice>,
}

impl NewResume {
    /// Returns what the run would execute.
    fn planned(&self) -> PlannedRun<'_> {
        PlannedRun::new(&self.graph, &self.run, |node_index| {
            self.is_sink(node_index)
        })
    }

    /// Returns whether a node is a sink that has succeeded.
    fn is_sink(&self, node_index: NodeIndex) -> bool {
        let result = self.results.get(usize::from(node_index));
        matches!(result, Some(ChainResult::Succeeded { is_sink: true, .. }))
    }

    /// Refuses a resume from a node that it would not execute, since no edge to the node is taken.
    fn refuse_untaken(&self) -> Result<()> {
        let Some(from) = self.from.filter(|from| self.planned().is_untaken(*from)) else {
            return Ok(());
        };
        let id = self.graph.id(from).map_or("", NodeId::as_str);
        let detail = format!(
            "from_node must name a node that the resume executes, and no edge to {} is taken; name the node whose branch decides it",
            quote(id)
        );
        let issues = vec![Issue::pointer("/from_node", detail)];
        Err(Error::invalid(Problem::InvalidField, issues))
    }
}

impl Engine {
    /// Creates a run that resumes a failed one.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` (`run-not-resumable`), `Invalid`, `QueueFull`, and any error of
    /// storage.
    pub(crate) async fn resume(&self, resume: ResumeRequest) -> Result<StartedRun> {
        self.command(|shared| async move { shared.resume(resume).await })
            .await
    }
}

impl Shared {
    async fn resume(&self, mut resume: ResumeRequest) -> Result<StartedRun> {
        let old = self.storage.find_run(resume.run, &resume.scope).await?;
        let old = old.ok_or_else(|| Error::run_not_found(resume.run))?;
        let pipeline = old.run.qualified_pipeline();
        let key = resume.key.take();
        let key = key.map(|key| key.for_operation(IdempotentOperation::Resume(resume.run)));
        if let Some(replayed) = self.find_replayed(key.as_ref()).await? {
            return replayed.into_started_run(pipeline);
        }
        match self.new_resume(&resume, &old).await {
            Ok(new) => {
                let scope = Scope::of(old.run.tenant.as_ref());
                let created = self.create(new.run, key, scope).await?;
                created.into_started_run(pipeline)
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
    async fn new_resume(&self, resume: &ResumeRequest, old: &RunDetail) -> Result<NewResume> {
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
        let from = from.map(|id| parse_from_node(&current, id)).transpose()?;
        let pipeline = refuse_not_resumable(&old.run, pipeline.as_ref())?;
        self.refuse_unusable_types(definition, old.run.tenant.as_ref())?;
        let mut run = self.new_run(&old.run);
        run.created_by.clone_from(&resume.by);
        if resume.definition == ResumeDefinition::Current {
            run.pipeline_version = pipeline.version;
            let params = self.params_on(definition, &old.run.params)?;
            set_params(&mut run, params);
        }
        let chain = self.storage.find_chain(run.first_run, scope).await?;
        refuse_blocked_chain(&old.run, &chain)?;
        let chain = Chain::new(&chain, old.run.id)?;
        let (results, choices) = self.choose_nodes(&mut run, &current, &chain, from);
        let new = NewResume {
            run,
            graph: current.graph,
            from,
            results,
            choices,
        };
        new.refuse_untaken()?;
        Ok(new)
    }

    fn new_run(&self, old: &Run) -> Run {
        let clock = &self.clock;
        let mut run = Run::new(
            clock.new_run_id(),
            old.pipeline_id.clone(),
            old.pipeline_version,
            Trigger::Resume,
            old.date,
            clock.now(),
        );
        set_params(&mut run, old.params.clone());
        run.tenant.clone_from(&old.tenant);
        run.labels.clone_from(&old.labels);
        run.priority = old.priority;
        run.resumed_from = Some(old.id);
        run.first_run = old.first_run;
        run
    }

    /// Sets the outputs that the next run of a chain inherits, and the generations of its nodes.
    /// Returns the results that the chain has for the nodes, and what the run does with each.
    fn choose_nodes(
        &self,
        run: &mut Run,
        current: &DefinitionGraph<'_>,
        chain: &Chain<'_>,
        from: Option<NodeIndex>,
    ) -> (Vec<ChainResult>, Vec<ResumeChoice>) {
        let tenant = run.tenant.clone();
        let successes: Vec<_> = current
            .graph
            .node_indexes()
            .map(|node_index| self.success(current, chain, node_index, tenant.as_ref()))
            .collect();
        let earlier: Vec<_> = successes.iter().map(|(result, _)| *result).collect();
        let choices = choose(&current.graph, &earlier, from);
        let nodes = current.graph.node_indexes().zip(successes).zip(&choices);
        for ((node_index, (_, success)), choice) in nodes {
            if *choice == ResumeChoice::Reuse {
                run.inherited.extend(success.map(|found| found.inherited));
            }
            let is_repeated = *choice == ResumeChoice::Repeat;
            let generation = chain
                .generation(current, node_index)
                .saturating_add(u32::from(is_repeated));
            if generation > 1 {
                run.generations.insert(node_index, generation);
            }
        }
        (earlier, choices)
    }

    /// Returns the result that the chain has for a node, with the success that counts.
    fn success(
        &self,
        current: &DefinitionGraph<'_>,
        chain: &Chain<'_>,
        node_index: NodeIndex,
        tenant: Option<&TenantId>,
    ) -> (ChainResult, Option<PastSuccess>) {
        let is_sink = current
            .node(node_index)
            .is_some_and(|node| self.is_sink(node, tenant));
        let found = chain.latest_success(current, node_index, is_sink);
        let result = match &found {
            Some(found) => ChainResult::Succeeded {
                is_unchanged: found.is_unchanged,
                is_sink,
            },
            None => ChainResult::NotSucceeded {
                is_unchanged: chain.is_unchanged(current, node_index),
            },
        };
        (result, found)
    }

    fn is_sink(&self, node: &Node, tenant: Option<&TenantId>) -> bool {
        let executor = self.registry.get(&node.kind, tenant);
        executor.is_none_or(|executor| is_sink(&**executor, node))
    }
}

/// Finds the node that a caller wants to execute again.
fn parse_from_node(current: &DefinitionGraph<'_>, id: &str) -> Result<NodeIndex> {
    current.graph.node_index(id).ok_or_else(|| {
        let node_indexes = current.graph.node_indexes();
        let node_ids: Vec<_> = node_indexes
            .filter_map(|node_index| current.graph.id(node_index))
            .map(NodeId::as_str)
            .collect();
        let hint = match nearest(id, node_ids.iter().copied()) {
            Some(near) => did_you_mean(near),
            None => {
                let first = node_ids.len().min(NODES_NAMED_MAX);
                format!("; its first nodes are {}", node_ids[..first].join(", "))
            }
        };
        let detail = format!(
            "from_node must name a node of the definition that runs, received {}{hint}",
            quote(id)
        );
        Error::invalid(
            Problem::InvalidField,
            vec![Issue::pointer("/from_node", detail)],
        )
    })
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
