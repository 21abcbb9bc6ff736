//! The storage methods of pipelines: finds, lists and deletes them.
//!
//! A deleted pipeline keeps its row without a slug, because its runs refer to it and its versions
//! continue. `put_pipeline` saves a pipeline.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::types::Value;
use rusqlite::{Row, params};

use super::SqliteStorage;
use super::definitions::Definition;
use super::pages::{Conditions, ListQuery, Window, cursor, wants_total};
use super::reader::Reader;
use super::rows::{PIPELINE, PIPELINE_FROM, read_pipeline};
use super::store_error::StoreError;
use super::tx::Tx;
use super::values::{millis, text, to_u64};
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::model::{Page, PageRequest, Scope, StoredPipeline};
use crate::storage::{DeletePipeline, PipelineFilter, Pipelines, PutPipeline, rules};

#[async_trait]
impl Pipelines for SqliteStorage {
    async fn put_pipeline(&self, put: PutPipeline) -> Result<StoredPipeline> {
        let body = text(&*put.definition)?;
        // Callers validate the definition as well. A stored definition without a valid graph would
        // make its runs unreadable.
        let graph = Graph::new(&put.definition)?;
        let definition = Arc::new(Definition {
            pipeline: Arc::clone(&put.definition),
            graph,
        });
        self.step(move |tx| tx.put_pipeline(&put, &body, &definition))
            .await
    }

    async fn find_pipeline(&self, key: &str, scope: &Scope) -> Result<Option<StoredPipeline>> {
        let (key, scope) = (key.to_owned(), scope.clone());
        self.read(move |reader| {
            reader.snapshot(|reader| match reader.pipeline("id", &key, &scope)? {
                Some(found) => Ok(Some(found)),
                None => reader.pipeline("slug", &key, &scope),
            })
        })
        .await
    }

    async fn list_pipelines(
        &self,
        filter: PipelineFilter,
        page: PageRequest,
    ) -> Result<Page<StoredPipeline>> {
        self.read(move |reader| reader.snapshot(|reader| reader.pipelines(&filter, &page)))
            .await
    }

    async fn delete_pipeline(&self, delete: DeletePipeline) -> Result<()> {
        self.step(move |tx| tx.delete_pipeline(&delete)).await
    }
}

impl Reader {
    fn pipeline(
        &self,
        column: &str,
        key: &str,
        scope: &Scope,
    ) -> Result<Option<StoredPipeline>, StoreError> {
        let sql = format!(
            "SELECT {PIPELINE} FROM {PIPELINE_FROM} WHERE p.{column} = ? AND p.slug IS NOT NULL"
        );
        let Some((row, definition)) = self.row(&sql, [key], read_pipeline)? else {
            return Ok(None);
        };
        if !scope.admits(row.tenant.as_ref()) {
            return Ok(None);
        }
        row.with_definition(definition, &self.definitions, &self.conn)
            .map(Some)
    }

    fn pipelines(
        &self,
        filter: &PipelineFilter,
        page: &PageRequest,
    ) -> Result<Page<StoredPipeline>, StoreError> {
        let mut conditions = conditions(filter);
        let total = wants_total(page)
            .then(|| self.count_pipelines(&conditions))
            .transpose()?;
        if let Some(cursor) = cursor(page) {
            let (created_at, id) = self.pipeline_cursor(cursor, &filter.scope)?;
            conditions.add(
                "(p.created_at, p.id) < (?, ?)",
                [Value::Integer(created_at), Value::Text(id)],
            );
        }
        let sql = format!(
            "SELECT {PIPELINE} FROM {PIPELINE_FROM}{} ORDER BY p.created_at DESC, p.id DESC",
            conditions.sql(),
        );
        let query = ListQuery {
            what: "a pipeline of a list",
            sql,
            values: conditions.values(),
            window: Window::new(page),
            total,
        };
        let read = |row: &Row<'_>| {
            let (row, definition) = read_pipeline(row)?;
            row.with_definition(definition, &self.definitions, &self.conn)
        };
        self.page(&query, read, |item| item.id.to_string())
    }

    fn count_pipelines(&self, conditions: &Conditions) -> Result<u64, StoreError> {
        let sql = format!("SELECT count(*) FROM {PIPELINE_FROM}{}", conditions.sql());
        let values = rusqlite::params_from_iter(conditions.values());
        let count = self.row(&sql, values, |row| Ok(row.get(0)?))?;
        Ok(count.map_or(0, to_u64))
    }

    /// Returns the sort key of a cursor. A deleted pipeline is still a valid cursor.
    fn pipeline_cursor(&self, cursor: &str, scope: &Scope) -> Result<(i64, String), StoreError> {
        let found = self.row(
            "SELECT created_at, id, tenant FROM pipelines WHERE id = ?",
            [cursor],
            |row| {
                Ok((
                    row.get(0)?,
                    row.get(1)?,
                    super::values::tenant(row.get(2)?)?,
                ))
            },
        )?;
        found
            .filter(|(_, _, tenant)| scope.admits(tenant.as_ref()))
            .map(|(created_at, id, _)| (created_at, id))
            .ok_or_else(|| rules::bad_cursor(cursor).into())
    }
}

fn conditions(filter: &PipelineFilter) -> Conditions {
    let PipelineFilter {
        scope,
        tag,
        enabled,
    } = filter;
    let mut conditions = Conditions::default();
    conditions.add("p.slug IS NOT NULL", []);
    if let Some(tenant) = scope.tenant() {
        conditions.add("p.tenant = ?", [Value::Text(tenant.to_string())]);
    }
    if let Some(tag) = tag {
        conditions.add(
            // A damaged body has no tags, and must not fail the query.
            "CASE WHEN json_valid(d.body) THEN EXISTS (SELECT 1 FROM json_each(d.body, '$.tags') WHERE value = ?) END",
            [Value::Text(tag.clone())],
        );
    }
    if let Some(enabled) = enabled {
        conditions.add("p.enabled = ?", [Value::Integer(i64::from(*enabled))]);
    }
    conditions
}

impl Tx {
    fn delete_pipeline(&mut self, delete: &DeletePipeline) -> Result<(), StoreError> {
        let DeletePipeline {
            id,
            version,
            scope,
            now,
        } = delete;
        let pipeline = self
            .state
            .pipeline(&self.conn, id)?
            .filter(|pipeline| !pipeline.is_deleted && scope.admits(pipeline.tenant.as_ref()))
            .ok_or_else(|| Error::pipeline_not_found(id))?;
        if version.is_some_and(|expected| expected != pipeline.version) {
            return Err(rules::precondition_failed(id, pipeline.version).into());
        }
        if self.state.lanes.pending_in_pipeline(pipeline.key)
            + self.state.running_in_pipeline(pipeline.key)
            > 0
        {
            return Err(rules::pipeline_active(id).into());
        }
        self.write(
            "UPDATE pipelines SET slug = NULL, deleted_at = ? WHERE key = ?",
            params![millis(*now), pipeline.key],
        )?;
        self.write(
            "DELETE FROM idempotency WHERE pipeline = ? AND resumed IS NULL AND backfill IS NULL",
            [pipeline.key],
        )?;
        self.write(
            "DELETE FROM idempotency WHERE pipeline = ? AND backfill IS NOT NULL",
            [pipeline.key],
        )?;
        self.write(
            "DELETE FROM idempotency WHERE pipeline = ? AND resumed IS NOT NULL",
            [pipeline.key],
        )?;
        self.remove_schedule(pipeline.key)?;
        self.state.forget_pipeline(id);
        Ok(())
    }
}
