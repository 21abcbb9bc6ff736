//! Dry run: executes a pipeline on a few rows per node and returns each node's result. Nothing is
//! stored and no sink executes.
//!
//! `node` executes a single node, `attempt` an attempt; `graph/frontier` decides what may start.

mod node;
mod node_warnings;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::{CancellationToken, DropGuard};

use self::node::{DryNode, DryNodeOutcome};
use super::redaction;
use super::secret_resolver::SecretResolver;
use super::stop_signal::StopSignal;
use super::{Engine, Shared, shutting_down};
use crate::error::{Error, Problem, Result, log, truncate};
use crate::executor::{Input, is_sink};
use crate::graph::Graph;
use crate::graph::frontier::{Frontier, NodeOutcome};
use crate::limits::{DatasetLimits, json_size};
use crate::model::{
    Dataset, DryRun, DryRunNode, NodeIndex, NodeStatus, Pipeline, Preview, PreviewBounds, Run,
    Scope, StoredPipeline,
};

/// A request for a dry run.
#[derive(Debug, Clone)]
pub(crate) struct DryRunRequest {
    /// The pipeline's id or slug.
    pub(crate) pipeline: String,
    /// Parameters that override the pipeline's own.
    pub(crate) params: BTreeMap<String, String>,
    pub(crate) scope: Scope,
}

impl Engine {
    /// Executes a pipeline on a few rows per node. Dropping the future stops it.
    ///
    /// # Errors
    /// - `NotFound`.
    /// - `Invalid` (`node-type-unknown`, `params-too-large`, `param-invalid`).
    /// - `too-many-requests` while the maximum number of dry runs is executing.
    /// - `ShuttingDown`, also when the shutdown begins during the dry run.
    pub(crate) async fn dry_run(&self, request: DryRunRequest) -> Result<DryRun> {
        self.refuse_in_shutdown()?;
        let shared = &self.0;
        let pipeline = shared
            .find_pipeline(&request.pipeline, &request.scope)
            .await?;
        let mut run = shared.new_manual_run(&pipeline, &request.params.into())?;
        run.tenant.clone_from(&pipeline.tenant);
        let permit = Arc::clone(&shared.dry_runs)
            .try_acquire_owned()
            .map_err(|_| too_many(shared.limits.dry_runs_max))?;
        let execution = DryRunExecution::new(shared, &pipeline, run, permit)?;
        tokio::select! {
            biased;
            () = shared.drain.cancelled() => Err(shutting_down()),
            outcome = execution.execute() => outcome,
        }
    }
}

fn too_many(max: u32) -> Error {
    Error::new(
        Problem::TooManyRequests,
        format!("{max} dry runs are executing, which is the maximum"),
    )
}

/// An executing dry run. Dropping it aborts its tasks.
struct DryRunExecution {
    shared: Arc<Shared>,
    /// Held by each attempt until its code ends, even after the dry run.
    permit: Arc<OwnedSemaphorePermit>,
    /// The run as its nodes see it. It is never stored.
    run: Arc<Run>,
    secrets: SecretResolver,
    definition: Arc<Pipeline>,
    graph: Arc<Graph>,
    frontier: Frontier,
    /// The outputs of the nodes, by node index.
    datasets: Vec<Option<Dataset>>,
    /// The results of the finished nodes, by node index.
    results: Vec<Option<DryRunNode>>,
    /// The bytes of the answer that the finished nodes have left.
    answer_room: usize,
    tasks: JoinSet<(NodeIndex, DryNodeOutcome)>,
    // One permit for each node that may execute at once in this dry run.
    slots: Arc<Semaphore>,
    stop_signal: watch::Sender<StopSignal>,
    // Cancelled when the dry run is dropped, so that executors stop.
    stop: CancellationToken,
    _stop_when_dropped: DropGuard,
}

impl DryRunExecution {
    fn new(
        shared: &Arc<Shared>,
        pipeline: &StoredPipeline,
        run: Run,
        permit: OwnedSemaphorePermit,
    ) -> Result<Self> {
        let definition = Arc::clone(&pipeline.definition);
        let graph = Arc::new(Graph::new(&definition)?);
        let (frontier, _none) = Frontier::new(Arc::clone(&graph), Vec::new());
        let stop = CancellationToken::new();
        Ok(Self {
            shared: Arc::clone(shared),
            permit: Arc::new(permit),
            answer_room: shared.limits.dry_run_bytes_max,
            secrets: SecretResolver::new(shared, &run),
            run: Arc::new(run),
            frontier,
            datasets: vec![None; graph.len()],
            results: vec![None; graph.len()],
            tasks: JoinSet::new(),
            slots: shared.capacity.new_run_slots(),
            stop_signal: watch::Sender::new(StopSignal::None),
            _stop_when_dropped: stop.clone().drop_guard(),
            stop,
            definition,
            graph,
        })
    }

    async fn execute(mut self) -> Result<DryRun> {
        let (clock, allowed) = (
            self.shared.clock.clone(),
            self.shared.limits.dry_run_timeout,
        );
        let deadline = clock.sleep(allowed);
        tokio::pin!(deadline);
        let mut is_timed_out = false;
        loop {
            if !is_timed_out {
                self.start_ready()?;
            }
            tokio::select! {
                joined = self.tasks.join_next() => match joined {
                    Some(joined) => self.record_joined(joined)?,
                    None => return self.into_result(is_timed_out),
                },
                () = &mut deadline, if !is_timed_out => {
                    is_timed_out = true;
                    self.stop_signal.send_replace(StopSignal::TimedOut);
                }
            }
        }
    }

    fn start_ready(&mut self) -> Result<()> {
        for node_index in self.frontier.take_ready() {
            let inputs = self.inputs(node_index);
            let node = self
                .graph
                .declared_index(node_index)
                .and_then(|index| self.definition.nodes.get(index));
            let (registry, tenant) = (&self.shared.registry, self.run.tenant.as_ref());
            let Some((node, executor)) =
                node.and_then(|node| Some((node, registry.get(&node.kind, tenant)?)))
            else {
                return Err(Error::internal("a node has lost its definition"));
            };
            if is_sink(&**executor, node) {
                let outcome = match concat_inputs(&inputs, self.shared.limits.dataset) {
                    Ok(received) => DryNodeOutcome::new(NodeStatus::Skipped, received),
                    Err(error) => DryNodeOutcome::failed(error.to_string()),
                };
                self.finish_node(node_index, outcome)?;
                continue;
            }
            let dry_node = DryNode {
                shared: Arc::clone(&self.shared),
                permit: Arc::clone(&self.permit),
                run: Arc::clone(&self.run),
                secrets: self.secrets.clone(),
                node: node.clone(),
                node_index,
                graph: Arc::clone(&self.graph),
                inputs,
                slots: Arc::clone(&self.slots),
                stop_signal: self.stop_signal.subscribe(),
                stop: self.stop.child_token(),
            };
            let span = log::info_span!("dry_run", node_id = %dry_node.node.id);
            self.tasks
                .spawn(span.instrument(async move { (node_index, dry_node.execute().await) }));
        }
        Ok(())
    }

    fn inputs(&self, node_index: NodeIndex) -> Vec<Input> {
        let upstream = self.graph.upstream(node_index).iter();
        upstream
            .filter_map(|up| {
                let dataset = self.datasets.get(usize::from(*up)).cloned().flatten();
                let dataset = dataset.filter(|_| self.frontier.delivers(*up, node_index));
                Some(Input::new(self.graph.id(*up)?.clone(), dataset))
            })
            .collect()
    }

    fn record_joined(
        &mut self,
        joined: Result<(NodeIndex, DryNodeOutcome), JoinError>,
    ) -> Result<()> {
        let (node_index, outcome) = joined
            .map_err(|error| Error::internal("a node of a dry run panicked").with_source(error))?;
        self.finish_node(node_index, outcome)
    }

    /// Records the outcome of a node and skips the nodes that can no longer execute.
    fn finish_node(&mut self, node_index: NodeIndex, outcome: DryNodeOutcome) -> Result<()> {
        let rows_max = self.shared.limits.dry_run_rows_max;
        let cut = outcome.dataset.map(|dataset| dataset.copy_head(rows_max));
        let cut = cut.transpose()?;
        let mut node = self.new_result(node_index, outcome.status)?;
        node.warnings = outcome.warnings;
        node.branch = outcome.branch;
        let share = self.answer_share(&node);
        if let Some(dataset) = &cut {
            let preview = self.preview(dataset, share)?;
            (node.columns, node.rows) = (preview.columns, preview.rows);
            node.truncated = preview.truncated;
        }
        node.error = outcome.error.map(|error| truncate(error, share));
        self.answer_room = self.answer_room.saturating_sub(json_size(&node));
        let frontier_outcome = match outcome.status {
            NodeStatus::Success => NodeOutcome::Success,
            NodeStatus::Skipped => NodeOutcome::Skipped,
            NodeStatus::Failed
            | NodeStatus::Cancelled
            | NodeStatus::Pending
            | NodeStatus::Running => NodeOutcome::Failed,
        };
        let index = usize::from(node_index);
        if let (NodeOutcome::Success, Some(slot)) = (frontier_outcome, self.datasets.get_mut(index))
        {
            *slot = cut;
        }
        self.set_result(node_index, node);
        self.frontier.take_branch(node_index, outcome.branch);
        let unreachable = self.frontier.finish_node(node_index, frontier_outcome);
        let is_late = *self.stop_signal.borrow() == StopSignal::TimedOut;
        if is_late && frontier_outcome != NodeOutcome::Success {
            // None of them would have started in time. They have failed, as this node has.
            return Ok(());
        }
        for node_index in unreachable {
            let skipped = self.new_result(node_index, NodeStatus::Skipped)?;
            self.set_result(node_index, skipped);
        }
        Ok(())
    }

    /// Returns the bytes of the answer that a node may take in addition to its result without rows:
    /// an equal part of what earlier nodes have left.
    fn answer_share(&self, node: &DryRunNode) -> usize {
        let results = self.results.iter().filter(|result| result.is_none());
        let share = self.answer_room / results.count().max(1);
        share.saturating_sub(json_size(node))
    }

    fn preview(&self, dataset: &Dataset, share: usize) -> Result<Preview> {
        let limits = &self.shared.limits;
        let bounds = PreviewBounds {
            rows_max: limits.dry_run_rows_max,
            cell_bytes_max: limits.preview_cell_bytes_max,
            bytes_max: limits.preview_bytes_max.min(share),
        };
        redaction::preview_within(dataset, &self.secrets.mask, bounds)
    }

    fn set_result(&mut self, node_index: NodeIndex, node: DryRunNode) {
        if let Some(slot) = self.results.get_mut(usize::from(node_index)) {
            *slot = Some(node);
        }
    }

    fn new_result(&self, node_index: NodeIndex, status: NodeStatus) -> Result<DryRunNode> {
        let declared = self.graph.declared_index(node_index);
        let node = declared.and_then(|index| self.definition.nodes.get(index));
        match (self.graph.id(node_index), node) {
            (Some(id), Some(node)) => Ok(DryRunNode::new(id.clone(), node.name.clone(), status)),
            _ => Err(Error::internal("a node has lost its definition")),
        }
    }

    /// Returns the results of all nodes. Nodes that did not start in time have failed.
    fn into_result(mut self, is_timed_out: bool) -> Result<DryRun> {
        let mut nodes = Vec::with_capacity(self.results.len());
        for node_index in self.graph.node_indexes() {
            let result = self
                .results
                .get_mut(usize::from(node_index))
                .and_then(Option::take);
            nodes.push(match result {
                Some(node) => node,
                None if is_timed_out => {
                    let mut node = self.new_result(node_index, NodeStatus::Failed)?;
                    node.error = Some(dry_run_timeout_message(self.shared.limits.dry_run_timeout));
                    node
                }
                None => self.new_result(node_index, NodeStatus::Skipped)?,
            });
        }
        Ok(DryRun { nodes })
    }
}

/// Concatenates all inputs. Returns `None` if no input has rows.
fn concat_inputs(inputs: &[Input], limits: DatasetLimits) -> Result<Option<Dataset>> {
    let given: Vec<_> = inputs
        .iter()
        .filter_map(|input| input.dataset.clone())
        .collect();
    if given.is_empty() {
        return Ok(None);
    }
    Dataset::concat_within(&given, limits).map(Some)
}

fn dry_run_timeout_message(allowed: Duration) -> String {
    format!(
        "not finished within the time limit of a dry run, {} s",
        allowed.as_secs_f64()
    )
}
