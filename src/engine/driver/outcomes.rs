//! Results of nodes: sends them to the journal, and lets dependents start after the commit.
//!
//! Storage decides what an entry changes. `graph/frontier` decides which nodes a result starts or
//! skips.

use std::sync::Arc;

use tokio::task::JoinError;

use super::Driver;
use crate::engine::journal::LeaseLost;
use crate::engine::node::{NodeExit, NodeTaskResult, Recording};
use crate::engine::profile::{self, ProfileError, ProfileState, ProfiledOutput};
use crate::engine::runtime_end;
use crate::engine::stop_signal::StopSignal;
use crate::error::{Result, panic_message, trace_panic};
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
        let NodeExit::Finished(finished, output) = result.exit else {
            return Ok(());
        };
        let (node_index, outcome) = (result.node_index, outcome_of(finished.status));
        self.frontier.take_branch(node_index, finished.branch);
        self.note_first_error(&finished);
        if let Some(ProfiledOutput { dataset, profile }) = output {
            self.settle_profile(node_index, &dataset, profile).await?;
            self.retain_output(node_index, dataset);
        }
        if result.recording == Recording::LogOnly {
            return self.settle_node(node_index, outcome).await;
        }
        self.context.journal.send_result(finished).await?;
        self.settle_after_commit(node_index, outcome).await
    }

    /// Sends the profile of an output to the journal, or starts to compute it.
    ///
    /// A profile that is sent before the result of its node takes no commit of its own.
    async fn settle_profile(
        &mut self,
        node_index: NodeIndex,
        dataset: &Dataset,
        profile: ProfileState,
    ) -> Result<(), LeaseLost> {
        match profile {
            ProfileState::Settled(None) => Ok(()),
            ProfileState::Settled(Some(profile)) => self.send_profile(node_index, profile).await,
            ProfileState::Due => {
                self.spawn_profile(node_index, dataset.clone());
                Ok(())
            }
        }
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
    fn retain_output(&mut self, node_index: NodeIndex, dataset: Dataset) {
        let index = usize::from(node_index);
        if self
            .pending_consumers
            .get(index)
            .is_some_and(|consumers| *consumers > 0)
            && let Some(slot) = self.datasets.get_mut(index)
        {
            *slot = Some(dataset);
        }
    }

    /// Starts to compute the profile of an output.
    fn spawn_profile(&mut self, node_index: NodeIndex, dataset: Dataset) {
        if *self.context.stop_signal.borrow() >= StopSignal::Force {
            return;
        }
        let context = Arc::clone(&self.context);
        self.profiles
            .spawn(profile::of_large(context, node_index, dataset));
    }

    /// Sends a computed profile to the journal.
    pub(super) async fn record_profile(
        &self,
        profile: Result<(NodeIndex, Profile), ProfileError>,
    ) -> Result<(), LeaseLost> {
        match profile {
            Ok((node_index, profile)) => self.send_profile(node_index, Box::new(profile)).await,
            Err(error) => {
                error.log();
                Ok(())
            }
        }
    }

    async fn send_profile(
        &self,
        node_index: NodeIndex,
        profile: Box<Profile>,
    ) -> Result<(), LeaseLost> {
        let entry = Entry::Profile {
            node_index,
            profile,
        };
        self.context.journal.send(entry).await
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
