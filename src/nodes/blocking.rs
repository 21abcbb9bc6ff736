//! Runs file I/O on blocking threads and stops it with its attempt.
//!
//! The node types define the work.

use tokio_util::sync::CancellationToken;

use crate::executor::{Ctx, ExecutorError};

/// Reports to blocking work whether it should stop.
pub(super) struct StopCheck(CancellationToken);

impl StopCheck {
    /// Creates a check that never stops, for tests.
    #[cfg(test)]
    pub(super) fn never() -> Self {
        Self(CancellationToken::new())
    }

    /// Creates a check that stops with this token, for tests.
    #[cfg(test)]
    pub(super) const fn with(token: CancellationToken) -> Self {
        Self(token)
    }

    /// Checks whether the work may continue.
    ///
    /// # Errors
    /// Returns a retryable error if the work should stop.
    pub(super) fn check(&self) -> Result<(), ExecutorError> {
        if self.0.is_cancelled() {
            return Err(ExecutorError::retryable("stopped before it finished"));
        }
        Ok(())
    }
}

/// Runs work on a blocking thread. The work should stop once the attempt is cancelled or this
/// future is dropped.
pub(super) async fn blocking<T: Send + 'static>(
    ctx: &Ctx,
    work: impl FnOnce(&StopCheck) -> Result<T, ExecutorError> + Send + 'static,
) -> Result<T, ExecutorError> {
    let token = ctx.cancel.child_token();
    let _cancel_on_drop = token.clone().drop_guard();
    let permit = ctx.dry_run_permit.clone();
    let task = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        work(&StopCheck(token))
    });
    let finished = task.await;
    finished.unwrap_or_else(|error| match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => Err(ExecutorError::retryable("the runtime is shutting down")),
    })
}
