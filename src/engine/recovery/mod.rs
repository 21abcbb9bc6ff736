//! Takes a claimed run up where it stands: at its beginning, after a crash, or on what an earlier run of its chain left.
//!
//! What must be executed again is decided by `graph/plan`; this file reads what the plan asks for.

mod known;

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;

use self::known::{Known, known};
use super::Shared;
use super::checkpoint;
use super::context::Context;
use super::driver::{Closing, Driver};
use super::halt::Halt;
use super::journal::{Journal, Lost, Position};
use super::vault::Vault;
use crate::error::{Result, trace_causes};
use crate::graph::Graph;
use crate::graph::frontier::{Frontier, NodeOutcome};
use crate::graph::plan::{EarlierResult, ExecutionPlan, OutputState};
use crate::model::{Cancel, Dataset, Level, NodeIndex, NodeStatus, RunStatus};
use crate::outage::{Backoff, RetryError, retry_while_unavailable};
use crate::storage::{ClaimedRun, Entry, FinishedNode};

/// What reaches a run under way from outside.
#[derive(Debug)]
pub(super) struct Strings {
    pub(super) wish: watch::Receiver<Option<Cancel>>,
    pub(super) halt: watch::Sender<Halt>,
}

/// A run ready to be driven, with the nodes that will never run.
pub(super) type Ready = (Driver, Vec<NodeIndex>);

/// Takes up a claimed run.
///
/// # Errors
/// `Err(Lost)` inside when the claim is lost meanwhile; an error when the stored definition is no graph.
pub(super) async fn take_up(
    shared: &Arc<Shared>,
    claimed: ClaimedRun,
    strings: Strings,
) -> Result<Result<Ready, Lost>> {
    let graph = Arc::new(Graph::new(&claimed.definition)?);
    let known = known(&graph, &claimed);
    let is_suspect = claimed.claim_count > 1;
    let Strings { wish, halt } = strings;
    let at = Position {
        run: claimed.run.id,
        epoch: claimed.epoch,
        position: claimed.position,
    };
    let (journal, appender) = Journal::open(shared, at, halt.clone());
    let closing = journal.closing();
    let slots = usize::try_from(shared.limits.nodes_run_max)
        .unwrap_or(usize::MAX)
        .max(1);
    let context = Arc::new(Context {
        shared: Arc::clone(shared),
        vault: Vault::new(shared, &claimed.run),
        run: claimed.run,
        epoch: claimed.epoch,
        definition: claimed.definition,
        graph: Arc::clone(&graph),
        journal,
        node_slots: Arc::new(tokio::sync::Semaphore::new(slots)),
        halt,
    });
    let appender = Closing {
        closing,
        appender: shared.tasks.spawn(appender.run()),
    };
    Ok(TakeUp {
        context,
        graph,
        known,
        is_suspect,
    }
    .prepare(wish, appender)
    .await)
}

struct TakeUp {
    context: Arc<Context>,
    graph: Arc<Graph>,
    known: Vec<Known>,
    is_suspect: bool,
}

impl TakeUp {
    async fn prepare(
        self,
        wish: watch::Receiver<Option<Cancel>>,
        appender: Closing,
    ) -> Result<Ready, Lost> {
        let mut plan = ExecutionPlan::new(
            &self.graph,
            self.node_indexes()
                .map(|(node_index, known)| known.past(self.context.is_sink(node_index)))
                .collect(),
        );
        let datasets = self.read_needed(&mut plan).await?;
        self.record_reuse(&plan).await?;
        let is_remade = |node_index: NodeIndex, known: &Known| {
            known.outcome() == Some(NodeOutcome::Success) && plan.executes(node_index)
        };
        let settled = self
            .node_indexes()
            .map(|(node_index, known)| self.settled(&plan, node_index, known))
            .collect();
        let (frontier, skipped) = Frontier::new(Arc::clone(&self.graph), settled);
        let takers = self.takers(&plan);
        let driver = Driver {
            frontier,
            datasets,
            takers,
            attempts: self.attempts(),
            remade: self
                .node_indexes()
                .filter(|(node_index, known)| is_remade(*node_index, known))
                .map(|(node_index, _)| node_index)
                .collect(),
            doomed: self.doomed(&plan),
            first_error: self.first_error(),
            is_suspect: self.is_suspect,
            wish,
            tasks: JoinSet::new(),
            ends: JoinSet::new(),
            profiles: JoinSet::new(),
            appender,
            context: self.context,
        };
        Ok((driver, skipped))
    }

    fn node_indexes(&self) -> impl Iterator<Item = (NodeIndex, &Known)> {
        (0..NodeIndex::MAX).zip(&self.known)
    }

    /// Reads every kept output that an executing node needs; one that is missing or damaged makes its node run again.
    async fn read_needed(
        &self,
        plan: &mut ExecutionPlan<'_>,
    ) -> Result<Vec<Option<Dataset>>, Lost> {
        let mut datasets = vec![None; self.graph.len()];
        for (node_index, known) in self.node_indexes() {
            if let EarlierResult::Succeeded {
                output: OutputState::Unavailable,
                ..
            } = known.past(false)
                && plan.executes(node_index)
            {
                self.tell(
                    node_index,
                    "its output was too large to keep, or a secret stood in it, so that it is executed again",
                )
                .await?;
            }
        }
        while let Some(node_index) = plan.next_output_to_check() {
            match self.read(node_index).await? {
                Some(dataset) => {
                    if let Some(slot) = datasets.get_mut(usize::from(node_index)) {
                        *slot = Some(dataset);
                    }
                }
                None => {
                    plan.mark_unavailable(node_index);
                    self.tell(
                        node_index,
                        "its kept output is missing or damaged, so that it is executed again",
                    )
                    .await?;
                }
            }
        }
        Ok(datasets)
    }

    /// Reads a kept output, and repeats that while storage is unavailable.
    async fn read(&self, node_index: NodeIndex) -> Result<Option<Dataset>, Lost> {
        let (context, clock) = (&self.context, &self.context.shared.clock);
        let read = || checkpoint::read(context, node_index);
        let stop = context.lost_or_stopped();
        match retry_while_unavailable(clock, Backoff::STANDARD, stop, read).await {
            Ok(dataset) => Ok(dataset),
            Err(RetryError::Stopped(_)) => Err(Lost),
            Err(RetryError::Permanent(error)) => {
                tracing::error!(run_id = %context.run.id, %error, "a kept output cannot be read; its node runs again");
                trace_causes(&error);
                Ok(None)
            }
        }
    }

    async fn tell(&self, node_index: NodeIndex, what: &str) -> Result<(), Lost> {
        let node = self
            .context
            .node_id(node_index)
            .map_or("", |id| id.as_str());
        let message = format!("Node {node}: {what}");
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

    /// Records the nodes whose earlier success is reused.
    async fn record_reuse(&self, plan: &ExecutionPlan<'_>) -> Result<(), Lost> {
        for (node_index, known) in self.node_indexes() {
            let Some(inherited) = &known.inherited else {
                continue;
            };
            if plan.executes(node_index) || known.outcome().is_some() || known.has_begun() {
                continue;
            }
            let mut end = FinishedNode::new(
                node_index,
                NodeStatus::Skipped,
                self.context.shared.clock.now(),
            );
            end.row_count = inherited.row_count;
            end.has_dataset = inherited.has_dataset;
            end.reused_from = Some(inherited.from_run);
            self.context
                .journal
                .send(Entry::NodeFinished(Box::new(end)))
                .await?;
        }
        Ok(())
    }

    /// What the frontier takes as final.
    fn settled(
        &self,
        plan: &ExecutionPlan<'_>,
        node_index: NodeIndex,
        known: &Known,
    ) -> Option<NodeOutcome> {
        match known.outcome() {
            Some(NodeOutcome::Success) if plan.executes(node_index) => None,
            Some(outcome) => Some(outcome),
            None if known.inherited.is_some() && !plan.executes(node_index) => {
                Some(NodeOutcome::Success)
            }
            None => None,
        }
    }

    /// How many executing nodes take each node's output.
    fn takers(&self, plan: &ExecutionPlan<'_>) -> Vec<usize> {
        let of = |node_index| {
            self.graph
                .downstream(node_index)
                .iter()
                .filter(|&&taker| plan.executes(taker))
                .count()
        };
        self.node_indexes()
            .map(|(node_index, _)| of(node_index))
            .collect()
    }

    /// The attempt to begin with: one that a crash ended is made again, one that failed is followed by the next.
    fn attempts(&self) -> HashMap<NodeIndex, u32> {
        let begun = |(node_index, known): (NodeIndex, &Known)| {
            let row = known
                .row
                .as_ref()
                .filter(|row| row.status == NodeStatus::Pending)?;
            let has_failed = row.error.is_some();
            row.attempt
                .map(|attempt| (node_index, attempt.saturating_add(u32::from(has_failed))))
        };
        self.node_indexes().filter_map(begun).collect()
    }

    /// Nodes that need the lost output of a sink, which is never repeated.
    fn doomed(&self, plan: &ExecutionPlan<'_>) -> HashMap<NodeIndex, String> {
        let why = |sink: NodeIndex| {
            let sink = self.context.node_id(sink).map_or("", |id| id.as_str());
            format!(
                "the output of {sink} is needed and no longer there, and a sink that succeeded is never repeated by itself"
            )
        };
        plan.missing_inputs()
            .iter()
            .map(|&(sink, node)| (node, why(sink)))
            .collect()
    }

    fn first_error(&self) -> Option<String> {
        let failed = self
            .known
            .iter()
            .filter_map(|known| known.row.as_ref())
            .filter(|row| row.status == NodeStatus::Failed);
        let first = failed.min_by_key(|row| row.finished_at)?;
        Some(format!(
            "node {}: {}",
            first.node_id,
            first.error.as_deref().unwrap_or("it failed")
        ))
    }
}

/// How a run whose definition cannot be executed ends.
pub(super) fn broken(
    claimed: &ClaimedRun,
    error: &crate::error::Error,
    at: chrono::DateTime<chrono::Utc>,
) -> Entry {
    let status = if claimed.run.cancel.is_some() {
        RunStatus::Cancelled
    } else {
        RunStatus::Failed
    };
    Entry::RunFinished {
        status,
        error: Some(format!("the stored definition cannot be executed: {error}")),
        at,
    }
}
