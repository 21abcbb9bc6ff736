//! Cancels of runs and backfills from the host's own code.
//!
//! `engine/cancel` carries them out.

use futures_core::future::BoxFuture;

use super::{Client, RunHandle};
use crate::error::Result;
use crate::model::{BackfillId, Cancel, RunId, RunStatus};
use crate::storage::BackfillDetail;

/// A cancel request for a run, from [`RunHandle::cancel`].
///
/// Awaiting it requests the cancellation: executing nodes finish and no other node starts.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use floret::{Floret, Pipeline, RunStatus, executor::Ctx, storage::MemoryStorage};
/// use tokio::sync::Notify;
///
/// let gate = Arc::new(Notify::new());
/// let opened = Arc::clone(&gate);
/// let load = move |_: Ctx| {
///     let opened = Arc::clone(&opened);
///     async move {
///         opened.notified().await;
///         Ok::<_, std::io::Error>(())
///     }
/// };
/// let floret = Floret::builder(MemoryStorage::default())
///     .node("load", load)
///     .pipeline(Pipeline::new("daily").node("a", "load").node("b", "load").after("a"))
///     .start()
///     .await?;
/// let run = floret.run("daily").start().await?;
/// run.cancel().await?;
/// gate.notify_one();
/// assert_eq!(run.finished().await?.run.status, RunStatus::Cancelled);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is cancelled before it is awaited"]
pub struct CancelBuilder {
    client: Client,
    run: RunId,
    cancel: Cancel,
}

impl RunHandle {
    /// Prepares a cancel request for the run. Awaiting the result sends it.
    pub fn cancel(&self) -> CancelBuilder {
        CancelBuilder {
            client: self.client().clone(),
            run: self.id(),
            cancel: Cancel::Plain,
        }
    }
}

impl CancelBuilder {
    /// Cancels the executing nodes, too.
    ///
    /// It cancels [`Ctx::cancel`](crate::executor::Ctx::cancel) of each executing node. Nodes that
    /// have not returned after 30 s ([`Limits::force_grace`](crate::Limits::force_grace)) are
    /// abandoned.
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use floret::{Floret, Pipeline, RunStatus, executor::Ctx, storage::MemoryStorage};
    ///
    /// async fn listen(ctx: Ctx) -> Result<(), std::io::Error> {
    ///     ctx.cancel.cancelled().await;
    ///     Ok(())
    /// }
    /// let floret = Floret::builder(MemoryStorage::default())
    ///     .node("listen", listen)
    ///     .pipeline(Pipeline::new("forever").node("listen", "listen"))
    ///     .start()
    ///     .await?;
    /// let run = floret.run("forever").start().await?;
    /// run.cancel().force().await?;
    /// assert_eq!(run.finished().await?.run.status, RunStatus::Cancelled);
    /// # Ok(())
    /// # }
    /// ```
    pub fn force(mut self) -> Self {
        self.cancel = Cancel::Forced;
        self
    }
}

impl IntoFuture for CancelBuilder {
    /// The current status of the run. A waiting run is cancelled at once; an executing run is
    /// cancelled when its executing nodes have finished.
    ///
    /// # Errors
    /// - `NotFound` if there is no such run.
    /// - `RunFinished` if the run has succeeded or failed.
    /// - `ShuttingDown` or `Unavailable`.
    type Output = Result<RunStatus>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self {
                client,
                run,
                cancel,
            } = self;
            let outcome = client.engine().cancel(run, cancel, client.scope()).await?;
            Ok(outcome.status)
        })
    }
}

/// A cancel request for the unfinished runs of a backfill, from
/// [`Backfills::cancel`](super::Backfills::cancel).
///
/// Awaiting it cancels waiting runs at once, and executing runs as [`RunHandle::cancel`] does.
#[derive(Debug, Clone)]
#[must_use = "nothing is cancelled before it is awaited"]
pub struct BackfillCancelBuilder {
    client: Client,
    backfill: BackfillId,
    cancel: Cancel,
}

impl BackfillCancelBuilder {
    pub(super) const fn new(client: Client, backfill: BackfillId) -> Self {
        Self {
            client,
            backfill,
            cancel: Cancel::Plain,
        }
    }

    /// Cancels the executing nodes, too, as [`CancelBuilder::force`] does.
    pub fn force(mut self) -> Self {
        self.cancel = Cancel::Forced;
        self
    }
}

impl IntoFuture for BackfillCancelBuilder {
    /// The current state of the backfill.
    ///
    /// # Errors
    /// - `NotFound` if there is no such backfill.
    /// - `RunFinished` if it has finished without being cancelled.
    /// - `ShuttingDown` or `Unavailable`.
    type Output = Result<BackfillDetail>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self {
                client,
                backfill,
                cancel,
            } = self;
            let (engine, scope) = (client.engine(), client.scope());
            engine.cancel_backfill(backfill, cancel, scope).await
        })
    }
}
