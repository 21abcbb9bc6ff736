//! Cancels of runs and backfills from the host's own code.
//!
//! `engine/cancel` carries them out.

use futures_core::future::BoxFuture;

use super::{Client, RunHandle};
use crate::engine::CancelCommand;
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
    reason: Option<String>,
}

impl Client {
    fn cancel_command(&self, cancel: Cancel, reason: Option<String>) -> CancelCommand {
        CancelCommand {
            cancel,
            reason,
            author: self.author(),
        }
    }
}

impl RunHandle {
    /// Prepares a cancel request for the run. Awaiting the result sends it.
    pub fn cancel(&self) -> CancelBuilder {
        CancelBuilder {
            client: self.client().clone(),
            run: self.id(),
            cancel: Cancel::Plain,
            reason: None,
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

    /// Says why, in at most 500 characters. The run shows it
    /// ([`Run::cancel`](crate::Run::cancel)).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> floret::Result<()> {
    /// # use floret::{Pipeline, executor::Ctx, testing::memory};
    /// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
    /// # let daily = Pipeline::new("daily").node("load", "load");
    /// # let mut limits = floret::Limits::default();
    /// # limits.runs_max = 0;
    /// # let memory = memory().limits(limits);
    /// # let floret = memory.node("load", load).pipeline(daily).start().await?;
    /// let run = floret.by("alice").run("daily").await?;
    /// floret.by("bob").run_by_id(run.id()).cancel().reason("the wrong region").await?;
    /// let cancel = run.get().await?.run.cancel.expect("a cancel request");
    /// assert_eq!(cancel.reason.as_deref(), Some("the wrong region"));
    /// assert_eq!(cancel.by.expect("a name").as_str(), "bob");
    /// # Ok(())
    /// # }
    /// ```
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }
}

impl IntoFuture for CancelBuilder {
    /// The current status of the run. A waiting run is cancelled at once; an executing run is
    /// cancelled when its executing nodes have finished.
    ///
    /// # Errors
    /// - `NotFound` if there is no such run.
    /// - `Invalid` if the reason is too long.
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
                reason,
            } = self;
            let cancel = client.cancel_command(cancel, reason);
            let outcome = client.engine().cancel(run, cancel).await?;
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
    reason: Option<String>,
}

impl BackfillCancelBuilder {
    pub(super) const fn new(client: Client, backfill: BackfillId) -> Self {
        Self {
            client,
            backfill,
            cancel: Cancel::Plain,
            reason: None,
        }
    }

    /// Cancels the executing nodes, too, as [`CancelBuilder::force`] does.
    pub fn force(mut self) -> Self {
        self.cancel = Cancel::Forced;
        self
    }

    /// Says why, in at most 500 characters. Each cancelled run shows it.
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }
}

impl IntoFuture for BackfillCancelBuilder {
    /// The current state of the backfill.
    ///
    /// # Errors
    /// - `NotFound` if there is no such backfill.
    /// - `Invalid` if the reason is too long.
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
                reason,
            } = self;
            let cancel = client.cancel_command(cancel, reason);
            client.engine().cancel_backfill(backfill, cancel).await
        })
    }
}
