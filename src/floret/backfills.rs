//! Backfills that exist: find, list, repeat and cancel them from the host's own code.
//!
//! `backfill` starts new ones, and `backfill_pauses` pauses them.

use futures_core::future::BoxFuture;

use super::paging::{PageChoice, page_methods};
use super::{BackfillCancelBuilder, BackfillRerunBuilder, Client};
use crate::error::Result;
use crate::model::{BackfillId, Page};
use crate::storage::{BackfillDetail, BackfillFilter};

/// The backfills in the scope of a client, from [`Client::backfills`].
///
/// Awaiting it returns a page of them, newest first.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use floret::{Pipeline, executor::Ctx, testing::memory};
/// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
/// # let daily = Pipeline::new("daily").node("load", "load");
/// # let floret = memory().node("load", load).pipeline(daily).start().await?;
/// let (from, to) = ("2024-01-01".parse()?, "2024-01-03".parse()?);
/// let started = floret.backfill("daily", from..=to).await?;
/// let newest = floret.backfills().of("daily").page(10).await?;
/// assert_eq!(Some(newest.items[0].backfill.id), started.id());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is read before it is awaited"]
pub struct Backfills {
    client: Client,
    pipeline: Option<String>,
    page: PageChoice,
}

impl Client {
    /// Returns the backfills in scope, to be found, listed, paused, repeated or cancelled.
    pub fn backfills(&self) -> Backfills {
        Backfills {
            client: self.clone(),
            pipeline: None,
            page: PageChoice::default(),
        }
    }
}

impl Backfills {
    /// Returns a backfill with its runs.
    ///
    /// # Errors
    /// `NotFound` if there is no such backfill; `Unavailable`.
    pub async fn get(&self, id: BackfillId) -> Result<BackfillDetail> {
        self.client.views().backfill(id, self.client.scope()).await
    }

    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    /// Prepares a cancel request for the unfinished runs of a backfill. Awaiting the result sends
    /// it.
    pub fn cancel(&self, id: BackfillId) -> BackfillCancelBuilder {
        BackfillCancelBuilder::new(self.client.clone(), id)
    }

    /// Prepares a backfill with the dates of a finished one whose run has not succeeded, nor a
    /// resume or a rerun of it since. Awaiting the result creates it.
    pub fn rerun(&self, id: BackfillId) -> BackfillRerunBuilder {
        BackfillRerunBuilder::new(self.client.clone(), id)
    }

    /// Lists only the backfills of the pipeline with this id or slug.
    pub fn of(mut self, pipeline: impl Into<String>) -> Self {
        self.pipeline = Some(pipeline.into());
        self
    }

    page_methods!();
}

impl IntoFuture for Backfills {
    /// A page of backfills with their runs, newest first.
    ///
    /// # Errors
    /// - `NotFound` if there is no such pipeline.
    /// - `Malformed` if the cursor is invalid, or the page is out of range.
    /// - `Unavailable`.
    type Output = Result<Page<BackfillDetail>>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self {
                client,
                pipeline,
                page,
            } = self;
            let page = page.into_request()?;
            let (scope, pipeline) = client.named_pipeline(pipeline).await?;
            let filter = BackfillFilter {
                scope,
                backfill: None,
                pipeline,
            };
            client.views().list_backfills(filter, page).await
        })
    }
}
