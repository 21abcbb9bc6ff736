//! Readiness: how an executor that limits its own work delays attempts.
//!
//! Waiting for readiness is left to `engine/execution_permit`.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Executor, ExecutorError};

/// An executor that is not always ready.
///
/// It is not a method of [`Executor`], since most executors are always ready.
#[async_trait]
pub(crate) trait Readiness: Executor {
    /// Waits until another attempt may begin, and returns an executor for that attempt only.
    ///
    /// Dropping the future cancels the wait.
    ///
    /// # Errors
    /// Returns an error if no attempt may begin. The error counts as a failure of the attempt.
    async fn ready_executor(&self) -> Result<Arc<dyn Executor>, ExecutorError>;
}
