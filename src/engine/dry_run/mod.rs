//! Dry run: executes a pipeline on a few rows a node and tells what came of each; nothing is stored, no sink is executed.
//!
//! One attempt is `attempt`'s, what may start `graph/frontier`'s, a single node `node`'s.

mod node;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::Instrument;

use self::node::{Part, Told};
use super::halt::Halt;
use super::hiding;
use super::vault::Vault;
use super::{Engine, Shared, shutting_down};
use crate::error::{Error, Problem, Result};
use crate::executor::{Effect, Input};
use crate::graph::Graph;
use crate::graph::frontier::{Frontier, NodeOutcome};
use crate::model::{
    Dataset, DryRun, DryRunNode, NodeIndex, NodeStatus, Pipeline, Run, Scope, StoredPipeline,
    Trigger,
};

/// A wish for a dry run.
#[derive(Debug, Clone)]
pub(crate) struct AskDryRun {
    /// The pipeline's id or slug.
    pub(crate) pipeline: String,
    /// Parameters over the pipeline's own.
    pub(crate) params: BTreeMap<String, String>,
    pub(crate) scope: Scope,
}

impl Engine {
    /// Executes a pipeline on a few rows. Dropping the future ends it.
    ///
    /// # Errors
    /// `NotFound`, `Invalid` (`node-type-unknown`), `TooManyRequests` while as many as may are under way, `ShuttingDown`, also when it begins meanwhile.
    pub(crate) async fn dry_run(&self, ask: AskDryRun) -> Result<DryRun> {
        self.refuse_in_shutdown()?;
        let shared = &self.0;
        let pipeline = shared.find_pipeline(&ask.pipeline, &ask.scope).await?;
        shared.refuse_unknown_types(&pipeline.definition)?;
        let _under_way = shared
            .dry_runs
            .try_acquire()
            .map_err(|_| too_many(shared.limits.dry_runs_max))?;
        let stage = Stage::new(shared, &pipeline, ask.params)?;
        tokio::select! {
            biased;
            () = shared.drain.cancelled() => Err(shutting_down()),
            told = stage.play() => told,
        }
    }
}

fn too_many(max: u32) -> Error {
    Error::new(
        Problem::TooManyRequests,
        format!("{max} dry runs are under way, which is as many as may be at once"),
    )
}

/// A dry run under way. Its tasks end when it is dropped.
struct Stage {
    shared: Arc<Shared>,
    /// Never stored: what the nodes see of a run.
    run: Arc<Run>,
    vault: Vault,
    definition: Arc<Pipeline>,
    graph: Arc<Graph>,
    frontier: Frontier,
    /// By place: what nodes handed on.
    datasets: Vec<Option<Dataset>>,
    /// By place: what came of the nodes that are done.
    told: Vec<Option<DryRunNode>>,
    tasks: JoinSet<(NodeIndex, Told)>,
    // Permits are nodes that execute in this dry run.
    slots: Arc<Semaphore>,
    halt: watch::Sender<Halt>,
    // Tells executors that the caller has left.
    stop: CancellationToken,
    _stop_when_dropped: DropGuard,
}

impl Stage {
    fn new(
        shared: &Arc<Shared>,
        pipeline: &StoredPipeline,
        params: BTreeMap<String, String>,
    ) -> Result<Self> {
        let definition = Arc::clone(&pipeline.definition);
        let graph = Arc::new(Graph::new(&definition)?);
        let (frontier, _none) = Frontier::new(Arc::clone(&graph), Vec::new());
        let now = shared.clock.now();
        let mut run = Run::new(
            shared.clock.new_run_id(),
            pipeline.id.clone(),
            pipeline.version,
            Trigger::Manual,
            now.date_naive(),
            now,
        );
        run.tenant.clone_from(&pipeline.tenant);
        run.params.clone_from(&definition.params);
        run.params.extend(params);
        let slots = usize::try_from(shared.limits.nodes_run_max).unwrap_or(usize::MAX);
        let stop = CancellationToken::new();
        Ok(Self {
            shared: Arc::clone(shared),
            vault: Vault::new(shared, &run),
            run: Arc::new(run),
            frontier,
            datasets: vec![None; graph.len()],
            told: vec![None; graph.len()],
            tasks: JoinSet::new(),
            slots: Arc::new(Semaphore::new(slots.clamp(1, Semaphore::MAX_PERMITS))),
            halt: watch::Sender::new(Halt::Not),
            _stop_when_dropped: stop.clone().drop_guard(),
            stop,
            definition,
            graph,
        })
    }

    async fn play(mut self) -> Result<DryRun> {
        let (clock, allowed) = (
            self.shared.clock.clone(),
            self.shared.limits.dry_run_timeout,
        );
        let late = clock.sleep(allowed);
        tokio::pin!(late);
        let mut is_late = false;
        loop {
            if !is_late {
                self.start_ready()?;
            }
            tokio::select! {
                ended = self.tasks.join_next() => match ended {
                    Some(ended) => self.ended(ended)?,
                    None => return self.all_told(is_late),
                },
                () = &mut late, if !is_late => {
                    is_late = true;
                    self.halt.send_replace(Halt::TimedOut);
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
            let Some((node, executor)) =
                node.and_then(|node| Some((node, self.shared.registry.get(&node.kind)?)))
            else {
                return Err(Error::internal("a node has lost its definition"));
            };
            if executor.effect(node) == Effect::Sink {
                let received = received(&inputs)?;
                self.tell(node_index, Told::new(NodeStatus::Skipped, received))?;
                continue;
            }
            let part = Part {
                shared: Arc::clone(&self.shared),
                run: Arc::clone(&self.run),
                vault: self.vault.clone(),
                node: node.clone(),
                inputs,
                slots: Arc::clone(&self.slots),
                halt: self.halt.subscribe(),
                stop: self.stop.child_token(),
            };
            let span = tracing::info_span!("dry_run", node_id = %part.node.id);
            self.tasks
                .spawn(async move { (node_index, part.play().await) }.instrument(span));
        }
        Ok(())
    }

    fn inputs(&self, node_index: NodeIndex) -> Vec<Input> {
        let upstream = self.graph.upstream(node_index).iter();
        upstream
            .filter_map(|up| {
                let dataset = self.datasets.get(usize::from(*up)).cloned().flatten();
                Some(Input::new(self.graph.id(*up)?.clone(), dataset))
            })
            .collect()
    }

    fn ended(&mut self, ended: Result<(NodeIndex, Told), JoinError>) -> Result<()> {
        let (node_index, told) = ended.map_err(|error| {
            Error::internal("a node of a dry run ended out of order").with_source(error)
        })?;
        self.tell(node_index, told)
    }

    /// Notes what came of a node, and what follows for those below it.
    fn tell(&mut self, node_index: NodeIndex, told: Told) -> Result<()> {
        let rows_max = self.shared.limits.dry_run_rows_max;
        let cut = told.dataset.map(|dataset| dataset.head(rows_max));
        let mut node = self.blank(node_index, told.status)?;
        if let Some(dataset) = &cut {
            let cell_max = self.shared.limits.preview_cell_bytes_max;
            let preview = hiding::shown(dataset, &self.vault.mask, rows_max, cell_max)?;
            (node.columns, node.rows) = (preview.columns, preview.rows);
        }
        node.error = told.error;
        let outcome = match told.status {
            NodeStatus::Success => NodeOutcome::Success,
            NodeStatus::Skipped => NodeOutcome::Skipped,
            NodeStatus::Failed
            | NodeStatus::Cancelled
            | NodeStatus::Pending
            | NodeStatus::Running => NodeOutcome::Failed,
        };
        let index = usize::from(node_index);
        if let (NodeOutcome::Success, Some(slot)) = (outcome, self.datasets.get_mut(index)) {
            *slot = cut;
        }
        self.note(node_index, node);
        let never = self.frontier.finish_node(node_index, outcome);
        if *self.halt.borrow() == Halt::TimedOut {
            // None of them would have begun in time: they have failed as this one did.
            return Ok(());
        }
        for never in never {
            let skipped = self.blank(never, NodeStatus::Skipped)?;
            self.note(never, skipped);
        }
        Ok(())
    }

    fn note(&mut self, node_index: NodeIndex, node: DryRunNode) {
        if let Some(slot) = self.told.get_mut(usize::from(node_index)) {
            *slot = Some(node);
        }
    }

    fn blank(&self, node_index: NodeIndex, status: NodeStatus) -> Result<DryRunNode> {
        let declared = self.graph.declared_index(node_index);
        let node = declared.and_then(|index| self.definition.nodes.get(index));
        match (self.graph.id(node_index), node) {
            (Some(id), Some(node)) => Ok(DryRunNode::new(id.clone(), node.name.clone(), status)),
            _ => Err(Error::internal("a node has lost its definition")),
        }
    }

    /// Every node; what was not begun in time has failed.
    fn all_told(mut self, is_late: bool) -> Result<DryRun> {
        let mut nodes = Vec::with_capacity(self.told.len());
        for node_index in self.graph.node_indexes() {
            let told = self
                .told
                .get_mut(usize::from(node_index))
                .and_then(Option::take);
            nodes.push(match told {
                Some(node) => node,
                None if is_late => {
                    let mut node = self.blank(node_index, NodeStatus::Failed)?;
                    node.error = Some(out_of_time(self.shared.limits.dry_run_timeout));
                    node
                }
                None => self.blank(node_index, NodeStatus::Skipped)?,
            });
        }
        Ok(DryRun { nodes })
    }
}

/// The rows of all inputs, as one that reads them all sees them.
fn received(inputs: &[Input]) -> Result<Option<Dataset>> {
    let given: Vec<_> = inputs
        .iter()
        .filter_map(|input| input.dataset.clone())
        .collect();
    if given.is_empty() {
        return Ok(None);
    }
    Dataset::concat(&given).map(Some)
}

fn out_of_time(allowed: Duration) -> String {
    format!(
        "not done when the time of a dry run, {} s, was over",
        allowed.as_secs_f64()
    )
}
