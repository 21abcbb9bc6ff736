//! Drives one run: starts what may start, records what ended, and ends the run.
//!
//! What may start, and what never will, is decided by `graph/frontier`; the driver only carries it out.

mod ends;
mod stops;

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use self::stops::{Deadlines, due};
use super::attempt::reached;
use super::context::Context;
use super::halt::Halt;
use super::journal::Lost;
use super::node::{Done, Mode, NodeTask};
use crate::error::Result;
use crate::executor::Input;
use crate::graph::frontier::{Frontier, NodeOutcome};
use crate::model::{Cancel, Dataset, NodeIndex, Profile};

/// How a run left this engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// It ended.
    Ended,
    /// It goes on at another time, by this engine's wish.
    Released,
    /// It belongs to another claim.
    Lost,
}

/// The state of one run under way.
#[derive(Debug)]
pub(super) struct Driver {
    pub(super) context: Arc<Context>,
    pub(super) frontier: Frontier,
    /// By place: what finished nodes handed on, while a node that takes it has not started.
    pub(super) datasets: Vec<Option<Dataset>>,
    /// By place: downstream nodes that have not started.
    pub(super) takers: Vec<usize>,
    /// Attempts to begin with, where not 1.
    pub(super) attempts: HashMap<NodeIndex, u32>,
    /// Nodes whose lost output is made again.
    pub(super) remade: Vec<NodeIndex>,
    /// Nodes that cannot execute, and why.
    pub(super) doomed: HashMap<NodeIndex, String>,
    pub(super) first_error: Option<String>,
    /// Whether the first committed end of a node is news to the queue: the run was under suspicion.
    pub(super) is_suspect: bool,
    pub(super) wish: watch::Receiver<Option<Cancel>>,
    pub(super) tasks: JoinSet<Done>,
    /// Ends of nodes on their way to storage.
    pub(super) ends: JoinSet<Result<(NodeIndex, NodeOutcome), Lost>>,
    pub(super) profiles: JoinSet<Result<(NodeIndex, Profile)>>,
    pub(super) appender: Closing,
}

/// The task that writes the run's journal, and how to end it.
#[derive(Debug)]
pub(super) struct Closing {
    pub(super) closing: CancellationToken,
    pub(super) appender: JoinHandle<()>,
}

impl Driver {
    /// Drives the run until it ends or leaves.
    pub(super) async fn run(mut self, skipped: Vec<NodeIndex>) -> Left {
        let left = self.drive(skipped).await.unwrap_or(Left::Lost);
        if left == Left::Lost {
            self.context.raise(Halt::Lost);
        }
        let Self {
            appender: Closing { closing, appender },
            tasks,
            ..
        } = self;
        drop(tasks);
        closing.cancel();
        if let Err(error) = appender.await {
            tracing::error!(%error, "the run's journal ended out of order");
        }
        left
    }

    async fn drive(&mut self, skipped: Vec<NodeIndex>) -> Result<Left, Lost> {
        let mut deadlines = Deadlines {
            run: self.deadline(),
            force: None,
        };
        let shared = Arc::clone(&self.context.shared);
        let mut halt = self.context.halt.subscribe();
        let left_out = self.left_out();
        self.leave_out(&skipped, left_out).await?;
        self.heed_wish(&mut deadlines).await?;
        self.heed_lost_time(&mut deadlines).await?;
        loop {
            self.start_ready();
            if self.is_idle() {
                return self.leave().await;
            }
            let is_free = *self.context.halt.borrow() < Halt::Drain;
            tokio::select! {
                biased;
                Ok(()) = self.wish.changed() => self.heed_wish(&mut deadlines).await?,
                Some(ended) = self.ends.join_next() => self.committed(ended).await?,
                Some(done) = self.tasks.join_next() => self.ended(done).await?,
                Some(profile) = self.profiles.join_next() => self.profiled(profile).await?,
                () = due(&shared, deadlines.run) => {
                    deadlines.run = None;
                    self.time_out().await?;
                }
                () = due(&shared, deadlines.force) => {
                    deadlines.force = None;
                    self.context.raise(Halt::Abandon);
                }
                () = shared.drain.cancelled(), if is_free => self.context.raise(Halt::Drain),
                () = shared.stop.cancelled() => return Ok(self.give_back().await),
                _ = reached(&mut halt, Halt::Lost) => return Err(Lost),
            }
        }
    }

    fn start_ready(&mut self) {
        if self.context.shared.drain.is_cancelled() {
            self.context.raise(Halt::Drain);
        }
        if *self.context.halt.borrow() >= Halt::Drain {
            return;
        }
        for node_index in self.frontier.take_ready() {
            let inputs = self.inputs(node_index);
            let task = NodeTask {
                node_index,
                inputs,
                attempt: self.attempts.get(&node_index).copied().unwrap_or(1),
                mode: if self.remade.contains(&node_index) {
                    Mode::Remade
                } else {
                    Mode::Recorded
                },
                doomed: self.doomed.remove(&node_index),
                halt: self.context.halt.subscribe(),
                context: Arc::clone(&self.context),
            };
            let node_id = self
                .context
                .node_id(node_index)
                .map_or("", |id| id.as_str());
            let span = tracing::info_span!("node", node_id);
            self.tasks.spawn(task.run().instrument(span));
        }
    }

    /// What the upstreams of a node handed on; the last taker of an output takes it along.
    fn inputs(&mut self, node_index: NodeIndex) -> Vec<Input> {
        let graph = Arc::clone(&self.context.graph);
        let mut inputs = Vec::with_capacity(graph.upstream(node_index).len());
        for &upstream in graph.upstream(node_index) {
            let Some(node_id) = graph.id(upstream) else {
                continue;
            };
            let index = usize::from(upstream);
            let mut dataset = self.datasets.get(index).cloned().flatten();
            if let Some(takers) = self.takers.get_mut(index) {
                *takers = takers.saturating_sub(1);
                if *takers == 0 {
                    dataset = self.datasets.get_mut(index).and_then(Option::take);
                }
            }
            inputs.push(Input::new(node_id.clone(), dataset));
        }
        inputs
    }

    /// Whether nothing is under way.
    fn is_idle(&self) -> bool {
        self.tasks.is_empty() && self.ends.is_empty() && self.profiles.is_empty()
    }
}
