//! Drives one run: starts what may start, records what ended, and ends the run.
//!
//! What may start, and what never will, is decided by `graph/frontier`; the driver only carries it out.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::attempt::reached;
use super::checkpoint;
use super::context::Context;
use super::halt::Halt;
use super::journal::Lost;
use super::node::{Done, Ending, Mode, NodeTask};
use crate::error::Result;
use crate::executor::Input;
use crate::graph::frontier::{Frontier, NodeOutcome};
use crate::model::{Cancel, Dataset, NodeStatus, Place, Profile, RunStatus};
use crate::storage::{Entry, NodeEnd};

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
    pub(super) attempts: HashMap<Place, u32>,
    /// Nodes whose lost output is made again.
    pub(super) remade: Vec<Place>,
    /// Nodes that cannot execute, and why.
    pub(super) doomed: HashMap<Place, String>,
    pub(super) first_error: Option<String>,
    /// Whether the first committed end of a node is news to the queue: the run was under suspicion.
    pub(super) is_suspect: bool,
    pub(super) wish: watch::Receiver<Option<Cancel>>,
    pub(super) tasks: JoinSet<Done>,
    /// Ends of nodes on their way to storage.
    pub(super) ends: JoinSet<Result<(Place, NodeOutcome), Lost>>,
    pub(super) profiles: JoinSet<Result<(Place, Profile)>>,
    pub(super) appender: Closing,
}

/// The task that writes the run's journal, and how to end it.
#[derive(Debug)]
pub(super) struct Closing {
    pub(super) closing: CancellationToken,
    pub(super) appender: JoinHandle<()>,
}

/// Moments at which something is due, on the monotonic clock.
#[derive(Debug, Default)]
struct Deadlines {
    run: Option<Duration>,
    force: Option<Duration>,
}

impl Driver {
    /// Drives the run until it ends or leaves.
    pub(super) async fn run(mut self, skipped: Vec<Place>) -> Left {
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

    async fn drive(&mut self, skipped: Vec<Place>) -> Result<Left, Lost> {
        let mut deadlines = Deadlines {
            run: self.deadline(),
            force: None,
        };
        let shared = Arc::clone(&self.context.shared);
        let mut halt = self.context.halt.subscribe();
        self.leave_out(&skipped, NodeStatus::Skipped).await?;
        self.heed_wish(&mut deadlines).await?;
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

    /// When the run's time is over; the time before a crash counts.
    fn deadline(&self) -> Option<Duration> {
        let Context {
            shared,
            run,
            definition,
            ..
        } = &*self.context;
        let timeout = definition.timeout?;
        let started_at = run.started_at.unwrap_or(run.created_at);
        let spent = shared
            .clock
            .now()
            .signed_duration_since(started_at)
            .to_std()
            .unwrap_or_default();
        shared
            .clock
            .elapsed()
            .checked_add(timeout.saturating_sub(spent))
    }

    fn start_ready(&mut self) {
        if *self.context.halt.borrow() >= Halt::Drain {
            return;
        }
        for place in self.frontier.take_ready() {
            let inputs = self.inputs(place);
            let task = NodeTask {
                place,
                inputs,
                attempt: self.attempts.get(&place).copied().unwrap_or(1),
                mode: if self.remade.contains(&place) {
                    Mode::Remade
                } else {
                    Mode::Recorded
                },
                doomed: self.doomed.remove(&place),
                halt: self.context.halt.subscribe(),
                context: Arc::clone(&self.context),
            };
            let node_id = self.context.node_id(place).map_or("", |id| id.as_str());
            let span = tracing::info_span!("node", node_id);
            self.tasks.spawn(task.run().instrument(span));
        }
    }

    /// What the upstreams of a node handed on; the last taker of an output takes it along.
    fn inputs(&mut self, place: Place) -> Vec<Input> {
        let graph = Arc::clone(&self.context.graph);
        let mut inputs = Vec::with_capacity(graph.upstream(place).len());
        for &upstream in graph.upstream(place) {
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

    /// A node's task has ended: its end is sent to storage, and what depends on it waits for the commit.
    async fn ended(&mut self, done: Result<Done, JoinError>) -> Result<(), Lost> {
        let done = match done {
            Ok(done) => done,
            Err(error) => {
                tracing::error!(%error, "a node's task ended out of order");
                return Err(Lost);
            }
        };
        let Ending::Ended(end, dataset) = done.ending else {
            return Ok(());
        };
        let (place, outcome) = (done.place, outcome_of(end.status));
        self.note_error(&end);
        if done.mode == Mode::Remade {
            self.hold(place, dataset);
            return self.settle(place, outcome).await;
        }
        let stored = self.context.journal.store(Entry::NodeFinished(end)).await?;
        if let Some(dataset) = dataset {
            self.profile(place, dataset.clone());
            self.hold(place, Some(dataset));
        }
        self.wait_for_commit(place, outcome, stored).await
    }

    /// Where the run ends with this node its end may travel in the same commit; else nothing starts before the commit.
    async fn wait_for_commit(
        &mut self,
        place: Place,
        outcome: NodeOutcome,
        stored: oneshot::Receiver<()>,
    ) -> Result<(), Lost> {
        if self.frontier.ends_with(place) {
            return self.settle(place, outcome).await;
        }
        self.ends
            .spawn(async move { stored.await.map(|()| (place, outcome)).map_err(|_| Lost) });
        Ok(())
    }

    /// Keeps what a node handed on for those that take it.
    fn hold(&mut self, place: Place, dataset: Option<Dataset>) {
        let index = usize::from(place);
        if self.takers.get(index).is_some_and(|takers| *takers > 0)
            && let Some(slot) = self.datasets.get_mut(index)
        {
            *slot = dataset;
        }
    }

    fn profile(&mut self, place: Place, dataset: Dataset) {
        let clock = self.context.shared.clock.clone();
        self.profiles.spawn(async move {
            let profiled = checkpoint::blocking(move || {
                let started = clock.elapsed();
                let mut profile = dataset.profile()?;
                profile.profiling_ms = super::node::millis(clock.elapsed().saturating_sub(started));
                Ok(profile)
            });
            Ok((place, profiled.await?))
        });
    }

    async fn profiled(
        &self,
        profile: Result<Result<(Place, Profile)>, JoinError>,
    ) -> Result<(), Lost> {
        match profile {
            Ok(Ok((place, profile))) => {
                self.context
                    .journal
                    .send(Entry::Profile {
                        place,
                        profile: Box::new(profile),
                    })
                    .await
            }
            Ok(Err(error)) => {
                tracing::error!(?error, "a profile could not be computed; the node has none");
                Ok(())
            }
            Err(error) => {
                tracing::error!(%error, "the computation of a profile ended out of order; the node has none");
                Ok(())
            }
        }
    }

    async fn committed(
        &mut self,
        ended: Result<Result<(Place, NodeOutcome), Lost>, JoinError>,
    ) -> Result<(), Lost> {
        let (place, outcome) = ended.map_err(|_| Lost)??;
        if std::mem::take(&mut self.is_suspect) {
            self.context.shared.wake.notify_one();
        }
        self.settle(place, outcome).await
    }

    async fn settle(&mut self, place: Place, outcome: NodeOutcome) -> Result<(), Lost> {
        let skipped = self.frontier.settle(place, outcome);
        self.leave_out(&skipped, NodeStatus::Skipped).await
    }

    /// Records nodes that will never run.
    async fn leave_out(&self, places: &[Place], status: NodeStatus) -> Result<(), Lost> {
        for &place in places {
            let end = NodeEnd::new(place, status, self.context.shared.clock.now());
            self.context
                .journal
                .send(Entry::NodeFinished(Box::new(end)))
                .await?;
        }
        Ok(())
    }

    fn note_error(&mut self, end: &NodeEnd) {
        if end.status == NodeStatus::Failed && self.first_error.is_none() {
            let node = self.context.node_id(end.place).map_or("", |id| id.as_str());
            let error = end.error.as_deref().unwrap_or("it failed");
            self.first_error = Some(format!("node {node}: {error}"));
        }
    }

    async fn heed_wish(&mut self, deadlines: &mut Deadlines) -> Result<(), Lost> {
        let Some(cancel) = *self.wish.borrow_and_update() else {
            return Ok(());
        };
        match cancel {
            Cancel::Plain => self.context.raise(Halt::Cancel),
            Cancel::Forced => {
                self.context.raise(Halt::Force);
                let shared = &self.context.shared;
                let due = shared
                    .clock
                    .elapsed()
                    .checked_add(shared.limits.force_grace);
                deadlines.force = deadlines.force.or(due);
            }
        }
        let cancelled = self.frontier.cancel();
        self.leave_out(&cancelled, NodeStatus::Cancelled).await
    }

    async fn time_out(&mut self) -> Result<(), Lost> {
        let allowed = self.context.definition.timeout.unwrap_or_default();
        let error = format!(
            "the run took longer than its time-out of {} s",
            allowed.as_secs_f64()
        );
        self.first_error.get_or_insert(error);
        self.context.raise(Halt::TimedOut);
        let skipped = self.frontier.time_out();
        self.leave_out(&skipped, NodeStatus::Skipped).await
    }

    /// Nothing is under way: the run has ended, or goes on at another time.
    async fn leave(&mut self) -> Result<Left, Lost> {
        let Some(status) = self.frontier.verdict() else {
            return Ok(self.give_back().await);
        };
        let error = if status == RunStatus::Failed {
            self.first_error.take()
        } else {
            None
        };
        let at = self.context.shared.clock.now();
        let mut stored = self
            .context
            .journal
            .store(Entry::RunFinished { status, error, at })
            .await?;
        tokio::select! {
            stored = &mut stored => stored.map(|()| Left::Ended).map_err(|_| Lost),
            // The end is not stored yet, and need not be: the run is told from its nodes when it is claimed again.
            () = self.context.shared.stop.cancelled() => Ok(self.give_back().await),
        }
    }

    /// Drops what executes, stores what is under way to storage, and leaves the rest to the next start.
    async fn give_back(&mut self) -> Left {
        self.tasks.shutdown().await;
        self.profiles.shutdown().await;
        Left::Released
    }
}

async fn due(shared: &super::Shared, deadline: Option<Duration>) {
    match deadline {
        Some(deadline) => shared.clock.sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

const fn outcome_of(status: NodeStatus) -> NodeOutcome {
    match status {
        NodeStatus::Success => NodeOutcome::Success,
        NodeStatus::Skipped => NodeOutcome::Skipped,
        NodeStatus::Cancelled => NodeOutcome::Cancelled,
        NodeStatus::Failed | NodeStatus::Pending | NodeStatus::Running => NodeOutcome::Failed,
    }
}
