//! Earlier versions of pipelines: rolls a pipeline back, and starts runs on a version.

use super::audit::{Audited, Author, Named};
use super::pipelines::{Precondition, SavedPipeline};
use super::{Engine, Shared};
use crate::error::{Error, Issue, Problem, Result};
use crate::graph::definition;
use crate::model::{AuditAction, Pipeline, StoredPipeline};
use crate::storage::VersionFilter;

impl Engine {
    /// Saves an earlier version of the pipeline with this id or slug as its newest one. The slug
    /// and the token of the webhook stay. The hooks and their secrets are those of the version.
    ///
    /// # Errors
    /// `NotFound` (`pipeline-not-found`), `Invalid` if the version does not exist or is no longer
    /// acceptable, `Conflict` (`managed-by-code`, `precondition-failed`), and any error of storage.
    pub(crate) async fn roll_back_pipeline(
        &self,
        key: &str,
        version: u32,
        precondition: &Precondition,
        author: &Author,
    ) -> Result<SavedPipeline> {
        let (key, precondition) = (key.to_owned(), precondition.clone());
        let scope = author.scope.clone();
        let named = Named::Pipeline(key.clone());
        let audited = Audited::new(AuditAction::PipelineRollback, named, author.clone());
        self.audited(audited, |shared, audited| async move {
            let found = shared.find_pipeline(&key, &scope).await?;
            let expected = precondition.check(&found)?;
            let earlier = shared.find_version(&found, version, "version").await?;
            let pipeline = Pipeline {
                slug: Some(found.slug.as_str().to_owned()),
                webhook_token: found.shown_token(),
                ..(*earlier.definition).clone()
            };
            definition::check(&pipeline, &shared.limits)?;
            shared
                .put_over(&found, (pipeline, expected), &audited)
                .await
        })
        .await
    }
}

impl Shared {
    /// Returns a pipeline as of a version that a field of a request names.
    ///
    /// # Errors
    /// `Invalid` (`invalid-field`), and any error of storage.
    pub(super) async fn find_version(
        &self,
        pipeline: &StoredPipeline,
        version: u32,
        field: &str,
    ) -> Result<StoredPipeline> {
        if version == pipeline.version {
            return Ok(pipeline.clone());
        }
        let mut filter = VersionFilter::new(pipeline.id.clone());
        filter.scope = pipeline.qualified_id().scope();
        let found = self.storage.find_version(filter, version).await?;
        found.ok_or_else(|| {
            let (id, newest) = (&pipeline.id, pipeline.version);
            let detail =
                format!("the pipeline {id} has no version {version}; its newest is {newest}");
            let issues = vec![Issue::pointer(format!("/{field}"), detail)];
            Error::invalid(Problem::InvalidField, issues)
        })
    }
}
