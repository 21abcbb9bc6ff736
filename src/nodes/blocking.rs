//! File work off the async threads, stopped when its attempt is.
//!
//! What the work is, is left to the nodes.

use tokio_util::sync::CancellationToken;

use crate::executor::{Ctx, ExecutorError};

/// Tripped once nobody waits for the work any more.
pub(super) struct Stop(CancellationToken);

impl Stop {
    /// # Errors
    /// When the work is to stop.
    pub(super) fn check(&self) -> Result<(), ExecutorError> {
        if self.0.is_cancelled() {
            return Err(ExecutorError::retryable("stopped before its end"));
        }
        Ok(())
    }
}

/// Runs the work on a blocking thread. It is told to stop when the attempt is, and when this future is dropped.
pub(super) async fn blocking<T: Send + 'static>(
    ctx: &Ctx,
    work: impl FnOnce(&Stop) -> Result<T, ExecutorError> + Send + 'static,
) -> Result<T, ExecutorError> {
    let token = ctx.cancel.child_token();
    let _tripped_when_dropped = token.clone().drop_guard();
    let done = tokio::task::spawn_blocking(move || work(&Stop(token))).await;
    done.unwrap_or_else(|error| match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => Err(ExecutorError::retryable("the runtime shuts down")),
    })
}
