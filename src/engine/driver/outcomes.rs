//! Results of nodes: sends them to the journal, and lets dependents start after the commit.
//!
//! Storage decides what an entry changes. `graph/frontier` decides which nodes a result starts or
//! skips.

use tokio::task::JoinError;

use super::{Driver, ProfileError};
use crate::engine::journal::LeaseLost;
use crate::engine::node::{NodeExit, NodeTaskResult, Recording, millis};
use crate::engine::stop_signal::StopSignal;
use crate::engine::{checkpoint, redaction, runtime_end};
use crate::error::{Result, log, panic_message, trace_causes, trace_panic};
use crate::graph::frontier::NodeOutcome;
use crate::model::{Dataset, NodeIndex, NodeStatus, Profile};
use crate::storage::{Entry, FinishedNode};

impl Driver {
    /// Sends the result of a node's task to the journal. Its dependents wait for the commit.
    pub(super) async fn record_result(
        &mut self,
        joined: Result<NodeTaskResult, JoinError>,
    ) -> Result<(), LeaseLost> {
        let result = match runtime_end::joined(joined).await {
            Ok(result) => result,
            Err(payload) => {
                trace_panic("a node's task panicked", &panic_message(payload));
                return Err(LeaseLost);
            }
        };
        // A node that was given up has its result already.
        if self.executing.remove(&result.node_index).is_none() {
            return Ok(());
        }
        let NodeExit::Finished(finished, dataset) = result.exit else {
            return Ok(());
        };
        let (node_index, outcome) = (result.node_index, outcome_of(finished.status));
        self.note_first_error(&finished);
        if result.recording == Recording::LogOnly {
            self.retain_output(node_index, dataset);
            return self.settle_node(node_index, outcome).await;
        }
        self.context.journal.send_result(finished).await?;
        if let Some(dataset) = dataset {
            self.spawn_profile(node_index, dataset.clone());
            self.retain_output(node_index, Some(dataset));
        }
        self.settle_after_commit(node_index, outcome).await
    }

    /// Settles the node once its result is committed.
    ///
    /// If the run finishes with this node, it settles at once: one commit can then hold both.
    async fn settle_after_commit(
        &mut self,
        node_index: NodeIndex,
        outcome: NodeOutcome,
    ) -> Result<(), LeaseLost> {
        if self.frontier.is_last_unfinished(node_index) {
            return self.settle_node(node_index, outcome).await;
        }
        self.uncommitted.insert(node_index, outcome);
        Ok(())
    }

    /// Keeps a node's output in memory while consumers need it.
    fn retain_output(&mut self, node_index: NodeIndex, dataset: Option<Dataset>) {
        let index = usize::from(node_index);
        if self
            .pending_consumers
            .get(index)
            .is_some_and(|consumers| *consumers > 0)
            && let Some(slot) = self.datasets.get_mut(index)
        {
            *slot = dataset;
        }
    }

    /// Starts to compute the profile of an output.
    fn spawn_profile(&mut self, node_index: NodeIndex, dataset: Dataset) {
        if *self.context.stop_signal.borrow() >= StopSignal::Force {
            return;
        }
        let clock = self.context.shared.clock.clone();
        let compute = self.context.shared.compute.clone();
        let mask = self.context.secrets.mask.clone();
        let bytes_max = self.context.shared.limits.profile_bytes_max;
        self.profiles.spawn(async move {
            let profiled = checkpoint::run_blocking(&compute, move || {
                let started = clock.elapsed();
                let mut profile = redaction::profile(&dataset, &mask, bytes_max)?;
                profile.profiling_ms = millis(clock.elapsed().saturating_sub(started));
                Ok(profile)
            });
            Ok((node_index, profiled.await?))
        });
    }

    /// Sends a computed profile to the journal.
    pub(super) async fn record_profile(
        &self,
        profile: Result<(NodeIndex, Profile), ProfileError>,
    ) -> Result<(), LeaseLost> {
        match profile {
            Ok((node_index, profile)) => {
                self.context
                    .journal
                    .send(Entry::Profile {
                        node_index,
                        profile: Box::new(profile),
                    })
                    .await
            }
            Err(ProfileError::Failed(error)) => {
                log::error!(%error, "a profile could not be computed; the node has none");
                trace_causes(&error);
                Ok(())
            }
            Err(ProfileError::Aborted(error)) => {
                log::error!(%error, "the computation of a profile panicked or was aborted; the node has none");
                Ok(())
            }
        }
    }

    /// Settles a node whose result is committed, and wakes the queue after the first one.
    pub(super) async fn settle_committed(
        &mut self,
        node_index: NodeIndex,
    ) -> Result<(), LeaseLost> {
        if std::mem::take(&mut self.is_suspect) {
            self.context.shared.wake.notify_one();
        }
        match self.uncommitted.remove(&node_index) {
            Some(outcome) => self.settle_node(node_index, outcome).await,
            // It has settled with the end of the run.
            None => Ok(()),
        }
    }

    async fn settle_node(
        &mut self,
        node_index: NodeIndex,
        outcome: NodeOutcome,
    ) -> Result<(), LeaseLost> {
        let skipped = self.frontier.finish_node(node_index, outcome);
        self.record_unexecuted(&skipped, NodeStatus::Skipped).await
    }

    /// Records nodes that never execute, as skipped or cancelled.
    pub(super) async fn record_unexecuted(
        &mut self,
        node_indexes: &[NodeIndex],
        status: NodeStatus,
    ) -> Result<(), LeaseLost> {
        for &node_index in node_indexes {
            self.forget_inputs(node_index);
            let finished = FinishedNode::new(node_index, status, self.context.shared.clock.now());
            self.context
                .journal
                .send(Entry::NodeFinished(Box::new(finished)))
                .await?;
        }
        Ok(())
    }

    fn note_first_error(&mut self, finished: &FinishedNode) {
        if finished.status == NodeStatus::Failed && self.first_error.is_none() {
            let node = self
                .context
                .node_id(finished.node_index)
                .map_or("", |id| id.as_str());
            let error = finished.error.as_deref().unwrap_or("it failed");
            self.first_error = Some(format!("node {node}: {error}"));
        }
    }
}

pub(super) const fn outcome_of(status: NodeStatus) -> NodeOutcome {
    match status {
        NodeStatus::Success => NodeOutcome::Success,
        NodeStatus::Skipped => NodeOutcome::Skipped,
        NodeStatus::Cancelled => NodeOutcome::Cancelled,
        NodeStatus::Failed | NodeStatus::Pending | NodeStatus::Running => NodeOutcome::Failed,
    }
}
