//! Pauses of pipelines from the host's own code.
//!
//! `engine/pauses` carries them out.

use futures_core::future::BoxFuture;

use super::{Client, Pipelines};
use crate::engine::{PauseCommand, Precondition};
use crate::error::Result;
use crate::model::StoredPipeline;

impl Pipelines {
    /// Prepares to pause the pipeline with this id or slug. Awaiting the result pauses it: its
    /// pending runs wait, and the ticks of its schedule create no run. Runs that execute go on.
    ///
    /// A pause outlasts restarts, saves and rollbacks. That of a paused pipeline changes nothing:
    /// the first one stands. [`Pause`](crate::Pause) has an example.
    pub fn pause(&self, key: impl Into<String>) -> PauseBuilder {
        PauseBuilder {
            client: self.client().clone(),
            key: key.into(),
            reason: None,
        }
    }

    /// Prepares to end the pause of the pipeline with this id or slug. Awaiting the result ends it.
    ///
    /// Ticks that the pause has skipped are not caught up. A pipeline that is not paused stays as
    /// it is.
    pub fn unpause(&self, key: impl Into<String>) -> UnpauseBuilder {
        UnpauseBuilder {
            client: self.client().clone(),
            key: key.into(),
            reason: None,
        }
    }
}

/// A pipeline to pause, from [`Pipelines::pause`].
#[derive(Debug, Clone)]
#[must_use = "nothing is paused before it is awaited"]
pub struct PauseBuilder {
    client: Client,
    key: String,
    reason: Option<String>,
}

impl PauseBuilder {
    /// Says why, in at most 500 characters.
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }
}

impl IntoFuture for PauseBuilder {
    /// The pipeline with its pause.
    ///
    /// # Errors
    /// - `NotFound` if there is no such pipeline.
    /// - `Conflict` (`tenant-required`) if several tenants have such a pipeline.
    /// - `Invalid` if the reason is too long.
    /// - `ShuttingDown` or `Unavailable`.
    type Output = Result<StoredPipeline>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (engine, author) = (self.client.engine(), self.client.author());
            let reason = self.reason;
            let pause = PauseCommand { reason, author };
            let paused = engine.pause(&self.key, pause, &Precondition::Anything);
            paused.await.map(StoredPipeline::for_caller)
        })
    }
}

/// A pause to end, from [`Pipelines::unpause`].
#[derive(Debug, Clone)]
#[must_use = "no pause ends before it is awaited"]
pub struct UnpauseBuilder {
    client: Client,
    key: String,
    reason: Option<String>,
}

impl UnpauseBuilder {
    /// Says why, in at most 500 characters. The [audit](crate::Client::audit) shows it.
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }
}

impl IntoFuture for UnpauseBuilder {
    /// The pipeline without its pause.
    ///
    /// # Errors
    /// Those of [`PauseBuilder`].
    type Output = Result<StoredPipeline>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (engine, author) = (self.client.engine(), self.client.author());
            let reason = self.reason;
            let unpause = PauseCommand { reason, author };
            let unpaused = engine.unpause(&self.key, unpause, &Precondition::Anything);
            unpaused.await.map(StoredPipeline::for_caller)
        })
    }
}
