//! Lists of runs from the host's own code.
//!
//! `run` creates runs, and `run_handle` has the calls about one run.

use chrono::{DateTime, Utc};
use futures_core::future::BoxFuture;

use super::Client;
use super::paging::{PageChoice, page_methods};
use crate::error::Result;
use crate::model::{BackfillId, Page, Run, RunStatus, Trigger};
use crate::storage::RunFilter;
use crate::views::check_filter;

/// The runs in the scope of a client, from [`Client::runs`].
///
/// Awaiting it returns a page of them, newest first. A run must meet every condition.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use floret::{Pipeline, executor::Ctx, testing::memory};
/// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
/// # let daily = Pipeline::new("daily").node("load", "load");
/// # let floret = memory().node("load", load).pipeline(daily).start().await?;
/// use floret::RunStatus;
///
/// floret.run("daily").await?.finished().await?;
/// let newest = floret.runs().of("daily").status(RunStatus::Success).page(10).await?;
/// assert_eq!(newest.items.len(), 1);
/// assert!(floret.runs().status(RunStatus::Failed).await?.items.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is read before it is awaited"]
pub struct Runs {
    client: Client,
    pipeline: Option<String>,
    backfill: Option<BackfillId>,
    statuses: Vec<RunStatus>,
    triggers: Vec<Trigger>,
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    labels: Vec<(String, String)>,
    key: Option<String>,
    page: PageChoice,
}

impl Client {
    /// Returns the runs in scope, to be listed.
    pub fn runs(&self) -> Runs {
        Runs {
            client: self.clone(),
            pipeline: None,
            backfill: None,
            statuses: Vec::new(),
            triggers: Vec::new(),
            from: None,
            to: None,
            labels: Vec::new(),
            key: None,
            page: PageChoice::default(),
        }
    }
}

impl Runs {
    /// Lists only the runs of the pipeline with this id or slug. A deleted pipeline has its id as
    /// long as runs of it are left.
    pub fn of(mut self, pipeline: impl Into<String>) -> Self {
        self.pipeline = Some(pipeline.into());
        self
    }

    /// Lists only the runs of this backfill. Those that resume or repeat one of them are not its
    /// own.
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
    /// let id = started.id().expect("no date was skipped");
    /// let newest_first = floret.runs().backfill(id).await?.items;
    /// assert_eq!(newest_first[0].date, to);
    /// assert_eq!(newest_first.len(), 3);
    /// # Ok(())
    /// # }
    /// ```
    pub const fn backfill(mut self, id: BackfillId) -> Self {
        self.backfill = Some(id);
        self
    }

    /// Lists only runs with this status, or with another one that is given in the same way.
    pub fn status(mut self, status: RunStatus) -> Self {
        self.statuses.push(status);
        self
    }

    /// Lists only runs with this trigger, or with another one that is given in the same way.
    pub fn trigger(mut self, trigger: Trigger) -> Self {
        self.triggers.push(trigger);
        self
    }

    /// Lists only runs that were created at or after this time.
    pub const fn from(mut self, from: DateTime<Utc>) -> Self {
        self.from = Some(from);
        self
    }

    /// Lists only runs that were created before this time.
    pub const fn to(mut self, to: DateTime<Utc>) -> Self {
        self.to = Some(to);
        self
    }

    /// Lists only runs with this label, and with every other one that is given in the same way.
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.push((name.into(), value.into()));
        self
    }

    /// Lists only the run that a trigger with this idempotency key has created
    /// ([`RunBuilder::key`](crate::RunBuilder::key)). A key is one of a pipeline, so that
    /// [`of`](Self::of) names the pipeline.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> floret::Result<()> {
    /// # use floret::{Pipeline, executor::Ctx, testing::memory};
    /// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
    /// # let daily = Pipeline::new("daily").node("load", "load");
    /// # let floret = memory().node("load", load).pipeline(daily).start().await?;
    /// let run = floret.run("daily").key("order-17").await?;
    /// let found = floret.runs().of("daily").key("order-17").await?.items;
    /// assert_eq!(found[0].id, run.id());
    /// # Ok(())
    /// # }
    /// ```
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    page_methods!();

    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    /// Returns the filter of the list, and the cursor of its page.
    pub(super) async fn into_filter(self) -> Result<(RunFilter, Option<String>)> {
        let (scope, pipeline) = self.client.named_pipeline(self.pipeline).await?;
        let mut filter = RunFilter {
            scope,
            run: None,
            pipeline,
            backfill: self.backfill,
            statuses: self.statuses,
            triggers: self.triggers,
            from: self.from,
            to: self.to,
            labels: self.labels,
        };
        check_filter(&filter)?;
        let views = self.client.views();
        let scope = self.client.scope();
        views.check_backfill_of(&filter, scope).await?;
        if let Some(key) = &self.key {
            views.narrow_to_key(&mut filter, key).await?;
        }
        Ok((filter, self.page.after))
    }
}

impl IntoFuture for Runs {
    /// A page of runs without their nodes, newest first.
    ///
    /// # Errors
    /// - `NotFound` if there is no such pipeline or no such backfill.
    /// - `Conflict` (`tenant-required`) if several tenants have such a pipeline.
    /// - `Malformed` if the cursor is invalid, the page is out of range, `from` is later than `to`,
    ///   or a key is given without a pipeline.
    /// - `Unavailable`.
    type Output = Result<Page<Run>>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let page = self.page.clone().into_request()?;
            let client = self.client.clone();
            let (filter, _) = self.into_filter().await?;
            client.views().list_runs(filter, page).await
        })
    }
}
