//! Definitions of pipelines: put, find, list, delete.
//!
//! Whether a definition is acceptable is decided above, by `graph`.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::error::Result;
use crate::model::{Page, PageRequest, Pipeline, PipelineId, Scope, Slug, StoredPipeline};

/// What a save expects to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expect {
    /// Nothing: the pipeline is new.
    Absent,
    /// The pipeline, at any version.
    Present,
    /// The pipeline at this version.
    Version(u32),
    /// Anything: made where it is absent, replaced where it is there (a host's own definitions at
    /// its start).
    Any,
}

/// Which slug a save asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SlugChoice {
    /// This one or none.
    Given(Slug),
    /// This one, or with `-2`, `-3` … appended the first that is free; a pipeline that has one like
    /// it keeps it.
    Derived(Slug),
}

/// A save of a pipeline.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PutPipeline {
    /// Its id.
    pub id: PipelineId,
    /// Its slug.
    pub slug: SlugChoice,
    /// The definition.
    pub definition: Arc<Pipeline>,
    /// What must be there before.
    pub expect: Expect,
    /// Whose pipelines are seen; a new one belongs to its tenant.
    pub scope: Scope,
    /// The time of the save.
    pub now: DateTime<Utc>,
}

impl PutPipeline {
    /// A save that replaces or makes the pipeline.
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

/// A wish to delete a pipeline.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DeletePipeline {
    /// Its id.
    pub id: PipelineId,
    /// The version at which it must be; none: any.
    pub version: Option<u32>,
    /// Whose pipelines are seen.
    pub scope: Scope,
    /// The time of the deletion.
    pub now: DateTime<Utc>,
}

impl DeletePipeline {
    /// A wish to delete this pipeline at any version, in every scope.
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

/// Which pipelines a list has.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct PipelineFilter {
    /// Whose.
    pub scope: Scope,
    /// Only those with this tag.
    pub tag: Option<String>,
    /// Only the enabled or the disabled ones.
    pub enabled: Option<bool>,
}

/// Definitions of pipelines.
#[async_trait]
pub trait Pipelines: Send + Sync + 'static {
    /// Saves a definition and answers it as it stands then.
    ///
    /// A save that changes nothing MUST keep version and `updated_at`; one that changes the
    /// definition or the slug MUST raise the version by one. The id of a deleted pipeline may be
    /// taken again: versions then go on from where they were, `created_at` starts anew. A pipeline
    /// of another tenant MUST read as absent, and its id and slug as taken.
    ///
    /// # Errors
    /// `NotFound` (`pipeline-not-found`) when it is expected and absent. `Conflict` with slug
    /// `already-exists` when the id, or the given slug, is taken, the id equals another's slug or
    /// the slug another's id; with slug `precondition-failed` when the version is another.
    async fn put_pipeline(&self, put: PutPipeline) -> Result<StoredPipeline>;

    /// The pipeline with this id, else the one with this slug.
    ///
    /// # Errors
    /// `Unavailable` when storage cannot answer.
    async fn find_pipeline(&self, key: &str, scope: &Scope) -> Result<Option<StoredPipeline>>;

    /// A page of pipelines, the newest `created_at` first, equal ones by id descending. A cursor is
    /// the id of an item; it MUST work though that pipeline was deleted since; one of another
    /// tenant is none.
    ///
    /// # Errors
    /// `Malformed` (`invalid-parameter`) when the cursor is none.
    async fn list_pipelines(
        &self,
        filter: PipelineFilter,
        page: PageRequest,
    ) -> Result<Page<StoredPipeline>>;

    /// Deletes a pipeline. Its runs stay readable until they are purged; its idempotency keys end
    /// and its slug is free.
    ///
    /// # Errors
    /// `NotFound` when it is absent; `Conflict` (`precondition-failed`) when it is expected at
    /// another version, then `pipeline-active` while a run of it is pending or running.
    async fn delete_pipeline(&self, delete: DeletePipeline) -> Result<()>;
}
