//! Cancels and reruns of many runs from the host's own code.
//!
//! `engine/bulk` carries them out.

use futures_core::future::BoxFuture;

use super::{Client, Runs};
use crate::engine::{
    BulkAction, BulkOutcome, BulkRerun, BulkRuns, CancelCommand, ResumeDefinition,
};
use crate::error::Result;
use crate::model::{Cancel, TraceParent};

/// A cancel request for the runs of a list, from [`Runs::cancel_all`](super::Runs::cancel_all).
///
/// Awaiting it cancels up to 1,000 unfinished runs, the newest first. A list without a status means
/// pending and running ones.
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
/// for order in ["17", "18"] {
///     floret.run("daily").label("order", order).label("shop", "north").await?;
/// }
/// let all = floret.runs().label("shop", "north");
/// let outcome = all.cancel_all().reason("the shop is closed").await?;
/// assert_eq!((outcome.matched, outcome.done), (2, 2));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is cancelled before it is awaited"]
pub struct BulkCancelBuilder {
    runs: Runs,
    cancel: Cancel,
    reason: Option<String>,
    is_preview: bool,
}

/// A rerun of the runs of a list, from [`Runs::rerun_all`](super::Runs::rerun_all).
///
/// Awaiting it reruns up to 1,000 finished runs, the newest first, as
/// [`RunHandle::rerun`](crate::RunHandle::rerun) does. A list without a status means all finished
/// ones.
#[derive(Debug, Clone)]
#[must_use = "no run is created before it is awaited"]
pub struct BulkRerunBuilder {
    runs: Runs,
    definition: ResumeDefinition,
    key: Option<String>,
    reason: Option<String>,
    traceparent: Option<TraceParent>,
    is_preview: bool,
}

impl Runs {
    /// Prepares to cancel the runs of the list. Awaiting the result cancels them. The page of the
    /// list does not matter, but its cursor does: the call goes on after it.
    pub const fn cancel_all(self) -> BulkCancelBuilder {
        BulkCancelBuilder {
            runs: self,
            cancel: Cancel::Plain,
            reason: None,
            is_preview: false,
        }
    }

    /// Prepares to rerun the runs of the list. Awaiting the result reruns them. The page of the
    /// list does not matter, but its cursor does: the call goes on after it.
    pub const fn rerun_all(self) -> BulkRerunBuilder {
        BulkRerunBuilder {
            runs: self,
            definition: ResumeDefinition::Recorded,
            key: None,
            reason: None,
            traceparent: None,
            is_preview: false,
        }
    }
}

impl BulkCancelBuilder {
    /// Cancels the executing nodes, too, as [`CancelBuilder::force`](crate::CancelBuilder::force)
    /// does.
    pub const fn force(mut self) -> Self {
        self.cancel = Cancel::Forced;
        self
    }

    /// Says why, in at most 500 characters. Each cancelled run shows it.
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Only says what the call would do.
    pub const fn preview(mut self) -> Self {
        self.is_preview = true;
        self
    }
}

impl BulkRerunBuilder {
    /// Executes the pipelines' newest definitions.
    pub const fn current(mut self) -> Self {
        self.definition = ResumeDefinition::Current;
        self
    }

    /// Says why, in at most 500 characters. The [audit](crate::Client::audit) shows it.
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Continues a distributed trace, as the header `traceparent` of a request does.
    pub const fn traceparent(mut self, parent: TraceParent) -> Self {
        self.traceparent = Some(parent);
        self
    }

    /// Sets the idempotency key of each rerun, so that a repeat of the call starts nothing again.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Only says what the call would do.
    pub const fn preview(mut self) -> Self {
        self.is_preview = true;
        self
    }
}

impl IntoFuture for BulkCancelBuilder {
    /// What was cancelled, and what was left.
    ///
    /// # Errors
    /// - Those of the list.
    /// - `Invalid` if the reason is too long.
    /// - `ShuttingDown` or `Unavailable`. Nothing was done. If a part is done by then, the error is
    ///   the reason why the other runs were skipped.
    type Output = Result<BulkOutcome>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let client = self.runs.client().clone();
            let action = BulkAction::Cancel(CancelCommand {
                cancel: self.cancel,
                reason: self.reason,
                author: client.author(),
            });
            carry_out(&client, self.runs, action, self.is_preview).await
        })
    }
}

impl IntoFuture for BulkRerunBuilder {
    /// The new runs, and what was left.
    ///
    /// # Errors
    /// - Those of the list.
    /// - `Invalid` if the reason is too long.
    /// - `ShuttingDown` or `Unavailable`. Nothing was done. If a part is done by then, the error is
    ///   the reason why the other runs were skipped.
    type Output = Result<BulkOutcome>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let client = self.runs.client().clone();
            let action = BulkAction::Rerun(BulkRerun {
                definition: self.definition,
                key: self.key,
                reason: self.reason,
                author: client.author(),
                traceparent: self.traceparent,
            });
            carry_out(&client, self.runs, action, self.is_preview).await
        })
    }
}

async fn carry_out(
    client: &Client,
    runs: Runs,
    action: BulkAction,
    is_preview: bool,
) -> Result<BulkOutcome> {
    let (filter, after) = runs.into_filter().await?;
    let runs = BulkRuns::Filtered { filter, after };
    client.engine().bulk(runs, action, is_preview).await
}
