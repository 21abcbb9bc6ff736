//! The versions of pipelines: every definition that a pipeline has had.
//!
//! `pipelines` saves them.

use async_trait::async_trait;

use crate::error::Result;
use crate::model::{Page, PageRequest, PipelineId, PipelineVersion, Scope, StoredPipeline};

/// The versions that a list contains: those of one pipeline.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct VersionFilter {
    /// The pipeline.
    pub pipeline: PipelineId,
    /// The scope of the caller. [`Scope::choose`] decides which pipeline of this id is meant.
    pub scope: Scope,
}

impl VersionFilter {
    /// Creates a filter in every scope.
    #[must_use]
    pub const fn new(pipeline: PipelineId) -> Self {
        Self {
            pipeline,
            scope: Scope::All,
        }
    }
}

/// Lists and finds versions of pipelines.
#[async_trait]
pub trait Versions: Send + Sync + 'static {
    /// Returns a page of versions, the newest first.
    ///
    /// - Every version since the pipeline was created MUST be listed. Those of an earlier pipeline
    ///   with the same id MUST NOT, although the numbers continue.
    /// - A cursor is the number of a version.
    ///
    /// # Errors
    /// - `NotFound` (`pipeline-not-found`): no pipeline in scope has this id.
    /// - `Conflict` (`tenant-required`): the id is unclear in this scope.
    /// - `Malformed` (`invalid-parameter`): the cursor is no number.
    async fn list_versions(
        &self,
        filter: VersionFilter,
        page: PageRequest,
    ) -> Result<Page<PipelineVersion>>;

    /// Returns the pipeline as of a version, or `None` if the list does not have this version.
    ///
    /// It has the definition and the number of the version, and `updated_at` is the time when it
    /// was saved. All else is as it is now.
    ///
    /// # Errors
    /// The same as [`Versions::list_versions`], apart from the cursor.
    async fn find_version(
        &self,
        filter: VersionFilter,
        version: u32,
    ) -> Result<Option<StoredPipeline>>;
}
