//! Definitions of pipelines: put, find, list, delete.
//!
//! The engine and `graph` decide whether a definition is valid.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::error::Result;
use crate::model::{Page, PageRequest, Pipeline, PipelineId, Scope, Slug, StoredPipeline};

/// What must exist before a save.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expect {
    /// Nothing: the save creates.
    Absent,
    /// Any version: the save replaces.
    Present,
    /// This version: the save replaces it.
    Version(u32),
    /// Anything: the save creates or replaces. A host saves its own definitions this way at its
    /// start.
    Any,
}

/// The slug that a save requests.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SlugChoice {
    /// Exactly this slug.
    Given(Slug),
    /// This slug, or the first free one of `-2`, `-3` … appended to it. A pipeline that already has
    /// such a slug retains it.
    Derived(Slug),
}

/// A request to save a pipeline.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PutPipeline {
    /// The id of the pipeline.
    pub id: PipelineId,
    /// Its slug.
    pub slug: SlugChoice,
    /// Its definition.
    pub definition: Arc<Pipeline>,
    /// What must exist before the save.
    pub expect: Expect,
    /// The scope of the caller. A new pipeline belongs to its tenant.
    pub scope: Scope,
    /// The time of the save.
    pub now: DateTime<Utc>,
}

impl PutPipeline {
    /// Creates a request that creates or replaces a pipeline, in every scope.
    #[must_use]
    pub const fn new(
        id: PipelineId,
        slug: SlugChoice,
        definition: Arc<Pipeline>,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            slug,
            definition,
            expect: Expect::Any,
            scope: Scope::All,
            now,
        }
    }
}

/// A request to delete a pipeline.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DeletePipeline {
    /// The id of the pipeline.
    pub id: PipelineId,
    /// The version that it must have. `None` means any.
    pub version: Option<u32>,
    /// The scope of the caller. A pipeline outside it is not found.
    pub scope: Scope,
    /// The time of the deletion.
    pub now: DateTime<Utc>,
}

impl DeletePipeline {
    /// Creates a request for any version, in every scope.
    #[must_use]
    pub const fn new(id: PipelineId, now: DateTime<Utc>) -> Self {
        Self {
            id,
            version: None,
            scope: Scope::All,
            now,
        }
    }
}

/// The pipelines that a list contains. A pipeline must meet every condition.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct PipelineFilter {
    /// The scope of the caller.
    pub scope: Scope,
    /// Only pipelines with this tag.
    pub tag: Option<String>,
    /// Only enabled or only disabled pipelines.
    pub enabled: Option<bool>,
}

/// Saves, finds, lists and deletes pipelines.
#[async_trait]
pub trait Pipelines: Send + Sync + 'static {
    /// Saves a definition and returns the pipeline as it is after the save.
    ///
    /// - A save that changes nothing MUST keep the version and `updated_at`. A save that changes
    ///   the definition or the slug MUST raise the version by one.
    /// - The id of a deleted pipeline MUST be free again. Its versions then continue, and
    ///   `created_at` is the time of the save.
    /// - A pipeline of another tenant MUST read as absent, but its id and slug as taken.
    ///
    /// # Errors
    /// - `NotFound` (`pipeline-not-found`): the request expects a pipeline that is absent.
    /// - `Conflict` (`already-exists`): the id is taken, or another pipeline has the id or the
    ///   given slug as its own id or slug.
    /// - `Conflict` (`precondition-failed`): the version is another one.
    async fn put_pipeline(&self, put: PutPipeline) -> Result<StoredPipeline>;

    /// Returns the pipeline with this id, else the one with this slug, else `None`.
    ///
    /// # Errors
    /// `Unavailable` if storage cannot answer.
    async fn find_pipeline(&self, key: &str, scope: &Scope) -> Result<Option<StoredPipeline>>;

    /// Returns a page of pipelines, the newest `created_at` first, equal ones by id in descending
    /// order.
    ///
    /// A cursor is the id of an item. It MUST work even if that pipeline was deleted. The id of
    /// another tenant's pipeline is no cursor.
    ///
    /// # Errors
    /// `Malformed` (`invalid-parameter`): the cursor is invalid.
    async fn list_pipelines(
        &self,
        filter: PipelineFilter,
        page: PageRequest,
    ) -> Result<Page<StoredPipeline>>;

    /// Deletes a pipeline.
    ///
    /// - Its runs MUST stay readable until they are purged.
    /// - Its idempotency keys MUST be deleted, and its slug MUST be free.
    ///
    /// # Errors
    /// - `NotFound` (`pipeline-not-found`): the pipeline is not found.
    /// - `Conflict` (`precondition-failed`): it has another version than the expected one.
    /// - `Conflict` (`pipeline-active`), checked last: a run of it is pending or running.
    async fn delete_pipeline(&self, delete: DeletePipeline) -> Result<()>;
}
