//! Stored pipelines from the host's own code: find, list, save, delete and validate them.
//!
//! `engine/pipelines` saves them. [`Builder::pipeline`](crate::Builder::pipeline) has those of the
//! code.

use futures_core::future::BoxFuture;
use serde_json::Value;

use super::paging::{PageChoice, page_methods};
use super::{Client, Versions};
use crate::engine::{Precondition, SavedPipeline, ValidationReport};
use crate::error::{Error, Result};
use crate::graph::param_defs::refuse_faults;
use crate::model::{Managed, Page, Pipeline, Scope, StoredPipeline};
use crate::storage::PipelineFilter;

/// The pipelines in the scope of a client, from [`Client::pipelines`].
///
/// Awaiting it returns a page of them, newest first. A pipeline must meet every condition.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use floret::{Pipeline, executor::Ctx, testing::memory};
/// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
/// # let floret = memory().node("load", load).start().await?;
/// let pipelines = floret.pipelines();
/// let stored = pipelines.create(Pipeline::new("daily").node("load", "load")).await?.stored;
/// let changed = Pipeline::new("daily").node("load", "load").schedule("@daily");
/// let saved = pipelines.put(changed.clone()).if_match(stored.version).await?;
/// assert_eq!(saved.stored.version, stored.version + 1);
///
/// // Somebody else has changed it meanwhile: nothing is overwritten.
/// let refused = pipelines.put(changed).if_match(stored.version).await.unwrap_err();
/// assert_eq!(refused.slug(), "precondition-failed");
/// assert_eq!(pipelines.enabled(true).await?.items.len(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is read before it is awaited"]
pub struct Pipelines {
    client: Client,
    tag: Option<String>,
    enabled: Option<bool>,
    managed: Option<Managed>,
    page: PageChoice,
}

impl Client {
    /// Returns the pipelines in scope, to be found, listed, saved or deleted.
    pub fn pipelines(&self) -> Pipelines {
        Pipelines {
            client: self.clone(),
            tag: None,
            enabled: None,
            managed: None,
            page: PageChoice::default(),
        }
    }
}

impl Pipelines {
    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    /// Returns the pipeline with this id or slug.
    ///
    /// # Errors
    /// - `NotFound` if there is no such pipeline.
    /// - `Conflict` (`tenant-required`) if several tenants have such a pipeline.
    /// - `Unavailable`.
    pub async fn get(&self, key: &str) -> Result<StoredPipeline> {
        let found = self.client.views().pipeline(key, self.client.scope()).await;
        found.map(StoredPipeline::for_caller)
    }

    /// Creates a pipeline. It belongs to its [`Pipeline::tenant`], or else to the tenant of the
    /// client. If its id is empty, it gets one.
    ///
    /// # Errors
    /// - `Invalid` with every problem of the definition.
    /// - `Malformed` (`id-mismatch`) if the pipeline names another tenant than that of the client.
    /// - `Conflict` (`already-exists`) if the id or the slug is taken.
    /// - `ShuttingDown` or `Unavailable`.
    pub async fn create(&self, pipeline: Pipeline) -> Result<SavedPipeline> {
        let (body, scope) = body(pipeline, self.client.scope())?;
        let author = self.client.author_in(scope);
        let saved = self.client.engine().create_pipeline(body, &author).await;
        saved.map(for_caller)
    }

    /// Prepares to replace the stored pipeline of the same id and of its [`Pipeline::tenant`], or
    /// else of the tenant of the client. Awaiting the result saves it.
    ///
    /// To change a pipeline, begin with the definition that was found, which has its tenant. A
    /// client of every tenant that names none means the pipeline without a tenant, or else the only
    /// one of this id.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> floret::Result<()> {
    /// # use floret::{Pipeline, executor::Ctx, testing::memory};
    /// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
    /// # let hourly = Pipeline::new("hourly").node("load", "load").schedule("@hourly");
    /// # let floret = memory().node("load", load).pipeline(hourly).start().await?;
    /// // Disables every schedule.
    /// for stored in floret.pipelines().await?.items {
    ///     floret.pipelines().put((*stored.definition).clone().disabled()).await?;
    /// }
    /// assert!(floret.pipelines().enabled(true).await?.items.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub fn put(&self, pipeline: Pipeline) -> PutPipelineBuilder {
        PutPipelineBuilder {
            client: self.client.clone(),
            pipeline,
            precondition: Precondition::Anything,
        }
    }

    /// Prepares to delete the pipeline with this id or slug. Awaiting the result deletes it. Its
    /// finished runs stay until they are purged.
    pub fn delete(&self, key: impl Into<String>) -> DeletePipelineBuilder {
        DeletePipelineBuilder {
            client: self.client.clone(),
            key: key.into(),
            precondition: Precondition::Anything,
        }
    }

    /// Checks the pipeline with this id or slug against today's limits and the registered
    /// executors.
    ///
    /// # Errors
    /// The same as [`Pipelines::get`].
    pub async fn validate(&self, key: &str) -> Result<ValidationReport> {
        let (engine, scope) = (self.client.engine(), self.client.scope());
        engine.validate_pipeline(key, scope).await
    }

    /// Returns the versions of the pipeline with this id or slug, to be listed, found, compared or
    /// saved again.
    pub fn versions(&self, key: impl Into<String>) -> Versions {
        Versions::new(self.client.clone(), key.into())
    }

    /// Lists only pipelines with this tag.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tag = Some(tag.into());
        self
    }

    /// Lists only pipelines that are enabled, or only those that are not.
    pub const fn enabled(mut self, is_enabled: bool) -> Self {
        self.enabled = Some(is_enabled);
        self
    }

    /// Lists only pipelines that the host's code manages, or only those that callers manage.
    pub const fn managed(mut self, managed: Managed) -> Self {
        self.managed = Some(managed);
        self
    }

    page_methods!();
}

impl IntoFuture for Pipelines {
    /// A page of pipelines, newest first.
    ///
    /// # Errors
    /// - `Malformed` if the cursor is invalid, or the page is out of range.
    /// - `Unavailable`.
    type Output = Result<Page<StoredPipeline>>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let page = self.page.into_request()?;
            let filter = PipelineFilter {
                scope: self.client.scope().clone(),
                tag: self.tag,
                enabled: self.enabled,
                managed: self.managed,
                text: None,
            };
            let mut page = self.client.storage().list_pipelines(filter, page).await?;
            page.items = page
                .items
                .into_iter()
                .map(StoredPipeline::for_caller)
                .collect();
            Ok(page)
        })
    }
}

fn for_caller(saved: SavedPipeline) -> SavedPipeline {
    SavedPipeline {
        stored: saved.stored.for_caller(),
        ..saved
    }
}

/// A pipeline to save, from [`Pipelines::put`].
#[derive(Debug, Clone)]
#[must_use = "nothing is saved before it is awaited"]
pub struct PutPipelineBuilder {
    client: Client,
    pipeline: Pipeline,
    precondition: Precondition,
}

impl PutPipelineBuilder {
    /// Saves the pipeline only if the stored one still has this version.
    pub fn if_match(mut self, version: u32) -> Self {
        self.precondition = Precondition::Version(version);
        self
    }
}

impl IntoFuture for PutPipelineBuilder {
    /// The stored pipeline, and what is odd about its definition. A definition that changes nothing
    /// keeps its version.
    ///
    /// # Errors
    /// - `NotFound` if there is no such pipeline.
    /// - `Invalid` with every problem of the definition.
    /// - `Malformed` (`id-mismatch`) if the pipeline names another tenant than that of the client.
    /// - `Conflict` (`precondition-failed`) if the stored pipeline has another version.
    /// - `Conflict` (`managed-by-code`) if the host's code manages the pipeline, more than
    ///   `enabled` would change, and the host does not allow it
    ///   ([`Builder::allow_pipeline_edits`](crate::Builder::allow_pipeline_edits)).
    /// - `Conflict` (`already-exists`) if the slug is taken.
    /// - `ShuttingDown` or `Unavailable`.
    type Output = Result<SavedPipeline>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self {
                client,
                pipeline,
                precondition,
            } = self;
            let id = pipeline.id.clone();
            let (body, scope) = body(pipeline, client.scope())?;
            let (engine, author) = (client.engine(), client.author_in(scope));
            let saved = engine
                .replace_pipeline(&id, body, &precondition, &author)
                .await;
            saved.map(for_caller)
        })
    }
}

/// A pipeline to delete, from [`Pipelines::delete`].
#[derive(Debug, Clone)]
#[must_use = "nothing is deleted before it is awaited"]
pub struct DeletePipelineBuilder {
    client: Client,
    key: String,
    precondition: Precondition,
}

impl DeletePipelineBuilder {
    /// Deletes the pipeline only if it still has this version.
    pub fn if_match(mut self, version: u32) -> Self {
        self.precondition = Precondition::Version(version);
        self
    }
}

impl IntoFuture for DeletePipelineBuilder {
    /// # Errors
    /// - `NotFound` if there is no such pipeline.
    /// - `Conflict` (`pipeline-active`) while runs of it are unfinished.
    /// - `Conflict` (`managed-by-code`) if the host's code manages it, and the host does not allow
    ///   the deletion ([`Builder::allow_pipeline_edits`](crate::Builder::allow_pipeline_edits)).
    /// - `Conflict` (`precondition-failed`) if it has another version.
    /// - `ShuttingDown` or `Unavailable`.
    type Output = Result<()>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (engine, author) = (self.client.engine(), self.client.author());
            engine
                .delete_pipeline(&self.key, &self.precondition, &author)
                .await
        })
    }
}

/// Returns the body that a client would send for the same pipeline, and the scope that it is saved
/// in.
fn body(pipeline: Pipeline, granted: &Scope) -> Result<(Value, Scope)> {
    refuse_faults(&pipeline)?;
    let tenant = pipeline.tenant.clone();
    let mut body = serde_json::to_value(pipeline)
        .map_err(|error| Error::internal("a pipeline has no JSON form").with_source(error))?;
    if let Value::Object(fields) = &mut body {
        // The engine makes an id for a body without one.
        fields.retain(|name, value| name != "id" || value != "");
    }
    let Some(tenant) = tenant else {
        return Ok((body, granted.clone()));
    };
    if *granted == Scope::All {
        return Ok((body, Scope::Tenant(tenant)));
    }
    body["tenant"] = Value::from(tenant.as_str());
    Ok((body, granted.clone()))
}
