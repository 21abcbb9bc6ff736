//! Stopping a run early, on a cancel request, its timeout or a shutdown, and finishing it.
//!
//! How executing nodes react to a stop signal is left to `attempt` and `node`. The steps of a
//! forced cancel are described in `engine/cancel`.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Driver, RunExit};
use crate::engine::Shared;
use crate::engine::journal::LeaseLost;
use crate::engine::run_context::RunContext;
use crate::engine::stop_signal::StopSignal;
use crate::error::log;
use crate::graph::frontier::NodeOutcome;
use crate::model::{Cancel, NodeStatus, RunStatus};
use crate::storage::Entry;

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
            self.time_out().await?;
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
        let shared = &self.context.shared;
        deadlines.force = None;
        // An attempt that does not yield takes one grace. What is left then is no attempt.
        let grace = shared.limits.stop_grace.saturating_mul(2);
        deadlines.abandon = shared.clock.elapsed().checked_add(grace);
        self.context.raise(StopSignal::Abandon);
    }

    /// Gives up the nodes whose tasks do not end, and records them as cancelled.
    ///
    /// The host's code holds their threads outside of an attempt, as a service that blocks when it
    /// is asked whether it is ready.
    pub(super) async fn abandon_nodes(&mut self) -> Result<(), LeaseLost> {
        let stuck = std::mem::take(&mut self.executing);
        if stuck.is_empty() {
            return Ok(());
        }
        let count = stuck.len();
        let abandoned = &self.context.shared.abandoned;
        abandoned.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
        log::warn!(count, "nodes do not yield and were abandoned");
        self.tasks.detach_all();
        for node_index in stuck {
            if !self.reexecuted.contains(&node_index) {
                self.record_unexecuted(&[node_index], NodeStatus::Cancelled)
                    .await?;
            }
            self.frontier
                .finish_node(node_index, NodeOutcome::Cancelled);
        }
        Ok(())
    }

    /// Times the run out: stops its executing nodes and skips the waiting ones.
    pub(super) async fn time_out(&mut self) -> Result<(), LeaseLost> {
        let allowed = self.context.definition.timeout.unwrap_or_default();
        let error = format!(
            "the run exceeded its timeout of {} s",
            allowed.as_secs_f64()
        );
        self.first_error.get_or_insert(error);
        self.context.raise(StopSignal::TimedOut);
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
        self.tasks.shutdown().await;
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
