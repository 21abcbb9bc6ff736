//! Versions of pipelines of a storage that fails on cue.
//!
//! How a call fails is left to `faulty_storage`.

use async_trait::async_trait;

use super::{FaultyStorage, Method};
use crate::error::Result;
use crate::model::{Page, PageRequest, PipelineVersion, StoredPipeline};
use crate::storage::{VersionFilter, Versions};

#[async_trait]
impl Versions for FaultyStorage {
    async fn list_versions(
        &self,
        filter: VersionFilter,
        page: PageRequest,
    ) -> Result<Page<PipelineVersion>> {
        self.intercept(Method::ListVersions, self.inner.list_versions(filter, page))
            .await
    }

    async fn find_version(
        &self,
        filter: VersionFilter,
        version: u32,
    ) -> Result<Option<StoredPipeline>> {
        self.intercept(
            Method::FindVersion,
            self.inner.find_version(filter, version),
        )
        .await
    }
}
