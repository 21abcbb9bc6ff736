//! Reruns of backfills from the host's own code.
//!
//! `engine/backfill_rerun` carries them out.

use futures_core::future::BoxFuture;
use serde_json::json;

use super::{BackfillHandle, Client};
use crate::engine::{BackfillRerun, RepeatedDates, RequestKey, hash_body};
use crate::error::Result;
use crate::model::{BackfillId, BackfillPreview, TraceParent};

/// A backfill to repeat, from [`Backfills::rerun`](crate::query::Backfills::rerun).
///
/// Awaiting it creates a backfill with the parameters and the settings of a finished one, on the
/// newest definition. It has those dates whose run has not succeeded, nor a resume or a rerun of it
/// since. The finished backfill stays as it is: a resume of its failed runs is what makes it a
/// success.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use floret::{Pipeline, executor::Ctx, testing::memory};
/// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
/// # let daily = Pipeline::new("daily").node("load", "load");
/// # let floret = memory().node("load", load).pipeline(daily).start().await?;
/// let (from, to) = ("2024-01-01".parse()?, "2024-01-03".parse()?);
/// let first = floret.backfill("daily", from..=to).await?;
/// let done = first.finished().await?.expect("no date was skipped").backfill;
/// // Every date has succeeded, so that nothing is left.
/// assert!(floret.backfills().rerun(done.id).await?.run_ids().is_empty());
/// let again = floret.backfills().rerun(done.id).all().await?;
/// let again = again.finished().await?.expect("every date runs again").backfill;
/// assert_eq!(again.rerun_of, Some(done.id));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "no run is created before it is awaited"]
pub struct BackfillRerunBuilder {
    client: Client,
    backfill: BackfillId,
    only: Option<RepeatedDates>,
    key: Option<String>,
    reason: Option<String>,
    traceparent: Option<TraceParent>,
}

impl BackfillRerunBuilder {
    pub(super) const fn new(client: Client, backfill: BackfillId) -> Self {
        Self {
            client,
            backfill,
            only: None,
            key: None,
            reason: None,
            traceparent: None,
        }
    }

    /// Repeats every date, also those that have succeeded.
    pub const fn all(mut self) -> Self {
        self.only = Some(RepeatedDates::All);
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

    /// Sets the idempotency key.
    ///
    /// A key that was used before for a rerun of this backfill creates nothing: the result is the
    /// first one.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Creates the backfill with all its runs. They are durable when this method returns.
    ///
    /// # Errors
    /// - `NotFound` if there is no such backfill, or its pipeline was deleted.
    /// - `Conflict` (`run-not-finished`) if a run of the backfill has not finished.
    /// - `Invalid` if the newest definition does not take the parameters, a node type has no
    ///   executor, or the key was used with another backfill.
    /// - `QueueFull` if too many runs are waiting.
    /// - `ShuttingDown` or `Unavailable`.
    pub async fn start(self) -> Result<BackfillHandle> {
        let client = self.client.clone();
        let started = client.engine().rerun_backfill(self.into_request()).await?;
        Ok(BackfillHandle::new(client, started))
    }

    /// Returns the dates that would run, and those that have succeeded since. Nothing is created. A
    /// key is disregarded.
    ///
    /// # Errors
    /// Those of [`BackfillRerunBuilder::start`], apart from `QueueFull`.
    pub async fn preview(self) -> Result<BackfillPreview> {
        let client = self.client.clone();
        let request = self.into_request();
        client.engine().preview_backfill_rerun(request).await
    }

    fn into_request(self) -> BackfillRerun {
        let mut body = json!({});
        if self.only == Some(RepeatedDates::All) {
            body["only"] = json!("all");
        }
        if let Some(reason) = &self.reason {
            body["reason"] = json!(reason);
        }
        let body_hash = hash_body(&body);
        BackfillRerun {
            backfill: self.backfill,
            only: self.only.unwrap_or_default(),
            key: self.key.map(|key| RequestKey { key, body_hash }),
            reason: self.reason,
            author: self.client.author(),
            traceparent: self.traceparent,
        }
    }
}

impl IntoFuture for BackfillRerunBuilder {
    /// The handle of the new backfill, which is durable with all its runs.
    ///
    /// # Errors
    /// The same as [`BackfillRerunBuilder::start`].
    type Output = Result<BackfillHandle>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.start())
    }
}
