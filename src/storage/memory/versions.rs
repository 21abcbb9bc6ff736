//! The versions of pipelines: list and find.

use std::sync::Arc;

use async_trait::async_trait;

use super::pages::{cursor, cut_page};
use super::state::State;
use super::{MemoryStorage, rules};
use crate::error::{Error, Result};
use crate::model::{Page, PageRequest, PipelineVersion, StoredPipeline};
use crate::storage::{VersionFilter, Versions};

impl State {
    fn versioned(&self, filter: &VersionFilter) -> Result<&StoredPipeline> {
        let found = self.pipelines.named(&filter.pipeline, &filter.scope)?;
        found.ok_or_else(|| Error::pipeline_not_found(&filter.pipeline))
    }

    fn list_versions(
        &self,
        filter: &VersionFilter,
        page: &PageRequest,
    ) -> Result<Page<PipelineVersion>> {
        let pipeline = self.versioned(filter)?.qualified_id();
        let before: Option<u32> = match cursor(page) {
            None => None,
            Some(text) => Some(text.parse().map_err(|_| rules::bad_cursor(text))?),
        };
        let all = || self.pipelines.versions(&pipeline);
        let rows = all()
            .filter(|(number, _)| before.is_none_or(|before| *number < before))
            .map(|(number, row)| (number, PipelineVersion::new(number, Some(row.created_at))));
        let total = || all().count() as u64;
        Ok(cut_page(page, total, rows))
    }

    fn find_version(&self, filter: &VersionFilter, version: u32) -> Result<Option<StoredPipeline>> {
        let current = self.versioned(filter)?;
        let own = current.qualified_id();
        let mut versions = self.pipelines.versions(&own);
        let found = versions.find(|(number, _)| *number == version);
        Ok(found.map(|(version, row)| StoredPipeline {
            version,
            definition: Arc::clone(&row.version.definition),
            updated_at: row.created_at,
            ..current.clone()
        }))
    }
}

#[async_trait]
impl Versions for MemoryStorage {
    async fn list_versions(
        &self,
        filter: VersionFilter,
        page: PageRequest,
    ) -> Result<Page<PipelineVersion>> {
        self.state()?.list_versions(&filter, &page)
    }

    async fn find_version(
        &self,
        filter: VersionFilter,
        version: u32,
    ) -> Result<Option<StoredPipeline>> {
        self.state()?.find_version(&filter, version)
    }
}
