//! Pauses of backfills from the host's own code.
//!
//! `engine/backfill_pauses` carries them out.

use futures_core::future::BoxFuture;

use super::{Backfills, Client};
use crate::engine::{PauseChange, PauseCommand};
use crate::error::Result;
use crate::model::BackfillId;
use crate::storage::BackfillDetail;

impl Backfills {
    /// Prepares to pause a backfill. Awaiting the result pauses it: its pending runs wait, and
    /// those that execute go on.
    ///
    /// A pause outlasts restarts. That of a paused backfill changes nothing: the first one stands.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use floret::{Pipeline, executor::Ctx, testing::memory};
    /// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
    /// # let daily = Pipeline::new("daily").node("load", "load");
    /// # let floret = memory().node("load", load).pipeline(daily).start().await?;
    /// use floret::BackfillStatus;
    ///
    /// floret.pipelines().pause("daily").await?;
    /// let (from, to) = ("2024-01-01".parse()?, "2024-01-03".parse()?);
    /// let started = floret.backfill("daily", from..=to).await?;
    /// let id = started.id().expect("no date was skipped");
    ///
    /// let paused = floret.backfills().pause(id).reason("the source is slow").await?;
    /// assert_eq!(paused.backfill.status, BackfillStatus::Paused);
    /// floret.pipelines().unpause("daily").await?;
    /// let going_on = floret.backfills().unpause(id).await?;
    /// assert_eq!(going_on.backfill.status, BackfillStatus::Running);
    /// # started.finished().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn pause(&self, id: BackfillId) -> BackfillPauseBuilder {
        BackfillPauseBuilder::new(self.client(), id, PauseChange::Begin)
    }

    /// Prepares to end the pause of a backfill. Awaiting the result ends it. A backfill that is not
    /// paused stays as it is. [`Backfills::pause`] has an example.
    pub fn unpause(&self, id: BackfillId) -> BackfillPauseBuilder {
        BackfillPauseBuilder::new(self.client(), id, PauseChange::End)
    }
}

/// A backfill to pause, from [`Backfills::pause`], or a pause to end, from [`Backfills::unpause`].
#[derive(Debug, Clone)]
#[must_use = "nothing is paused and no pause ends before it is awaited"]
pub struct BackfillPauseBuilder {
    client: Client,
    backfill: BackfillId,
    change: PauseChange,
    reason: Option<String>,
}

impl BackfillPauseBuilder {
    fn new(client: &Client, backfill: BackfillId, change: PauseChange) -> Self {
        Self {
            client: client.clone(),
            backfill,
            change,
            reason: None,
        }
    }

    /// Says why, in at most 500 characters. The [audit](crate::Client::audit) shows it.
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }
}

impl IntoFuture for BackfillPauseBuilder {
    /// The backfill with its pause, or without it.
    ///
    /// # Errors
    /// - `NotFound` if there is no such backfill.
    /// - `Invalid` if the reason is too long.
    /// - `RunFinished` if it has finished, or if it was cancelled and is to be paused.
    /// - `ShuttingDown` or `Unavailable`.
    type Output = Result<BackfillDetail>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (engine, author) = (self.client.engine(), self.client.author());
            let reason = self.reason;
            let command = PauseCommand { reason, author };
            engine
                .change_backfill_pause(self.backfill, self.change, command)
                .await
        })
    }
}
