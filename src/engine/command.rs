//! Runs each command to its end as a task of the engine, even if its caller leaves.
//!
//! Hosts drop the future of a call when the client disconnects. The commands (`trigger`,
//! `pipelines` and others) decide what is stored and which loops are woken.

use std::sync::Arc;

use super::{Engine, Shared, shutting_down};
use crate::error::{Error, LogSpan, Result};

impl Engine {
    /// Executes a command and returns its result. Dropping the future does not stop a command that
    /// has begun.
    ///
    /// A caller waits here while [`Limits::commands_max`](crate::Limits::commands_max) commands
    /// are in progress. One that leaves meanwhile has begun nothing.
    ///
    /// # Errors
    /// `ShuttingDown`, the errors of the command, and `Internal` if it panicked.
    pub(super) async fn command<T, F>(
        &self,
        command: impl FnOnce(Arc<Shared>) -> F + Send,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        self.refuse_in_shutdown()?;
        let permits = Arc::clone(&self.0.commands);
        let permit = permits.acquire_owned().await.map_err(|_| shutting_down())?;
        // A command that waited must not begin after the shutdown.
        self.refuse_in_shutdown()?;
        let command = command(Arc::clone(&self.0));
        let task = async move {
            let _permit = permit;
            command.await
        };
        let result = self
            .0
            .tasks
            .spawn(LogSpan::current().instrument(task))
            .await;
        result.map_err(|error| Error::internal("a command panicked").with_source(error))?
    }
}
