//! Turns: how an executor that bounds its own work lets one attempt after another begin.
//!
//! What the wait counts as and who may break it off is left to `engine/node`.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Executor, ExecutorError};

/// An executor that is not always ready.
///
/// A trait beside [`Executor`] and not a method of it: most executors are always ready, and their authors need not know of this.
#[async_trait]
pub(crate) trait Turns: Executor {
    /// Waits until one more attempt may begin; what comes back executes that one. Dropping the wait gives the place up.
    ///
    /// # Errors
    /// Why none may begin: it counts as the attempt's failure.
    async fn turn(&self) -> Result<Arc<dyn Executor>, ExecutorError>;
}
