//! Stopping a run early, on a cancel request, its timeout or a shutdown, and finishing it.
//!
//! How executing nodes react to a stop signal is left to `attempt` and `node`. The steps of a
//! forced cancel are described in `engine/cancel`.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::outcomes::outcome_of;
use super::{Driver, RunExit};
use crate::engine::Shared;
use crate::engine::attempt::RUN_TIMED_OUT;
use crate::engine::journal::LeaseLost;
use crate::engine::node::Phase;
use crate::engine::run_context::RunContext;
use crate::engine::stop_signal::StopSignal;
use crate::error::log;
use crate::model::{Cancel, NodeIndex, NodeStatus, RunStatus};
use crate::storage::{Entry, FinishedNode};

/// The deadlines of a run, on the monotonic clock.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    /// When the run exceeds its timeout.
    pub(super) run: Option<Duration>,
    /// When a forced cancel abandons the nodes that still execute.
    pub(super) force: Option<Duration>,
    /// When the nodes are given up that have not even ended by then.
    pub(super) abandon: Option<Duration>,
}

/// The end of a run, as the host's log shows it.
struct FinishedRun {
    status: RunStatus,
    error: Option<String>,
}

impl Driver {
    /// Returns when the run exceeds its timeout. The time before a crash counts.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let RunContext {
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

    /// Returns the status of nodes that can no longer execute and that a crash left unrecorded.
    ///
    /// They are cancelled if the run was cancelled before the crash, and skipped otherwise.
    pub(super) fn unrecorded_status(&self) -> NodeStatus {
        match *self.cancel_request.borrow() {
            Some(Cancel::Plain | Cancel::Forced) => NodeStatus::Cancelled,
            None => NodeStatus::Skipped,
        }
    }

    /// Times the run out if its deadline passed before it was claimed.
    ///
    /// A run whose nodes have all succeeded is not timed out.
    pub(super) async fn apply_expired_deadline(
        &mut self,
        deadlines: &mut Deadlines,
    ) -> Result<(), LeaseLost> {
        let now = self.context.shared.clock.elapsed();
        let is_expired = deadlines.run.is_some_and(|deadline| deadline <= now);
        if is_expired && self.frontier.run_outcome() != Some(RunStatus::Success) {
            deadlines.run = None;
            self.time_out(deadlines).await?;
        }
        Ok(())
    }

    /// Applies the newest cancel request: raises the stop signal and cancels the waiting nodes.
    pub(super) async fn apply_cancel_request(
        &mut self,
        deadlines: &mut Deadlines,
    ) -> Result<(), LeaseLost> {
        let Some(cancel) = *self.cancel_request.borrow_and_update() else {
            return Ok(());
        };
        self.context.raise(cancel.into());
        if cancel == Cancel::Forced {
            let shared = &self.context.shared;
            let now = shared.clock.elapsed();
            let deadline = now.checked_add(shared.limits.force_grace);
            deadlines.force = deadlines.force.or(deadline);
            // A profile may take long, and nobody waits for it.
            self.profiles.shutdown().await;
        }
        let cancelled = self.frontier.cancel();
        self.record_unexecuted(&cancelled, NodeStatus::Cancelled)
            .await
    }

    /// Abandons the attempts that a forced cancel has not stopped within its grace.
    pub(super) fn abandon_attempts(&self, deadlines: &mut Deadlines) {
        deadlines.force = None;
        // An attempt that does not yield takes one grace. What is left then is no attempt.
        self.abandon_nodes_after(deadlines, 2);
        self.context.raise(StopSignal::Abandon);
    }

    /// Sets the deadline after which nodes are given up that have not ended.
    fn abandon_nodes_after(&self, deadlines: &mut Deadlines, graces: u32) {
        let shared = &self.context.shared;
        let grace = shared.limits.stop_grace.saturating_mul(graces);
        deadlines.abandon = shared.clock.elapsed().checked_add(grace);
    }

    /// Gives up the nodes whose tasks do not end, and records their status.
    ///
    /// The host's code holds their threads outside of an attempt, as a service that blocks when it
    /// is asked whether it is ready. Only a forced cancel also gives up a node that waits for
    /// storage: what a timeout stops in time still has its result.
    pub(super) async fn abandon_nodes(
        &mut self,
        deadlines: &mut Deadlines,
    ) -> Result<(), LeaseLost> {
        deadlines.abandon = None;
        let is_forced = *self.context.stop_signal.borrow() >= StopSignal::Abandon;
        let mut stuck = Vec::new();
        self.executing.retain(|node_index, phase| {
            let reached = match is_forced {
                true => Some(phase.give_up()),
                false => phase.give_up_unless_storing(),
            };
            stuck.extend(reached.map(|reached| (*node_index, reached)));
            reached.is_none()
        });
        if !stuck.is_empty() {
            let count = u64::try_from(stuck.len()).unwrap_or(u64::MAX);
            let abandoned = &self.context.shared.abandoned;
            abandoned.fetch_add(count, Ordering::Relaxed);
            log::warn!(count, "nodes do not yield and were abandoned");
        }
        for (node_index, reached) in stuck {
            self.abandon_node(node_index, reached).await?;
        }
        if !self.executing.is_empty() {
            self.abandon_nodes_after(deadlines, 1);
        }
        Ok(())
    }

    /// Records the status of a node that was given up in this phase.
    async fn abandon_node(
        &mut self,
        node_index: NodeIndex,
        reached: Phase,
    ) -> Result<(), LeaseLost> {
        let is_timed_out = *self.context.stop_signal.borrow() == StopSignal::TimedOut;
        let status = match reached {
            _ if !is_timed_out => NodeStatus::Cancelled,
            Phase::Attempting => NodeStatus::Failed,
            Phase::Waiting | Phase::Storing | Phase::GivenUp => NodeStatus::Skipped,
        };
        if !self.reexecuted.contains(&node_index) {
            let at = self.context.shared.clock.now();
            let mut finished = FinishedNode::new(node_index, status, at);
            finished.error = (status == NodeStatus::Failed).then(|| RUN_TIMED_OUT.to_owned());
            let entry = Entry::NodeFinished(Box::new(finished));
            self.context.journal.send(entry).await?;
        }
        let skipped = self.frontier.finish_node(node_index, outcome_of(status));
        self.record_unexecuted(&skipped, NodeStatus::Skipped).await
    }

    /// Times the run out: stops its executing nodes and skips the waiting ones.
    pub(super) async fn time_out(&mut self, deadlines: &mut Deadlines) -> Result<(), LeaseLost> {
        let allowed = self.context.definition.timeout.unwrap_or_default();
        let error = format!(
            "the run exceeded its timeout of {} s",
            allowed.as_secs_f64()
        );
        self.first_error.get_or_insert(error);
        self.context.raise(StopSignal::TimedOut);
        // An attempt that neither stops nor yields takes two graces. What is left then is no
        // attempt.
        self.abandon_nodes_after(deadlines, 3);
        let skipped = self.frontier.time_out();
        self.record_unexecuted(&skipped, NodeStatus::Skipped).await
    }

    /// Finishes a run whose nodes are all final, and releases any other.
    pub(super) async fn finish_or_release(&mut self) -> Result<RunExit, LeaseLost> {
        let Some(status) = self.frontier.run_outcome() else {
            if *self.context.stop_signal.borrow() == StopSignal::LeaseLost {
                return Err(LeaseLost);
            }
            return Ok(self.release().await);
        };
        let error = if status == RunStatus::Failed {
            self.run_error()
        } else {
            None
        };
        let finished = FinishedRun {
            status,
            error: error.clone(),
        };
        let at = self.context.shared.clock.now();
        let mut stored = self
            .context
            .journal
            .send_for_commit(Entry::RunFinished { status, error, at })
            .await?;
        tokio::select! {
            stored = &mut stored => {
                stored.map_err(|_| LeaseLost)?;
                self.log_finish(&finished);
                Ok(RunExit::Finished)
            }
            // The next claim computes the same status from the run's nodes if this entry is lost.
            () = self.context.shared.stop.cancelled() => Ok(self.release().await),
        }
    }

    /// Returns the first error, with the number of failed nodes if there are several.
    fn run_error(&mut self) -> Option<String> {
        let first = self.first_error.take()?;
        Some(match self.frontier.failed_count() {
            0 | 1 => first,
            failed => format!("{failed} nodes failed; {first}"),
        })
    }

    /// Writes the end of the run to the host's log. Its error has the run's secrets masked.
    fn log_finish(&self, finished: &FinishedRun) {
        let FinishedRun { status, error } = finished;
        let run = &self.context.run;
        let now = self.context.shared.clock.now();
        let since_start = now.signed_duration_since(run.started_at.unwrap_or(now));
        let duration_ms = since_start.num_milliseconds();
        // Storage finishes a run with a cancel request as cancelled, whatever its nodes did.
        let is_cancelled = self.cancel_request.borrow().is_some();
        let status = if is_cancelled {
            RunStatus::Cancelled.as_str()
        } else {
            status.as_str()
        };
        match error {
            Some(error) if !is_cancelled => {
                log::warn!(status, duration_ms, %error, "the run failed");
            }
            Some(_) | None => log::info!(status, duration_ms, "the run finished"),
        }
    }

    /// Aborts executing nodes. What the journal already holds is still stored.
    pub(super) async fn release(&mut self) -> RunExit {
        if self.tasks.len() > self.executing.len() {
            // The task of a node that was given up may never end.
            self.tasks.abort_all();
        } else {
            self.tasks.shutdown().await;
        }
        self.profiles.shutdown().await;
        RunExit::Released
    }
}

/// Waits until a deadline, or forever without one.
pub(super) async fn sleep_until_deadline(shared: &Shared, deadline: Option<Duration>) {
    match deadline {
        Some(deadline) => shared.clock.sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
