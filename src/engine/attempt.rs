//! One attempt at a node: started, watched, stopped when its time is over.
//!
//! Whether another follows is decided by `node`.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::Shared;
use super::halt::Halt;
use crate::executor::{Executor, ExecutorError, NodeCall, Output};
use crate::secret::Mask;

/// How an attempt ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// By itself.
    Itself(Result<Output, ExecutorError>),
    /// It took longer than its node allows.
    TimedOut,
    /// The run was stopped: it was dropped.
    Halted(Halt),
}

impl Ended {
    /// The same, known secrets hidden in its error.
    pub(super) fn hidden(self, mask: &Mask) -> Self {
        match self {
            Self::Itself(Err(error)) => {
                Self::Itself(Err(error.map_message(|text| mask.text(text))))
            }
            ended @ (Self::Itself(Ok(_)) | Self::TimedOut | Self::Halted(_)) => ended,
        }
    }
}

/// Executes one attempt.
pub(super) async fn run(
    shared: &Arc<Shared>,
    executor: &Arc<dyn Executor>,
    call: NodeCall,
    timeout: Option<Duration>,
    halt: &mut watch::Receiver<Halt>,
) -> Ended {
    let token = call.ctx.cancel.clone();
    let executor = Arc::clone(executor);
    // A task of its own, so that a panic is its own too, and so that it can be dropped at any await.
    let task = shared
        .tasks
        .spawn(async move { executor.execute(call).await }.in_current_span());
    let mut attempt = Attempt {
        shared,
        task: Some(task),
        token,
    };
    let ended = tokio::select! {
        result = attempt.result() => return Ended::Itself(result),
        () = sleep(shared, timeout) => Ended::TimedOut,
        reached = reached(halt, Halt::TimedOut) => Ended::Halted(reached),
    };
    attempt.token.cancel();
    match ended {
        Ended::Halted(Halt::Lost) => {}
        Ended::Halted(Halt::Force | Halt::Abandon) => {
            tokio::select! {
                result = attempt.result() => return Ended::Itself(result),
                _ = reached(halt, Halt::Abandon) => {}
            }
        }
        Ended::Halted(_) | Ended::TimedOut | Ended::Itself(_) => {
            tokio::select! {
                _ = attempt.result() => return ended,
                () = shared.clock.sleep(shared.limits.stop_grace) => {}
                _ = reached(halt, Halt::Abandon) => {}
            }
        }
    }
    attempt.drop_it().await;
    ended
}

/// What an attempt that took too long is told to have done.
pub(super) fn took_too_long(allowed: Duration) -> String {
    format!(
        "the attempt took longer than its time-out of {} s",
        allowed.as_secs_f64()
    )
}

async fn sleep(shared: &Shared, timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => shared.clock.sleep(timeout).await,
        None => std::future::pending().await,
    }
}

/// Resolves once the run is stopped at least as far as `least`.
pub(super) async fn reached(halt: &mut watch::Receiver<Halt>, least: Halt) -> Halt {
    match halt.wait_for(|reached| *reached >= least).await {
        Ok(reached) => *reached,
        // The driver is gone, and with it the run.
        Err(_) => Halt::Lost,
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
        joined.unwrap_or_else(|error| Err(broken_off(error)))
    }

    /// Drops the attempt at its next await; code that does not come to one is left behind and counted.
    async fn drop_it(&mut self) {
        let Some(task) = &self.task else { return };
        task.abort();
        let shared = Arc::clone(self.shared);
        tokio::select! {
            _ = self.result() => {}
            () = shared.clock.sleep(shared.limits.stop_grace) => {
                shared.abandoned.fetch_add(1, Ordering::Relaxed);
                tracing::warn!("an attempt does not yield and was left behind");
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

fn broken_off(error: JoinError) -> ExecutorError {
    match error.try_into_panic() {
        Ok(payload) => ExecutorError::panicked(payload),
        Err(_) => ExecutorError::retryable("the attempt was stopped from outside"),
    }
}
