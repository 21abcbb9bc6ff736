//! Versions of pipelines from the host's own code: list, find, compare and roll back.
//!
//! `engine/versions` rolls a pipeline back.

use futures_core::future::BoxFuture;
use serde_json::Value;

use super::Client;
use super::paging::{PageChoice, page_methods};
use crate::engine::{Precondition, SavedPipeline};
use crate::error::Result;
use crate::model::{Page, PipelineVersion, StoredPipeline};

/// The versions of a pipeline, from [`Pipelines::versions`](super::Pipelines::versions).
///
/// Awaiting it returns a page of them, the newest first.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> floret::Result<()> {
/// # use floret::{Pipeline, executor::Ctx, testing::memory};
/// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
/// # let floret = memory().node("load", load).start().await?;
/// let pipelines = floret.pipelines();
/// let daily = Pipeline::new("daily").node("load", "load");
/// pipelines.create(daily.clone()).await?;
/// pipelines.put(daily.schedule("@daily")).await?;
///
/// let versions = pipelines.versions("daily");
/// let numbers: Vec<_> = versions.clone().await?.items.iter().map(|one| one.version).collect();
/// assert_eq!(numbers, [2, 1]);
/// assert_eq!(versions.get(1).await?.definition.schedule, None);
/// assert_eq!(versions.diff(1, 2).await?[0]["op"], "add");
///
/// // A rollback is a new version.
/// let rolled_back = versions.roll_back(1).if_match(2).await?.stored;
/// assert_eq!((rolled_back.version, &rolled_back.definition.schedule), (3, &None));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is read before it is awaited"]
pub struct Versions {
    client: Client,
    pipeline: String,
    page: PageChoice,
}

impl Versions {
    pub(super) fn new(client: Client, pipeline: String) -> Self {
        Self {
            client,
            pipeline,
            page: PageChoice::default(),
        }
    }

    /// Returns the pipeline as of a version: its definition and the time when it was saved.
    ///
    /// # Errors
    /// - `NotFound` if there is no such pipeline, or it has no such version.
    /// - `Conflict` (`tenant-required`) if several tenants have such a pipeline.
    /// - `Unavailable`.
    pub async fn get(&self, version: u32) -> Result<StoredPipeline> {
        let (views, scope) = (self.client.views(), self.client.scope());
        let found = views.version(&self.pipeline, version, scope).await;
        found.map(StoredPipeline::for_caller)
    }

    /// Returns what turns one version into another one, as a JSON Patch (RFC 6902). The number of
    /// the version and the time when it was saved are left out.
    ///
    /// # Errors
    /// The same as [`Versions::get`].
    pub async fn diff(&self, from: u32, to: u32) -> Result<Value> {
        let (views, scope) = (self.client.views(), self.client.scope());
        views.version_diff(&self.pipeline, (from, to), scope).await
    }

    /// Prepares to save an earlier version as the newest one. Awaiting the result saves it. The
    /// slug stays.
    pub fn roll_back(&self, version: u32) -> RollbackBuilder {
        RollbackBuilder {
            client: self.client.clone(),
            pipeline: self.pipeline.clone(),
            version,
            precondition: Precondition::Anything,
        }
    }

    page_methods!();
}

impl IntoFuture for Versions {
    /// A page of versions, the newest first.
    ///
    /// # Errors
    /// - `NotFound` if there is no such pipeline.
    /// - `Conflict` (`tenant-required`) if several tenants have such a pipeline.
    /// - `Malformed` if the cursor is invalid or the page is out of range.
    /// - `Unavailable`.
    type Output = Result<Page<PipelineVersion>>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let page = self.page.into_request()?;
            let (views, scope) = (self.client.views(), self.client.scope());
            views.list_versions(&self.pipeline, scope, page).await
        })
    }
}

/// A rollback to carry out, from [`Versions::roll_back`].
#[derive(Debug, Clone)]
#[must_use = "nothing is saved before it is awaited"]
pub struct RollbackBuilder {
    client: Client,
    pipeline: String,
    version: u32,
    precondition: Precondition,
}

impl RollbackBuilder {
    /// Rolls back only if the pipeline still has this version.
    pub fn if_match(mut self, version: u32) -> Self {
        self.precondition = Precondition::Version(version);
        self
    }
}

impl IntoFuture for RollbackBuilder {
    /// The pipeline with its new version. If nothing differs, it keeps its version.
    ///
    /// # Errors
    /// - `NotFound` if there is no such pipeline.
    /// - `Invalid` if it has no such version, or the version is no longer acceptable.
    /// - `Conflict` (`precondition-failed`) if the pipeline has another version than expected, and
    ///   (`managed-by-code`) if the code manages it.
    /// - `ShuttingDown` or `Unavailable`.
    type Output = Result<SavedPipeline>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (engine, author) = (self.client.engine(), self.client.author());
            let (pipeline, version) = (&self.pipeline, self.version);
            engine
                .roll_back_pipeline(pipeline, version, &self.precondition, &author)
                .await
        })
    }
}
