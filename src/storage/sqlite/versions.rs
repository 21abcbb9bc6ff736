//! The storage methods of versions. `put_pipeline` writes them.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::Row;
use rusqlite::types::Value;

use super::SqliteStorage;
use super::pages::{Conditions, ListQuery, Window, cursor, wants_total};
use super::reader::Reader;
use super::store_error::StoreError;
use super::values::{optional_time, to_u32};
use crate::error::{Error, Result};
use crate::model::{Page, PageRequest, PipelineVersion, StoredPipeline};
use crate::storage::{VersionFilter, Versions, rules};

/// The versions of the pipeline whose key is the parameter, since it was created.
const LISTED: &str =
    "d.pipeline = ?1 AND d.version >= (SELECT first_version FROM pipelines WHERE key = ?1)";

#[async_trait]
impl Versions for SqliteStorage {
    async fn list_versions(
        &self,
        filter: VersionFilter,
        page: PageRequest,
    ) -> Result<Page<PipelineVersion>> {
        self.read(move |reader| reader.snapshot(|reader| reader.versions(&filter, &page)))
            .await
    }

    async fn find_version(
        &self,
        filter: VersionFilter,
        version: u32,
    ) -> Result<Option<StoredPipeline>> {
        self.read(move |reader| reader.snapshot(|reader| reader.version(&filter, version)))
            .await
    }
}

impl Reader {
    /// Returns the pipeline of a filter and its key.
    fn versioned(&self, filter: &VersionFilter) -> Result<(StoredPipeline, i64), StoreError> {
        let id = &filter.pipeline;
        let found = self.pipeline(id.as_str(), &filter.scope)?;
        let (pipeline, _) = found
            .filter(|(pipeline, _)| pipeline.id == *id)
            .ok_or_else(|| Error::pipeline_not_found(id))?;
        let scope = pipeline.qualified_id().scope();
        let keys = self.pipeline_keys(id, &scope)?;
        let key = keys.one().ok_or_else(|| Error::pipeline_not_found(id))?;
        Ok((pipeline, key))
    }

    fn versions(
        &self,
        filter: &VersionFilter,
        page: &PageRequest,
    ) -> Result<Page<PipelineVersion>, StoreError> {
        let (_, key) = self.versioned(filter)?;
        let mut conditions = Conditions::default();
        conditions.add(LISTED, [Value::Integer(key)]);
        let total = wants_total(page)
            .then(|| self.count("definitions d", &conditions))
            .transpose()?;
        if let Some(text) = cursor(page) {
            let before: u32 = text.parse().map_err(|_| rules::bad_cursor(text))?;
            conditions.add("d.version < ?", [Value::Integer(before.into())]);
        }
        let query = ListQuery {
            what: "a version of a list",
            sql: format!(
                "SELECT d.key, d.version, d.saved_at FROM definitions d{} ORDER BY d.version DESC",
                conditions.sql(),
            ),
            complete: str::to_owned,
            values: conditions.values(),
            window: Window::new(page),
            total,
        };
        let read = |row: &Row<'_>| {
            let version = to_u32(row.get(1)?);
            Ok(PipelineVersion::new(version, optional_time(row.get(2)?)?))
        };
        self.page(&query, read, |version| version.version.to_string())
    }

    fn version(
        &self,
        filter: &VersionFilter,
        version: u32,
    ) -> Result<Option<StoredPipeline>, StoreError> {
        let (current, key) = self.versioned(filter)?;
        let sql = format!(
            "SELECT d.key, d.saved_at FROM definitions d WHERE {LISTED} AND d.version = ?2"
        );
        let found = self.row(&sql, [key, version.into()], |row| {
            Ok((row.get::<_, i64>(0)?, optional_time(row.get(1)?)?))
        })?;
        let Some((key, saved_at)) = found else {
            return Ok(None);
        };
        let definition = self.definitions.find(&self.conn, key)?;
        Ok(Some(StoredPipeline {
            version,
            definition: Arc::clone(&definition.pipeline),
            updated_at: saved_at.unwrap_or(current.updated_at),
            ..current
        }))
    }
}
