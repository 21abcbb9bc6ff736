//! How a node left its task, with the result that `driver` records.
//!
//! The parent module decides which exit an attempt leads to; `checkpoint` stores the output.

use std::time::Duration;

use super::{NextStep, NodeTask, Recording};
use crate::clock::millis;
use crate::engine::attempt::AttemptOutcome;
use crate::engine::branch::Returned;
use crate::engine::checkpoint::{self, CheckpointError};
use crate::engine::journal::LeaseLost;
use crate::engine::profile::ProfiledOutput;
use crate::engine::stop_signal::{StopSignal, wait_for_signal};
use crate::error::{log, trace_causes, truncate};
use crate::graph::policy::RetryPolicy;
use crate::model::{NodeIndex, NodeStatus};
use crate::storage::FinishedNode;

/// The result of a node's task.
#[derive(Debug)]
pub(in crate::engine) struct NodeTaskResult {
    pub(in crate::engine) node_index: NodeIndex,
    pub(in crate::engine) recording: Recording,
    pub(in crate::engine) exit: NodeExit,
}

/// How a node left its task.
#[derive(Debug)]
pub(in crate::engine) enum NodeExit {
    /// It has a final status and, on success, its output.
    Finished(Box<FinishedNode>, Option<ProfiledOutput>),
    /// The run was stopped first; a later claim executes the node.
    Interrupted,
}

impl NodeTask {
    /// Stores the outcome of an attempt, unless the run is abandoned first.
    pub(super) async fn settle_attempt(
        &self,
        outcome: AttemptOutcome,
        policy: &RetryPolicy,
        started: Duration,
    ) -> Result<NextStep, LeaseLost> {
        let mut stop_signal = self.stop_signal.clone();
        tokio::select! {
            biased;
            next = self.next_step(outcome, policy, started) => next,
            signal = wait_for_signal(&mut stop_signal, StopSignal::Abandon) => match signal {
                StopSignal::Abandon => {
                    let cancelled = self.finish_node(NodeStatus::Cancelled, None, started);
                    Ok(NextStep::Exit(cancelled))
                }
                _ => Err(LeaseLost),
            },
        }
    }

    /// Stores the output of a node that succeeded, and returns its exit.
    pub(super) async fn finish_success(
        &self,
        returned: Returned,
        started: Duration,
    ) -> Result<NodeExit, LeaseLost> {
        let mut finished = self.finished_node(NodeStatus::Success, Some(self.attempt), started);
        finished.branch = returned.branch;
        let Some(dataset) = returned.dataset else {
            return Ok(NodeExit::Finished(Box::new(finished), None));
        };
        finished.row_count = Some(dataset.row_count());
        finished.has_dataset = true;
        if self.recording == Recording::Full {
            match checkpoint::write(&self.context, self.node_index, &dataset).await {
                Ok(checkpoint) => {
                    finished.preview = Some(checkpoint.preview);
                    finished.unstored = checkpoint.unstored;
                    finished.output = checkpoint.output;
                    finished.output_bytes = checkpoint.output_bytes;
                }
                Err(CheckpointError::LeaseLost) => return Err(LeaseLost),
                Err(CheckpointError::Refused(error)) => {
                    log::error!(%error, "an output could not be stored");
                    trace_causes(&error);
                    return Ok(self.fail_node(
                        format!("the output could not be stored: {error}"),
                        Some(self.attempt),
                        started,
                    ));
                }
            }
        }
        let output = match self.recording {
            Recording::Full => ProfiledOutput::new(&self.context, dataset),
            Recording::LogOnly => ProfiledOutput::without_profile(dataset),
        };
        Ok(NodeExit::Finished(Box::new(finished), Some(output)))
    }

    /// Returns the exit of a node that waits for an attempt when the run is stopped.
    pub(super) fn exit_before_attempt(&self) -> NodeExit {
        let now = self.context.shared.clock.elapsed();
        let status = match *self.stop_signal.borrow() {
            StopSignal::None | StopSignal::Drain | StopSignal::LeaseLost => {
                return NodeExit::Interrupted;
            }
            StopSignal::TimedOut => NodeStatus::Skipped,
            StopSignal::Cancel | StopSignal::Force | StopSignal::Abandon => NodeStatus::Cancelled,
        };
        let mut finished = self.finished_node(status, None, now);
        finished.duration_ms = None;
        NodeExit::Finished(Box::new(finished), None)
    }

    pub(super) fn fail_node(
        &self,
        error: String,
        attempt: Option<u32>,
        started: Duration,
    ) -> NodeExit {
        let mut finished = self.finished_node(NodeStatus::Failed, attempt, started);
        let error = self.context.secrets.mask.text(error);
        finished.error = Some(truncate(error, self.context.shared.limits.error_bytes_max));
        NodeExit::Finished(Box::new(finished), None)
    }

    pub(super) fn finish_node(
        &self,
        status: NodeStatus,
        error: Option<String>,
        started: Duration,
    ) -> NodeExit {
        let mut finished = self.finished_node(status, Some(self.attempt), started);
        finished.error =
            error.map(|error| truncate(error, self.context.shared.limits.error_bytes_max));
        NodeExit::Finished(Box::new(finished), None)
    }

    fn finished_node(
        &self,
        status: NodeStatus,
        attempt: Option<u32>,
        started: Duration,
    ) -> FinishedNode {
        let clock = &self.context.shared.clock;
        let mut finished = FinishedNode::new(self.node_index, status, clock.now());
        finished.attempt = attempt;
        finished.duration_ms = Some(millis(clock.elapsed().saturating_sub(started)));
        finished
    }
}
