//! One node of a run: waits for its turn, makes its attempts, and says how it ended.
//!
//! The wait is `turn`'s, a single attempt `attempt`'s, the durable output `checkpoint`'s, and what follows the driver's.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tracing::Instrument;

use super::attempt::{self, Ended, reached, took_too_long};
use super::checkpoint;
use super::context::Context;
use super::halt::Halt;
use super::journal::{AttemptLog, Lost};
use super::retry;
use super::turn::Turn;
use crate::error::{trace_causes, truncate};
use crate::executor::{Executor, ExecutorError, Input, NodeCall, NodeLog, Output};
use crate::graph::policy::RetryPolicy;
use crate::model::{Dataset, Node, NodeIndex, NodeStatus};
use crate::storage::{Entry, FinishedNode};

/// How the ends of a node are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// It executes for the first time, or again after a crash: everything is written to the journal.
    Recorded,
    /// It has ended before and only its lost output is made again: nothing of it is written but its log.
    Remade,
}

/// A node about to execute.
#[derive(Debug)]
pub(super) struct NodeTask {
    pub(super) context: Arc<Context>,
    pub(super) node_index: NodeIndex,
    pub(super) inputs: Vec<Input>,
    /// The attempt to begin with: above 1 after a crash between attempts.
    pub(super) attempt: u32,
    pub(super) mode: Mode,
    /// Why it cannot execute at all.
    pub(super) doomed: Option<String>,
    pub(super) halt: watch::Receiver<Halt>,
}

/// How a node's task ended.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) node_index: NodeIndex,
    pub(super) mode: Mode,
    pub(super) ending: Ending,
}

#[derive(Debug)]
pub(super) enum Ending {
    /// It ended so; on success with what it handed on.
    Ended(Box<FinishedNode>, Option<Dataset>),
    /// The run was stopped before it ended, and goes on at another time.
    Unfinished,
}

/// What comes after an attempt.
enum Next {
    Retry(String),
    End(Ending),
}

impl NodeTask {
    /// Executes the node to its end.
    pub(super) async fn run(mut self) -> Done {
        let ending = self.execute().await.unwrap_or(Ending::Unfinished);
        Done {
            node_index: self.node_index,
            mode: self.mode,
            ending,
        }
    }

    async fn execute(&mut self) -> Result<Ending, Lost> {
        let context = Arc::clone(&self.context);
        let node = context.node(self.node_index);
        let Some(node) = node.filter(|_| context.executor(self.node_index).is_some()) else {
            let kind = context
                .node(self.node_index)
                .map_or("", |node| node.kind.as_str());
            return self
                .fail_at_once(format!("no executor is registered for the type {kind:?}"))
                .await;
        };
        let policy = match RetryPolicy::for_node(node) {
            Ok(policy) => policy,
            Err(issues) => {
                let first = issues
                    .first()
                    .map_or_else(String::new, |issue| issue.detail.clone());
                return self.fail_at_once(first).await;
            }
        };
        if let Some(why) = self.doomed.take() {
            return self.fail_at_once(why).await;
        }
        let ready_at = context.shared.clock.elapsed();
        loop {
            let (shared, of_run) = (&context.shared, &context.node_slots);
            let turn = Turn::wait(shared, of_run, &node.kind, &mut self.halt).await;
            let Some(turn) = turn else {
                return Ok(self.never_ran());
            };
            let started = context.shared.clock.elapsed();
            self.record_start(started.saturating_sub(ready_at)).await?;
            let span = tracing::info_span!("attempt", attempt = self.attempt);
            let ended = match &turn.executor {
                Ok(executor) => self.attempt(node, executor, &policy).instrument(span).await,
                Err(error) => Ended::Itself(Err(error.clone())),
            };
            let ended = ended.hidden(&context.vault.mask);
            let next = self.after(ended, &policy, started).await?;
            drop(turn);
            match next {
                Next::End(ending) => return Ok(ending),
                Next::Retry(error) => {
                    if let Some(ending) = self.wait_for_retry(error, &policy).await? {
                        return Ok(ending);
                    }
                }
            }
        }
    }

    /// Fails a node that cannot execute; it starts all the same, since only what runs can fail.
    async fn fail_at_once(&self, why: String) -> Result<Ending, Lost> {
        self.record_start(Duration::ZERO).await?;
        let now = self.context.shared.clock.elapsed();
        Ok(self.failed(why, Some(self.attempt), now))
    }

    async fn record_start(&self, waited: Duration) -> Result<(), Lost> {
        if self.mode == Mode::Remade {
            return Ok(());
        }
        let at = self.context.shared.clock.now();
        let started = Entry::NodeStarted {
            node_index: self.node_index,
            attempt: self.attempt,
            queue_ms: millis(waited),
            at,
        };
        self.context.journal.send(started).await
    }

    async fn attempt(
        &mut self,
        node: &Node,
        executor: &Arc<dyn Executor>,
        policy: &RetryPolicy,
    ) -> Ended {
        let shared = Arc::clone(&self.context.shared);
        let log = NodeLog::to(Arc::new(AttemptLog {
            journal: self.context.journal.clone(),
            shared: Arc::clone(&shared),
            mask: self.context.vault.mask.clone(),
            node_index: self.node_index,
            attempt: self.attempt,
        }));
        let vault = &self.context.vault;
        let surroundings = vault.surroundings(&self.context.run, node, self.attempt, log);
        let surroundings = tokio::select! {
            ctx = surroundings => ctx,
            reached = reached(&mut self.halt, Halt::TimedOut) => return Ended::Halted(reached),
        };
        match surroundings {
            Ok(ctx) => {
                let call = NodeCall::new(ctx, self.inputs.clone());
                attempt::run(&shared, executor, call, policy.timeout, &mut self.halt).await
            }
            Err(error) => Ended::Itself(Err(error)),
        }
    }

    async fn after(
        &self,
        ended: Ended,
        policy: &RetryPolicy,
        started: Duration,
    ) -> Result<Next, Lost> {
        let error = match ended {
            Ended::Itself(Ok(output)) => {
                return self.succeeded(output, started).await.map(Next::End);
            }
            Ended::Itself(Err(error)) => error,
            Ended::TimedOut => {
                ExecutorError::retryable(took_too_long(policy.timeout.unwrap_or_default()))
            }
            Ended::Halted(Halt::Lost | Halt::Drain | Halt::Not) => {
                return Ok(Next::End(Ending::Unfinished));
            }
            Ended::Halted(Halt::TimedOut) => {
                ExecutorError::permanent("stopped, since the time of the run is over")
            }
            Ended::Halted(Halt::Cancel | Halt::Force | Halt::Abandon) => {
                return Ok(Next::End(self.ended(NodeStatus::Cancelled, None, started)));
            }
        };
        let halt = *self.halt.borrow();
        if halt >= Halt::Force {
            return Ok(Next::End(self.ended(
                NodeStatus::Cancelled,
                Some(error.message().to_owned()),
                started,
            )));
        }
        if error.is_retryable() && self.attempt <= policy.max_retries && halt < Halt::TimedOut {
            return Ok(Next::Retry(error.message().to_owned()));
        }
        Ok(Next::End(self.failed(
            error.message().to_owned(),
            Some(self.attempt),
            started,
        )))
    }

    async fn succeeded(&self, output: Output, started: Duration) -> Result<Ending, Lost> {
        let Output::Dataset(dataset) = output else {
            return Ok(self.ended(NodeStatus::Success, None, started));
        };
        let mut end = self.end(NodeStatus::Success, Some(self.attempt), started);
        end.row_count = Some(dataset.row_count());
        end.has_dataset = true;
        if self.mode == Mode::Recorded {
            match checkpoint::write(&self.context, self.node_index, &dataset).await {
                Ok(kept) => {
                    let kept = kept?;
                    end.preview = Some(kept.preview);
                    end.output = kept.output;
                }
                Err(error) => {
                    tracing::error!(%error, "an output could not be encoded");
                    trace_causes(&error);
                    return Ok(self.failed(
                        format!("the output could not be kept: {error}"),
                        Some(self.attempt),
                        started,
                    ));
                }
            }
        }
        Ok(Ending::Ended(Box::new(end), Some(dataset)))
    }

    /// Waits until the next attempt; what comes back is the end of the node when the run is stopped first.
    async fn wait_for_retry(
        &mut self,
        error: String,
        policy: &RetryPolicy,
    ) -> Result<Option<Ending>, Lost> {
        let shared = Arc::clone(&self.context.shared);
        self.attempt = self.attempt.saturating_add(1);
        let random = shared.clock.random();
        let delay = retry::delay(
            policy.retry_delay,
            self.attempt,
            shared.limits.retry_delay_max,
            random,
        );
        if self.mode == Mode::Recorded {
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
            _ = reached(&mut self.halt, Halt::Drain) => Ok(Some(self.never_ran())),
        }
    }

    /// The end of a node that the run's stop finds waiting.
    fn never_ran(&self) -> Ending {
        let now = self.context.shared.clock.elapsed();
        let status = match *self.halt.borrow() {
            Halt::Not | Halt::Drain | Halt::Lost => return Ending::Unfinished,
            Halt::TimedOut => NodeStatus::Skipped,
            Halt::Cancel | Halt::Force | Halt::Abandon => NodeStatus::Cancelled,
        };
        let mut end = self.end(status, None, now);
        end.duration_ms = None;
        Ending::Ended(Box::new(end), None)
    }

    fn failed(&self, error: String, attempt: Option<u32>, started: Duration) -> Ending {
        let mut end = self.end(NodeStatus::Failed, attempt, started);
        end.error = Some(truncate(error, self.context.shared.limits.error_bytes_max));
        Ending::Ended(Box::new(end), None)
    }

    fn ended(&self, status: NodeStatus, error: Option<String>, started: Duration) -> Ending {
        let mut end = self.end(status, Some(self.attempt), started);
        end.error = error.map(|error| truncate(error, self.context.shared.limits.error_bytes_max));
        Ending::Ended(Box::new(end), None)
    }

    fn end(&self, status: NodeStatus, attempt: Option<u32>, started: Duration) -> FinishedNode {
        let clock = &self.context.shared.clock;
        let mut end = FinishedNode::new(self.node_index, status, clock.now());
        end.attempt = attempt;
        end.duration_ms = Some(millis(clock.elapsed().saturating_sub(started)));
        end
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
