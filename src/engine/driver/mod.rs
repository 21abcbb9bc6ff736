//! Drives one run: starts its ready nodes, records their results, and finishes the run.
//!
//! `graph/frontier` decides which nodes are ready and which never execute.

mod outcomes;
mod stopping;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use self::stopping::{Deadlines, sleep_until_deadline};
use super::journal::LeaseLost;
use super::node::{NodePhase, NodeTask, NodeTaskResult, Recording};
use super::profile::ProfileError;
use super::run_context::RunContext;
use super::stop_signal::{StopSignal, wait_for_signal};
use crate::error::{Result, log};
use crate::executor::Input;
use crate::graph::frontier::{Frontier, NodeOutcome};
use crate::model::{Cancel, Dataset, NodeIndex, Profile};

/// How a run left this engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RunExit {
    /// Its final status is committed.
    Finished,
    /// This engine stopped it unfinished; a later claim continues it.
    Released,
    /// Another claim owns it, or this engine can no longer store it.
    LeaseLost,
    /// It cannot go on, and this is the reason.
    BrokenOff(String),
}

/// The state of one active run.
#[derive(Debug)]
pub(super) struct Driver {
    pub(super) context: Arc<RunContext>,
    pub(super) frontier: Frontier,
    /// By node index: the outputs of finished nodes that consumers still need.
    pub(super) datasets: Vec<Option<Dataset>>,
    /// By node index: how many consumers have not started and may still start.
    pub(super) pending_consumers: Vec<usize>,
    /// By node index: whether the node counts as a consumer of its upstreams.
    pub(super) is_consumer: Vec<bool>,
    /// The first attempt to make, where it is not 1.
    pub(super) first_attempts: HashMap<NodeIndex, u32>,
    /// Nodes whose attempt was interrupted, and by what.
    pub(super) interrupted: HashMap<NodeIndex, &'static str>,
    /// Nodes that have succeeded and execute again, since their output is missing.
    pub(super) reexecuted: Vec<NodeIndex>,
    /// Nodes that must fail without an attempt, and why.
    pub(super) fail_reasons: HashMap<NodeIndex, String>,
    pub(super) first_error: Option<String>,
    /// Whether the run is suspected of crashes. Its first committed result clears the suspicion,
    /// which lets the queue claim more runs.
    pub(super) is_suspect: bool,
    pub(super) cancel_request: watch::Receiver<Option<Cancel>>,
    pub(super) tasks: JoinSet<NodeTaskResult>,
    /// The nodes of `tasks` that were not given up.
    pub(super) executing: BTreeMap<NodeIndex, Arc<NodePhase>>,
    /// The outcomes of nodes whose commit is pending.
    pub(super) uncommitted: BTreeMap<NodeIndex, NodeOutcome>,
    /// Receives the index of each node whose result is committed.
    pub(super) stored_nodes: mpsc::Receiver<NodeIndex>,
    pub(super) profiles: JoinSet<Result<(NodeIndex, Profile)>>,
}

impl Driver {
    /// Drives the run until it is finished or released, or its lease is lost.
    ///
    /// The nodes in `skipped` never execute.
    pub(super) async fn run(mut self, skipped: Vec<NodeIndex>) -> RunExit {
        let exit = self.drive(skipped).await.unwrap_or(RunExit::LeaseLost);
        if exit == RunExit::LeaseLost {
            self.context.raise(StopSignal::LeaseLost);
        }
        exit
    }

    async fn drive(&mut self, skipped: Vec<NodeIndex>) -> Result<RunExit, LeaseLost> {
        let mut deadlines = Deadlines {
            run: self.deadline(),
            force: None,
            abandon: None,
        };
        let shared = Arc::clone(&self.context.shared);
        let mut stop_signal = self.context.stop_signal.subscribe();
        let status = self.unrecorded_status();
        self.record_unexecuted(&skipped, status).await?;
        self.apply_cancel_request(&mut deadlines).await?;
        self.apply_expired_deadline(&mut deadlines).await?;
        loop {
            self.start_ready();
            if self.is_idle() {
                // The stop signal of a cancel arrives before the driver reads the request. Without
                // the request, the nodes that did not start would look unfinished.
                if self.cancel_request.has_changed().unwrap_or(false) {
                    self.apply_cancel_request(&mut deadlines).await?;
                }
                return self.finish_or_release().await;
            }
            let may_start_nodes = *self.context.stop_signal.borrow() < StopSignal::Drain;
            tokio::select! {
                biased;
                Ok(()) = self.cancel_request.changed() => {
                    self.apply_cancel_request(&mut deadlines).await?;
                }
                stored = self.stored_nodes.recv(), if !self.uncommitted.is_empty() => {
                    self.settle_committed(stored.ok_or(LeaseLost)?).await?;
                }
                Some(result) = self.tasks.join_next() => self.record_result(result).await?,
                Some(profile) = self.profiles.join_next() => {
                    let profile = profile.map_err(ProfileError::Aborted);
                    let profile = profile.and_then(|profile| profile.map_err(ProfileError::Failed));
                    self.record_profile(profile).await?;
                }
                () = sleep_until_deadline(&shared, deadlines.run) => {
                    deadlines.run = None;
                    self.time_out(&mut deadlines).await?;
                }
                () = sleep_until_deadline(&shared, deadlines.force) => {
                    self.abandon_attempts(&mut deadlines);
                }
                () = sleep_until_deadline(&shared, deadlines.abandon) => {
                    self.abandon_nodes(&mut deadlines).await?;
                }
                () = shared.drain.cancelled(), if may_start_nodes => {
                    self.context.raise(StopSignal::Drain);
                }
                () = shared.stop.cancelled() => return Ok(self.release().await),
                _ = wait_for_signal(&mut stop_signal, StopSignal::LeaseLost) => {
                    return Err(LeaseLost);
                }
            }
        }
    }

    fn start_ready(&mut self) {
        if self.context.shared.drain.is_cancelled() {
            self.context.raise(StopSignal::Drain);
        }
        if *self.context.stop_signal.borrow() >= StopSignal::Drain {
            return;
        }
        for node_index in self.frontier.take_ready() {
            let inputs = self.inputs(node_index);
            let phase = Arc::<NodePhase>::default();
            let task = NodeTask {
                node_index,
                inputs,
                attempt: self.first_attempts.get(&node_index).copied().unwrap_or(1),
                recording: if self.reexecuted.contains(&node_index) {
                    Recording::LogOnly
                } else {
                    Recording::Full
                },
                interruption: self.interrupted.remove(&node_index),
                branch: self.frontier.branch(node_index),
                fail_reason: self.fail_reasons.remove(&node_index),
                is_started: false,
                phase: Arc::clone(&phase),
                stop_signal: self.context.stop_signal.subscribe(),
                context: Arc::clone(&self.context),
            };
            let node_id = self
                .context
                .node_id(node_index)
                .map_or("", |id| id.as_str());
            let span = log::info_span!("node", node_id);
            self.executing.insert(node_index, phase);
            self.tasks.spawn(span.instrument(task.run()));
        }
    }

    /// Returns the outputs of a node's upstreams, along its live edges. The last consumer removes
    /// an output from memory.
    fn inputs(&mut self, node_index: NodeIndex) -> Vec<Input> {
        let graph = Arc::clone(&self.context.graph);
        let is_consumer = self.stop_counting(node_index);
        let mut inputs = Vec::with_capacity(graph.upstream(node_index).len());
        for &upstream in graph.upstream(node_index) {
            if let Some(node_id) = graph.id(upstream) {
                let dataset = self.take_output(upstream, is_consumer);
                let dataset = dataset.filter(|_| self.frontier.delivers(upstream, node_index));
                inputs.push(Input::new(node_id.clone(), dataset));
            }
        }
        inputs
    }

    /// Lets the outputs go that only a node needs that never executes.
    fn forget_inputs(&mut self, node_index: NodeIndex) {
        let graph = Arc::clone(&self.context.graph);
        if self.stop_counting(node_index) {
            for &upstream in graph.upstream(node_index) {
                drop(self.take_output(upstream, true));
            }
        }
    }

    /// Returns whether the node has counted as a consumer of its upstreams until now.
    fn stop_counting(&mut self, node_index: NodeIndex) -> bool {
        let counted = self.is_consumer.get_mut(usize::from(node_index));
        counted.is_some_and(std::mem::take)
    }

    fn take_output(&mut self, upstream: NodeIndex, is_consumer: bool) -> Option<Dataset> {
        let index = usize::from(upstream);
        let consumers = self.pending_consumers.get_mut(index)?;
        *consumers = consumers.saturating_sub(usize::from(is_consumer));
        let output = self.datasets.get_mut(index)?;
        if *consumers == 0 {
            output.take()
        } else {
            output.clone()
        }
    }

    /// Returns whether no node executes and no result or profile is pending.
    ///
    /// The tasks of nodes that were given up do not count: they may never end.
    fn is_idle(&self) -> bool {
        self.executing.is_empty() && self.uncommitted.is_empty() && self.profiles.is_empty()
    }
}
