//! One node of a run: waits for its permit, makes its attempts, and reports its result.
//!
//! The permit is left to `execution_permit`, a single attempt to `once`, and what follows from the
//! result to `driver`.

mod exit;
mod once;
mod phase;

pub(super) use self::exit::{NodeExit, NodeTaskResult};
pub(super) use self::phase::{NodePhase, Phase};

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::attempt::{AttemptOutcome, RUN_TIMED_OUT, timeout_message};
use super::branch;
use super::execution_permit::PermitRequest;
use super::journal::LeaseLost;
use super::retry;
use super::run_context::RunContext;
use super::stop_signal::{StopSignal, wait_for_signal};
use crate::clock::millis;
use crate::error::{catch_panic, trace_panic, truncate};
use crate::executor::{ExecutorError, Input};
use crate::graph::policy::RetryPolicy;
use crate::model::{NodeIndex, NodeStatus};
use crate::storage::Entry;

/// What a node writes to the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recording {
    /// All entries: the node has no committed result yet.
    Full,
    /// Log lines only: the node has succeeded before and executes again for its lost output.
    LogOnly,
}

/// A node to execute.
#[derive(Debug)]
pub(super) struct NodeTask {
    pub(super) context: Arc<RunContext>,
    pub(super) node_index: NodeIndex,
    pub(super) inputs: Vec<Input>,
    /// The first attempt to make: above 1 after a crash between attempts.
    pub(super) attempt: u32,
    pub(super) recording: Recording,
    /// What interrupted the attempt that the first one repeats.
    pub(super) interruption: Option<&'static str>,
    /// The branch that an earlier execution of the node took.
    pub(super) branch: Option<bool>,
    /// Why the node must fail without an attempt.
    pub(super) fail_reason: Option<String>,
    /// Whether the journal has a start of the node without an end.
    pub(super) is_started: bool,
    pub(super) phase: Arc<NodePhase>,
    pub(super) stop_signal: watch::Receiver<StopSignal>,
}

/// What follows an attempt.
enum NextStep {
    Retry(String),
    Exit(NodeExit),
}

impl NodeTask {
    /// Executes the node until it is finished or the run is stopped.
    pub(super) async fn run(mut self) -> NodeTaskResult {
        let exit = match catch_panic(self.execute()).await {
            Ok(exit) => exit,
            Err(panic) => Box::pin(self.fail_after_panic(&panic)).await,
        };
        NodeTaskResult {
            node_index: self.node_index,
            recording: self.recording,
            exit: exit.unwrap_or(NodeExit::Interrupted),
        }
    }

    /// Fails a node whose task panicked outside of an attempt.
    ///
    /// The text of the panic is not part of its error: nothing masks it.
    async fn fail_after_panic(&mut self, panic: &str) -> Result<NodeExit, LeaseLost> {
        trace_panic("a node broke off by a panic outside of its attempts", panic);
        let why = "the node broke off: the host's log has a panic of this run".to_owned();
        if self.is_started {
            let now = self.context.shared.clock.elapsed();
            return Ok(self.fail_node(why, Some(self.attempt), now));
        }
        self.fail_without_attempt(why).await
    }

    // Most nodes of a wide run wait for their permit. Everything else that takes room is in a box,
    // so that their tasks are small.
    async fn execute(&mut self) -> Result<NodeExit, LeaseLost> {
        let context = Arc::clone(&self.context);
        let node = context.node(self.node_index);
        let Some(node) = node.filter(|_| context.executor(self.node_index).is_some()) else {
            let why = context.missing_executor(self.node_index);
            return Box::pin(self.fail_without_attempt(why)).await;
        };
        let policy = match RetryPolicy::for_node(node) {
            Ok(policy) => policy,
            Err(issues) => {
                let first = issues
                    .first()
                    .map_or_else(String::new, |issue| issue.detail.clone());
                return Box::pin(self.fail_without_attempt(first)).await;
            }
        };
        if let Some(why) = self.fail_reason.take() {
            return Box::pin(self.fail_without_attempt(why)).await;
        }
        let ready_at = context.shared.clock.elapsed();
        loop {
            self.phase.enter(Phase::Waiting)?;
            let request = PermitRequest {
                shared: &context.shared,
                run_slots: &context.node_slots,
                kind: &node.kind,
                inputs: &self.inputs,
            };
            let Some(permit) = request.acquire(&mut self.stop_signal).await else {
                return Ok(self.exit_before_attempt());
            };
            let attempting = Box::pin(self.execute_once(node, &policy, permit, ready_at));
            match attempting.await? {
                NextStep::Exit(exit) => return Ok(exit),
                NextStep::Retry(error) => {
                    if let Some(exit) = Box::pin(self.wait_for_retry(error, &policy)).await? {
                        return Ok(exit);
                    }
                }
            }
        }
    }

    /// Fails a node that cannot execute. Its start is recorded too: only a running node may fail.
    async fn fail_without_attempt(&mut self, why: String) -> Result<NodeExit, LeaseLost> {
        self.phase.enter(Phase::Storing)?;
        self.record_start(Duration::ZERO).await?;
        let now = self.context.shared.clock.elapsed();
        Ok(self.fail_node(why, Some(self.attempt), now))
    }

    async fn record_start(&mut self, waited: Duration) -> Result<(), LeaseLost> {
        if self.recording == Recording::LogOnly {
            return Ok(());
        }
        let at = self.context.shared.clock.now();
        let started = Entry::NodeStarted {
            node_index: self.node_index,
            attempt: self.attempt,
            queue_ms: millis(waited),
            at,
        };
        self.context.journal.send(started).await?;
        self.is_started = true;
        Ok(())
    }

    async fn next_step(
        &self,
        outcome: AttemptOutcome,
        policy: &RetryPolicy,
        started: Duration,
    ) -> Result<NextStep, LeaseLost> {
        let error = match outcome {
            AttemptOutcome::Returned(returned) => {
                let split = |output| {
                    branch::split(&self.context.graph, self.node_index, self.branch, output)
                };
                match returned.and_then(split) {
                    Ok(returned) => {
                        let exit = self.finish_success(returned, started).await;
                        return exit.map(NextStep::Exit);
                    }
                    Err(error) => error,
                }
            }
            AttemptOutcome::TimedOut => {
                ExecutorError::retryable(timeout_message(policy.timeout.unwrap_or_default()))
            }
            AttemptOutcome::Stopped(
                StopSignal::LeaseLost | StopSignal::Drain | StopSignal::None,
            ) => {
                return Ok(NextStep::Exit(NodeExit::Interrupted));
            }
            AttemptOutcome::Stopped(StopSignal::TimedOut) => {
                ExecutorError::permanent(RUN_TIMED_OUT)
            }
            AttemptOutcome::Stopped(
                StopSignal::Cancel | StopSignal::Force | StopSignal::Abandon,
            ) => {
                return Ok(NextStep::Exit(self.finish_node(
                    NodeStatus::Cancelled,
                    None,
                    started,
                )));
            }
        };
        let signal = *self.stop_signal.borrow();
        if signal >= StopSignal::Force {
            return Ok(NextStep::Exit(self.finish_node(
                NodeStatus::Cancelled,
                Some(error.message().to_owned()),
                started,
            )));
        }
        if error.is_retryable()
            && self.attempt <= policy.max_retries
            && signal < StopSignal::TimedOut
        {
            return Ok(NextStep::Retry(error.message().to_owned()));
        }
        Ok(NextStep::Exit(self.fail_node(
            error.message().to_owned(),
            Some(self.attempt),
            started,
        )))
    }

    /// Waits until the next attempt is due. Returns the node's exit when the run is stopped first.
    async fn wait_for_retry(
        &mut self,
        error: String,
        policy: &RetryPolicy,
    ) -> Result<Option<NodeExit>, LeaseLost> {
        let shared = Arc::clone(&self.context.shared);
        self.attempt = self.attempt.saturating_add(1);
        let random = shared.clock.random();
        let delay = retry::delay(
            policy.retry_delay,
            self.attempt,
            shared.limits.retry_delay_max,
            random,
        );
        if self.recording == Recording::Full {
            self.is_started = false;
            let error = truncate(error, shared.limits.error_bytes_max);
            let (node_index, attempt, at) = (self.node_index, self.attempt, shared.clock.now());
            self.context
                .journal
                .send(Entry::NodeRetrying {
                    node_index,
                    attempt,
                    error,
                    delay_ms: millis(delay),
                    at,
                })
                .await?;
        }
        tokio::select! {
            () = shared.clock.sleep(delay) => Ok(None),
            _ = wait_for_signal(&mut self.stop_signal, StopSignal::Drain) => {
                Ok(Some(self.exit_before_attempt()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_future<A, F: Future>(_: impl FnOnce(A) -> F) -> usize {
        size_of::<F>()
    }

    /// A run may have a thousand nodes that wait, each with a task.
    #[test]
    fn the_task_of_a_node_that_waits_is_small() {
        let bytes = size_of_future(NodeTask::run);
        assert!(bytes <= 1_280, "{bytes} bytes");
    }
}
