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
use crate::model::{Dataset, NodeIndex, NodeStatus, Profile};
use crate::storage::{Entry, FinishedNode};

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
        let (node_index, outcome) = (done.node_index, outcome_of(end.status));
        self.note_error(&end);
        if done.mode == Mode::Remade {
            self.hold(node_index, dataset);
            return self.settle(node_index, outcome).await;
        }
        let stored = self.context.journal.store(Entry::NodeFinished(end)).await?;
        if let Some(dataset) = dataset {
            self.profile(node_index, dataset.clone());
            self.hold(node_index, Some(dataset));
        }
        self.wait_for_commit(node_index, outcome, stored).await
    }

    /// Where the run ends with this node its end may travel in the same commit; else nothing starts before the commit.
    async fn wait_for_commit(
        &mut self,
        node_index: NodeIndex,
        outcome: NodeOutcome,
        stored: oneshot::Receiver<()>,
    ) -> Result<(), Lost> {
        if self.frontier.is_last_unfinished(node_index) {
            return self.settle(node_index, outcome).await;
        }
        self.ends.spawn(async move {
            stored
                .await
                .map(|()| (node_index, outcome))
                .map_err(|_| Lost)
        });
        Ok(())
    }

    /// Keeps what a node handed on for those that take it.
    fn hold(&mut self, node_index: NodeIndex, dataset: Option<Dataset>) {
        let index = usize::from(node_index);
        if self.takers.get(index).is_some_and(|takers| *takers > 0)
            && let Some(slot) = self.datasets.get_mut(index)
        {
            *slot = dataset;
        }
    }

    fn profile(&mut self, node_index: NodeIndex, dataset: Dataset) {
        let clock = self.context.shared.clock.clone();
        let mask = self.context.vault.mask.clone();
        self.profiles.spawn(async move {
            let profiled = checkpoint::blocking(move || {
                let started = clock.elapsed();
                let mut profile = hiding::profile(&dataset, &mask)?;
                profile.profiling_ms = millis(clock.elapsed().saturating_sub(started));
                Ok(profile)
            });
            Ok((node_index, profiled.await?))
        });
    }

    pub(super) async fn profiled(
        &self,
        profile: Result<Result<(NodeIndex, Profile)>, JoinError>,
    ) -> Result<(), Lost> {
        match profile {
            Ok(Ok((node_index, profile))) => {
                self.context
                    .journal
                    .send(Entry::Profile {
                        node_index,
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
        ended: Result<Result<(NodeIndex, NodeOutcome), Lost>, JoinError>,
    ) -> Result<(), Lost> {
        let (node_index, outcome) = ended.map_err(|_| Lost)??;
        if std::mem::take(&mut self.is_suspect) {
            self.context.shared.wake.notify_one();
        }
        self.settle(node_index, outcome).await
    }

    async fn settle(&mut self, node_index: NodeIndex, outcome: NodeOutcome) -> Result<(), Lost> {
        let skipped = self.frontier.finish_node(node_index, outcome);
        self.leave_out(&skipped, NodeStatus::Skipped).await
    }

    /// Records nodes that will never run.
    pub(super) async fn leave_out(
        &self,
        node_indexes: &[NodeIndex],
        status: NodeStatus,
    ) -> Result<(), Lost> {
        for &node_index in node_indexes {
            let end = FinishedNode::new(node_index, status, self.context.shared.clock.now());
            self.context
                .journal
                .send(Entry::NodeFinished(Box::new(end)))
                .await?;
        }
        Ok(())
    }

    fn note_error(&mut self, end: &FinishedNode) {
        if end.status == NodeStatus::Failed && self.first_error.is_none() {
            let node = self
                .context
                .node_id(end.node_index)
                .map_or("", |id| id.as_str());
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
