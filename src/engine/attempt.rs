//! One attempt at a node: starts it, and stops it on its timeout or on a stop signal.
//!
//! `node` decides whether another attempt follows.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::dataset_budget::input_bytes;
use super::runtime_end;
use super::stop_signal::{StopSignal, wait_for_signal};
use crate::error::{LogSpan, log, panic_message};
use crate::executor::{Executor, ExecutorError, NodeCall, Output};
use crate::secret::Mask;

/// The error of a node that the timeout of its run stops.
pub(super) const RUN_TIMED_OUT: &str = "stopped, since the run exceeded its timeout";

/// The outcome of an attempt.
#[derive(Debug)]
pub(super) enum AttemptOutcome {
    /// The executor returned or panicked.
    Returned(Result<Output, ExecutorError>),
    /// The attempt exceeded its node's timeout.
    TimedOut,
    /// The run was stopped and the attempt was dropped.
    Stopped(StopSignal),
}

impl AttemptOutcome {
    /// Masks known secrets in the error.
    pub(super) fn masked(self, mask: &Mask) -> Self {
        match self {
            Self::Returned(Err(error)) => {
                Self::Returned(Err(error.map_message(|text| mask.text(text))))
            }
            outcome @ (Self::Returned(Ok(_)) | Self::TimedOut | Self::Stopped(_)) => outcome,
        }
    }
}

/// Executes one attempt.
pub(super) async fn run(
    shared: &Arc<Shared>,
    executor: &Arc<dyn Executor>,
    call: NodeCall,
    timeout: Option<Duration>,
    stop_signal: &mut watch::Receiver<StopSignal>,
) -> AttemptOutcome {
    let token = call.ctx.cancel.clone();
    // A task of its own, so that a panic stays in it and so that it can be aborted at any await.
    let task = shared.tasks.spawn(LogSpan::current().instrument(execute(
        Arc::clone(shared),
        Arc::clone(executor),
        call,
    )));
    let mut attempt = Attempt {
        shared,
        task: Some(task),
        token,
    };
    let outcome = tokio::select! {
        result = attempt.result() => return AttemptOutcome::Returned(result),
        () = sleep(shared, timeout) => AttemptOutcome::TimedOut,
        signal = wait_for_signal(stop_signal, StopSignal::TimedOut) => {
            AttemptOutcome::Stopped(signal)
        }
    };
    attempt.token.cancel();
    match outcome {
        AttemptOutcome::Stopped(StopSignal::LeaseLost) => {}
        AttemptOutcome::Stopped(StopSignal::Force | StopSignal::Abandon) => {
            tokio::select! {
                result = attempt.result() => return AttemptOutcome::Returned(result),
                _ = wait_for_signal(stop_signal, StopSignal::Abandon) => {}
            }
        }
        AttemptOutcome::Stopped(_) | AttemptOutcome::TimedOut | AttemptOutcome::Returned(_) => {
            tokio::select! {
                _ = attempt.result() => return outcome,
                () = shared.clock.sleep(shared.limits.stop_grace) => {}
                _ = wait_for_signal(stop_signal, StopSignal::Abandon) => {}
            }
        }
    }
    attempt.abort().await;
    outcome
}

/// Calls the executor if its inputs are within the limits, and counts its output if that is, too.
///
/// The executor may have built its output within other limits.
async fn execute(
    shared: Arc<Shared>,
    executor: Arc<dyn Executor>,
    call: NodeCall,
) -> Result<Output, ExecutorError> {
    let _dry_run_permit = call.ctx.dry_run_permit.clone();
    let budget = &shared.dataset_budget;
    let inputs = input_bytes(&call.inputs);
    budget.check(inputs)?;
    let output = executor.execute(call).await?;
    if let Some(dataset) = output.dataset() {
        let total = inputs.saturating_add(dataset.memory_bytes());
        let checked = dataset.check(&shared.limits.dataset);
        let checked = checked.and_then(|()| budget.check(total));
        checked.map_err(|error| {
            ExecutorError::permanent(format!("the output is too large: {error}"))
        })?;
        budget.hold(dataset);
    }
    Ok(output)
}

/// Returns the error text of an attempt that exceeded its timeout.
pub(super) fn timeout_message(allowed: Duration) -> String {
    format!(
        "the attempt exceeded its timeout of {} s",
        allowed.as_secs_f64()
    )
}

async fn sleep(shared: &Shared, timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => shared.clock.sleep(timeout).await,
        None => std::future::pending().await,
    }
}

struct Attempt<'a> {
    shared: &'a Arc<Shared>,
    task: Option<JoinHandle<Result<Output, ExecutorError>>>,
    token: CancellationToken,
}

impl Attempt<'_> {
    async fn result(&mut self) -> Result<Output, ExecutorError> {
        let Some(task) = &mut self.task else {
            return std::future::pending().await;
        };
        let joined = task.await;
        self.task = None;
        let panicked = |payload| Err(ExecutorError::panicked(&panic_message(payload)));
        runtime_end::joined(joined).await.unwrap_or_else(panicked)
    }

    /// Aborts the attempt at its next await. One that reaches none in time is counted as abandoned.
    async fn abort(&mut self) {
        let Some(task) = self.task.take() else {
            return;
        };
        task.abort();
        let shared = self.shared;
        tokio::select! {
            _ = task => {}
            () = shared.clock.sleep(shared.limits.stop_grace) => {
                shared.abandoned.fetch_add(1, Ordering::Relaxed);
                log::warn!("an attempt does not yield and was abandoned");
            }
        }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
