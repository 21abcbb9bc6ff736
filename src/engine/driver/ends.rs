//! How ends of nodes reach storage, and what follows from them.
//!
//! What the entries do to rows is storage's; what they let start or skip, the frontier's.

use tokio::sync::oneshot;
use tokio::task::JoinError;

use super::Driver;
use crate::engine::checkpoint;
use crate::engine::hiding;
use crate::engine::journal::Lost;
use crate::engine::node::{Done, Ending, Mode, millis};
use crate::error::{Result, trace_causes};
use crate::graph::frontier::NodeOutcome;
use crate::model::{Dataset, NodeStatus, Place, Profile};
use crate::storage::{Entry, NodeEnd};

impl Driver {
    /// A node's task has ended: its end is sent to storage, and what depends on it waits for the commit.
    pub(super) async fn ended(&mut self, done: Result<Done, JoinError>) -> Result<(), Lost> {
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
        let mask = self.context.vault.mask.clone();
        self.profiles.spawn(async move {
            let profiled = checkpoint::blocking(move || {
                let started = clock.elapsed();
                let mut profile = hiding::profile(&dataset, &mask)?;
                profile.profiling_ms = millis(clock.elapsed().saturating_sub(started));
                Ok(profile)
            });
            Ok((place, profiled.await?))
        });
    }

    pub(super) async fn profiled(
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
                tracing::error!(%error, "a profile could not be computed; the node has none");
                trace_causes(&error);
                Ok(())
            }
            Err(error) => {
                tracing::error!(%error, "the computation of a profile ended out of order; the node has none");
                Ok(())
            }
        }
    }

    pub(super) async fn committed(
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
    pub(super) async fn leave_out(&self, places: &[Place], status: NodeStatus) -> Result<(), Lost> {
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
}

const fn outcome_of(status: NodeStatus) -> NodeOutcome {
    match status {
        NodeStatus::Success => NodeOutcome::Success,
        NodeStatus::Skipped => NodeOutcome::Skipped,
        NodeStatus::Cancelled => NodeOutcome::Cancelled,
        NodeStatus::Failed | NodeStatus::Pending | NodeStatus::Running => NodeOutcome::Failed,
    }
}
