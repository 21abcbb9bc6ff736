//! Versions of pipelines: found and listed.
//!
//! `definitions` saves them.

use std::sync::Arc;

use async_trait::async_trait;
use floret::storage::{StoredPipeline, VersionFilter, Versions};
use floret::{Error, PageRequest, PipelineVersion, Result};

use crate::audited::AuditedStorage;
use crate::definitions::find_pipeline;
use crate::pages::{Page, page};
use crate::rows::{Rows, VersionRow};

#[async_trait]
impl Versions for AuditedStorage {
    async fn list_versions(
        &self,
        filter: VersionFilter,
        request: PageRequest,
    ) -> Result<Page<PipelineVersion>> {
        self.read(|rows| {
            let pipeline = versioned(rows, &filter)?;
            let version = |(number, row): (u32, &VersionRow)| {
                (number, PipelineVersion::new(number, Some(row.saved_at)))
            };
            let items = versions(rows, pipeline).map(version).collect();
            page(
                items,
                &request,
                |cursor| cursor.parse().ok(),
                u32::to_string,
            )
        })?
    }

    async fn find_version(
        &self,
        filter: VersionFilter,
        version: u32,
    ) -> Result<Option<StoredPipeline>> {
        self.read(|rows| {
            let current = versioned(rows, &filter)?;
            let mut versions = versions(rows, current);
            let found = versions.find(|(number, _)| *number == version);
            Ok(found.map(|(version, row)| {
                let mut pipeline = current.clone();
                pipeline.version = version;
                pipeline.definition = Arc::clone(&row.definition);
                pipeline.updated_at = row.saved_at;
                pipeline
            }))
        })?
    }
}

fn versioned<'a>(rows: &'a Rows, filter: &VersionFilter) -> Result<&'a StoredPipeline> {
    let found = find_pipeline(rows, filter.pipeline.as_str(), &filter.scope)?;
    let found = found.filter(|found| found.id == filter.pipeline);
    found.ok_or_else(|| Error::pipeline_not_found(&filter.pipeline))
}

/// Returns the versions since a pipeline was created.
fn versions<'a>(
    rows: &'a Rows,
    pipeline: &StoredPipeline,
) -> impl Iterator<Item = (u32, &'a VersionRow)> + use<'a> {
    let own = pipeline.qualified_id();
    let range = (own.clone(), 0)..=(own, u32::MAX);
    let created_at = pipeline.created_at;
    let all = rows.versions.range(range);
    all.filter(move |(_, row)| row.created_at == created_at)
        .map(|((_, number), row)| (*number, row))
}
