//! Prepares a claimed run for execution: a new run, a run after a crash, or a resumed run.
//!
//! `graph/plan` decides which nodes must execute again. This module reads the outputs that the plan
//! needs, and hands the run to `driver`.

mod node_history;
mod planned_run;
#[cfg(test)]
mod random_tests;

pub(super) use planned_run::PlannedRun;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use self::node_history::{NodeHistory, earlier_results, first_error, known_nodes, node_histories};
use super::Shared;
use super::checkpoint;
use super::concurrency;
use super::driver::Driver;
use super::journal::{Journal, LeaseLost};
use super::replaced_assets;
use super::run_context::RunContext;
use super::secret_resolver::SecretResolver;
use super::stop_signal::StopSignal;
use crate::error::{Error, log, trace_causes};
use crate::graph::Graph;
use crate::graph::frontier::{Frontier, NodeOutcome};
use crate::graph::plan::{EarlierResult, ExecutionPlan, OutputState};
use crate::model::{Cancel, Dataset, Interruption, Level, NodeIndex, NodeStatus};
use crate::outage::{Backoff, RetryError, retry_while_unavailable};
use crate::storage::{ClaimedRun, Entry, FinishedNode};

/// The channels by which `active` reaches a run.
#[derive(Debug)]
pub(super) struct RunSignals {
    pub(super) cancel_request: watch::Receiver<Option<Cancel>>,
    pub(super) stop_signal: watch::Sender<StopSignal>,
}

/// A run that is ready to be driven.
#[derive(Debug)]
pub(super) struct PreparedRun {
    pub(super) driver: Driver,
    /// Nodes that never execute: an upstream did not succeed, or no edge to the node is taken.
    pub(super) skipped: Vec<NodeIndex>,
}

/// Why a claimed run cannot be prepared.
#[derive(Debug)]
pub(super) enum PrepareError {
    /// The lease was lost meanwhile.
    LeaseLost,
    /// The stored definition is not a valid graph, or does not take the parameters of its run.
    Invalid(Error),
}

impl From<LeaseLost> for PrepareError {
    fn from(LeaseLost: LeaseLost) -> Self {
        Self::LeaseLost
    }
}

/// Prepares a claimed run.
///
/// # Errors
/// Those of [`PrepareError`].
pub(super) async fn prepare_run(
    shared: &Arc<Shared>,
    claimed: ClaimedRun,
    (journal, stored_nodes): (Journal, mpsc::Receiver<NodeIndex>),
    signals: RunSignals,
) -> Result<PreparedRun, PrepareError> {
    let graph = claimed.graph().map_err(PrepareError::Invalid)?;
    let checked = shared.refuse_unfit_tick(&claimed.definition, &claimed.run);
    checked.map_err(PrepareError::Invalid)?;
    // Hooks that an earlier version of Floret has stored wake it here. Without it, the run goes on.
    if let Err(error) = shared.wake_hooks(&claimed.definition.hooks).await {
        log::warn!(%error, run_id = %claimed.run.id, "the hooks of a run may not be called");
    }
    let checked = concurrency::refuse_unkeyed(&claimed.definition, &claimed.run);
    checked.map_err(PrepareError::Invalid)?;
    let histories = node_histories(&graph, &claimed);
    let is_suspect = claimed.claim_count > 1;
    let interruption = claimed.interruption().map(Interruption::reason);
    let RunSignals {
        cancel_request,
        stop_signal,
    } = signals;
    let context = Arc::new(RunContext {
        shared: Arc::clone(shared),
        secrets: SecretResolver::new(shared, &claimed.run),
        run: claimed.run,
        epoch: claimed.epoch,
        definition: claimed.definition,
        graph: Arc::clone(&graph),
        journal,
        node_slots: shared.capacity.new_run_slots(),
        stop_signal,
    });
    let preparation = Preparation {
        context,
        graph,
        histories,
        is_suspect,
        interruption,
    };
    Ok(preparation.finish(cancel_request, stored_nodes).await?)
}

/// A claimed run with its history.
struct Preparation {
    context: Arc<RunContext>,
    graph: Arc<Graph>,
    histories: Vec<NodeHistory>,
    is_suspect: bool,
    /// Why the previous claim ended, if there was one.
    interruption: Option<&'static str>,
}

impl Preparation {
    async fn finish(
        self,
        cancel_request: watch::Receiver<Option<Cancel>>,
        stored_nodes: mpsc::Receiver<NodeIndex>,
    ) -> Result<PreparedRun, LeaseLost> {
        let is_sink = |node_index| self.context.is_sink(node_index);
        let earlier = earlier_results(&self.graph, &self.histories, is_sink);
        let mut plan = ExecutionPlan::new(&self.graph, earlier);
        let datasets = self.read_needed_outputs(&mut plan).await?;
        self.record_reuse(&plan).await?;
        let must_rerun = |node_index: NodeIndex, history: &NodeHistory| {
            history.outcome() == Some(NodeOutcome::Success) && plan.executes(node_index)
        };
        let known = known_nodes(&plan, &self.histories);
        let (frontier, skipped) = Frontier::new(Arc::clone(&self.graph), known);
        let pending_consumers = self.count_consumers(&plan);
        let driver = Driver {
            frontier,
            datasets,
            pending_consumers,
            is_consumer: self
                .node_indexes()
                .map(|(node_index, _)| plan.executes(node_index))
                .collect(),
            first_attempts: self
                .node_indexes()
                .filter_map(|(node_index, history)| Some((node_index, history.first_attempt()?)))
                .collect(),
            interrupted: self
                .node_indexes()
                .filter(|(_, history)| history.is_interrupted())
                .filter_map(|(node_index, _)| Some((node_index, self.interruption?)))
                .collect(),
            reexecuted: self
                .node_indexes()
                .filter(|(node_index, history)| must_rerun(*node_index, history))
                .map(|(node_index, _)| node_index)
                .collect(),
            fail_reasons: self.fail_reasons(&plan),
            first_error: first_error(&self.histories),
            is_suspect: self.is_suspect,
            cancel_request,
            tasks: JoinSet::new(),
            executing: BTreeMap::new(),
            uncommitted: BTreeMap::new(),
            stored_nodes,
            profiles: JoinSet::new(),
            context: self.context,
        };
        Ok(PreparedRun { driver, skipped })
    }

    fn node_indexes(&self) -> impl Iterator<Item = (NodeIndex, &NodeHistory)> {
        (0..NodeIndex::MAX).zip(&self.histories)
    }

    /// Reads every stored output that an executing node needs.
    ///
    /// A node whose output is missing or damaged executes again.
    async fn read_needed_outputs(
        &self,
        plan: &mut ExecutionPlan<'_>,
    ) -> Result<Vec<Option<Dataset>>, LeaseLost> {
        let mut datasets = vec![None; self.graph.len()];
        for (node_index, history) in self.node_indexes() {
            if let EarlierResult::Succeeded {
                output: OutputState::Unavailable,
                ..
            } = history.past(false)
                && plan.executes(node_index)
            {
                self.log_warning(
                    node_index,
                    "its output was too large to store or contained a secret; it executes again",
                )
                .await?;
            }
        }
        while let Some(node_index) = plan.next_output_to_check() {
            match self.read_output(node_index).await? {
                Some(dataset) => {
                    if let Some(slot) = datasets.get_mut(usize::from(node_index)) {
                        *slot = Some(dataset);
                    }
                }
                None => {
                    plan.mark_unavailable(node_index);
                    self.log_warning(
                        node_index,
                        "its stored output is missing or damaged; it executes again",
                    )
                    .await?;
                }
            }
        }
        Ok(datasets)
    }

    /// Reads a stored output, and retries while storage is unavailable.
    async fn read_output(&self, node_index: NodeIndex) -> Result<Option<Dataset>, LeaseLost> {
        let (context, clock) = (&self.context, &self.context.shared.clock);
        let read = || checkpoint::read(context, node_index);
        let stop = context.lost_or_stopped();
        match retry_while_unavailable(clock, Backoff::STANDARD, stop, read).await {
            Ok(dataset) => Ok(dataset),
            Err(RetryError::Stopped(_)) => Err(LeaseLost),
            Err(RetryError::Permanent(error)) => {
                log::error!(run_id = %context.run.id, %error, "a stored output cannot be read; its node executes again");
                trace_causes(&error);
                Ok(None)
            }
        }
    }

    /// Writes a warning about a node to the run's log.
    async fn log_warning(&self, node_index: NodeIndex, warning: &str) -> Result<(), LeaseLost> {
        let node = self
            .context
            .node_id(node_index)
            .map_or("", |id| id.as_str());
        let message = format!("Node {node}: {warning}");
        let at = self.context.shared.clock.now();
        self.context
            .journal
            .send(Entry::Log {
                node_index: Some(node_index),
                attempt: None,
                level: Level::Warning,
                message,
                at,
            })
            .await
    }

    /// Records the nodes whose output from an earlier run is reused.
    async fn record_reuse(&self, plan: &ExecutionPlan<'_>) -> Result<(), LeaseLost> {
        for (node_index, history) in self.node_indexes() {
            let Some(inherited) = &history.inherited else {
                continue;
            };
            if plan.executes(node_index) || history.outcome().is_some() || history.has_started() {
                continue;
            }
            let mut finished = FinishedNode::new(
                node_index,
                NodeStatus::Skipped,
                self.context.shared.clock.now(),
            );
            finished.row_count = inherited.row_count;
            finished.has_dataset = inherited.has_dataset;
            finished.reused_from = Some(inherited.from_run);
            finished.branch = inherited.branch;
            self.context
                .journal
                .send(Entry::NodeFinished(Box::new(finished)))
                .await?;
        }
        Ok(())
    }

    /// Returns how many executing nodes consume each node's output.
    fn count_consumers(&self, plan: &ExecutionPlan<'_>) -> Vec<usize> {
        let consumer_count = |node_index| {
            self.graph
                .downstream(node_index)
                .iter()
                .filter(|&&consumer| plan.executes(consumer))
                .count()
        };
        self.node_indexes()
            .map(|(node_index, _)| consumer_count(node_index))
            .collect()
    }

    /// Returns the nodes that are not executed but fail: those that need the missing output of a
    /// sink, which is never repeated, and sinks that would replace what another sink writes.
    fn fail_reasons(&self, plan: &ExecutionPlan<'_>) -> HashMap<NodeIndex, String> {
        let reason = |sink: NodeIndex| {
            let sink = self.context.node_id(sink).map_or("", |id| id.as_str());
            format!(
                "the output of {sink} is needed but no longer stored; a sink that succeeded is not executed again automatically"
            )
        };
        let (definition, shared) = (&self.context.definition, &self.context.shared);
        let conflicts =
            replaced_assets::find_in_run(definition, &shared.registry, &self.context.run);
        let conflicts = conflicts.into_iter().filter_map(|conflict| {
            let node = definition.nodes.get(conflict.index)?;
            Some((self.graph.node_index(&node.id)?, conflict.detail))
        });
        plan.missing_inputs()
            .iter()
            .map(|&(sink, node)| (node, reason(sink)))
            .chain(conflicts)
            .collect()
    }
}
