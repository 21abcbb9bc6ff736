//! The storage methods of pipelines: finds, lists and deletes them.
//!
//! A deleted pipeline keeps its row without a slug, because its runs refer to it and its versions
//! continue. `put_pipeline` saves a pipeline, and `pipeline_search` lists those with a text.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use rusqlite::types::Value;
use rusqlite::{Row, params};

use super::SqliteStorage;
use super::cached_pipelines::CachedPipeline;
use super::definitions::Definition;
use super::named_lists::list_order;
use super::naming::NamedQuery;
use super::pages::{Conditions, ListQuery, Window, cursor, wants_total};
use super::reader::Reader;
use super::rows::{PIPELINE, PIPELINE_FROM, read_pipeline};
use super::searched_pipelines::PipelineChange;
use super::store_error::StoreError;
use super::tx::Tx;
use super::values::{millis, text};
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::model::{Managed, Page, PageRequest, PipelineId, Scope, StoredPipeline};
use crate::storage::{DeletePipeline, PipelineFilter, Pipelines, PutPipeline, SetPause, rules};

#[async_trait]
impl Pipelines for SqliteStorage {
    async fn put_pipeline(&self, put: PutPipeline) -> Result<StoredPipeline> {
        let body = text(&*put.definition)?;
        // Callers validate the definition as well. A stored definition without a valid graph would
        // make its runs unreadable.
        let graph = Arc::new(Graph::new(&put.definition)?);
        let definition = Arc::new(Definition {
            pipeline: Arc::clone(&put.definition),
            graph,
            bytes: body.len() as u64,
        });
        self.step(move |tx| {
            let stored = tx.put_pipeline(&put, &body, &definition)?;
            tx.audit(put.audit.as_ref(), stored.tenant.as_ref())?;
            Ok(stored)
        })
        .await
    }

    async fn find_pipeline(&self, key: &str, scope: &Scope) -> Result<Option<StoredPipeline>> {
        let found = Arc::clone(&self.0.published.found_pipelines);
        if let Some(pipeline) = found.find(key, scope)
            && !self.0.is_closing.load(Ordering::Acquire)
        {
            return Ok(Some(pipeline));
        }
        let name = (key.to_owned(), scope.clone());
        self.read(move |reader| {
            let start = found.start_read();
            let read = reader.snapshot(|reader| reader.pipeline(&name.0, &name.1))?;
            Ok(read.map(|(pipeline, definition)| {
                found.add(start, name, &pipeline, &definition);
                pipeline
            }))
        })
        .await
    }

    async fn list_pipelines(
        &self,
        filter: PipelineFilter,
        page: PageRequest,
    ) -> Result<Page<StoredPipeline>> {
        let published = Arc::clone(&self.0.published);
        self.read(move |reader| match &filter.text {
            None => reader.snapshot(|reader| reader.pipelines(&filter, &page)),
            Some(text) => {
                let cache = &published.search_cache;
                reader.search_pipelines(cache, (text, &filter), &page)
            }
        })
        .await
    }

    async fn set_pause(&self, request: SetPause) -> Result<StoredPipeline> {
        self.step(move |tx| {
            let stored = tx.set_pause(&request)?;
            tx.audit(request.audit.as_ref(), stored.tenant.as_ref())?;
            Ok(stored)
        })
        .await
    }

    async fn delete_pipeline(&self, delete: DeletePipeline) -> Result<()> {
        self.step(move |tx| tx.delete_pipeline(&delete)).await
    }
}

impl Reader {
    pub(super) fn pipeline(
        &self,
        key: &str,
        scope: &Scope,
    ) -> Result<Option<(StoredPipeline, Arc<Definition>)>, StoreError> {
        let query = |condition| NamedQuery {
            what: "a pipeline",
            sql: format!("SELECT {PIPELINE} FROM {PIPELINE_FROM} WHERE {condition}"),
            tenant: 2,
            name: key,
        };
        let by_id = query("p.id = ? AND slug IS NOT NULL");
        // A tenant has at most one: no slug is the id of another pipeline of the same tenant.
        let by_slug = query("p.slug = ?");
        let from = (&self.conn, &*self.unreadable);
        let found = by_id.rows(from, scope, read_pipeline)?;
        let found = found.and(by_slug.rows(from, scope, read_pipeline)?);
        let Some((_, found)) = found.choose(&by_id, scope)? else {
            return Ok(None);
        };
        let (row, definition) = found?;
        let definition = self.definitions.find(&self.conn, definition)?;
        Ok(Some((row.with_definition(&definition), definition)))
    }

    pub(super) fn pipelines(
        &self,
        filter: &PipelineFilter,
        page: &PageRequest,
    ) -> Result<Page<StoredPipeline>, StoreError> {
        let mut conditions = conditions(filter);
        let total = wants_total(page)
            .then(|| self.count(PIPELINE_FROM, &conditions))
            .transpose()?;
        if let Some(cursor) = cursor(page) {
            let after = self.named_cursor::<PipelineId>("pipelines", cursor, &filter.scope)?;
            conditions.add_after(after, &filter.scope);
        }
        let sql = format!(
            "SELECT {PIPELINE} FROM {PIPELINE_FROM}{}{}",
            conditions.sql(),
            list_order(&filter.scope),
        );
        let query = ListQuery {
            what: "a pipeline of a list",
            sql,
            complete: str::to_owned,
            values: conditions.values(),
            window: Window::new(page),
            total,
        };
        let read = |row: &Row<'_>| self.listed_pipeline(row);
        self.page(&query, read, |item| item.qualified_id().to_string())
    }

    /// Reads a pipeline with its definition from the columns [`PIPELINE`].
    pub(super) fn listed_pipeline(&self, row: &Row<'_>) -> Result<StoredPipeline, StoreError> {
        let (row, definition) = read_pipeline(row)?;
        let definition = self.definitions.find(&self.conn, definition)?;
        Ok(row.with_definition(&definition))
    }
}

fn conditions(filter: &PipelineFilter) -> Conditions {
    let PipelineFilter {
        scope,
        tag,
        enabled,
        managed,
        // `pipeline_search` has the lists by text.
        text: _,
    } = filter;
    let mut conditions = Conditions::default();
    conditions.add("p.slug IS NOT NULL", []);
    conditions.add_scope("p.tenant", scope);
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
    match managed {
        Some(Managed::Code) => conditions.add("p.code_version IS NOT NULL", []),
        Some(Managed::Api) => conditions.add("p.code_version IS NULL", []),
        None => {}
    }
    conditions
}

impl Tx {
    /// Returns the pipeline that an id stands for within a scope.
    pub(super) fn visible_pipeline(
        &mut self,
        id: &PipelineId,
        scope: &Scope,
    ) -> Result<Arc<CachedPipeline>, StoreError> {
        let live = self.live_pipelines(id, scope)?;
        let chosen = scope.choose(id, live, |pipeline| pipeline.tenant.as_ref())?;
        chosen.ok_or_else(|| Error::pipeline_not_found(id).into())
    }

    /// Returns the pipelines that an id may stand for within a scope.
    pub(super) fn live_pipelines(
        &mut self,
        id: &PipelineId,
        scope: &Scope,
    ) -> Result<Vec<Arc<CachedPipeline>>, StoreError> {
        let from = (&self.conn, &*self.unreadable);
        self.state.pipelines.live(from, id, scope)
    }

    pub(super) fn delete_pipeline(&mut self, delete: &DeletePipeline) -> Result<(), StoreError> {
        let DeletePipeline {
            id,
            version,
            scope,
            now,
            audit,
        } = delete;
        let pipeline = self.visible_pipeline(id, scope)?;
        rules::check_version(id, *version, pipeline.version)?;
        if self.state.lanes.pending_in_pipeline(pipeline.key)
            + self.state.running_in_pipeline(pipeline.key)
            > 0
        {
            return Err(rules::pipeline_active(id).into());
        }
        self.write(
            "UPDATE pipelines SET slug = NULL, code_version = NULL, paused_at = NULL, paused_by = NULL, \
             pause_reason = NULL, webhook_token = NULL, webhook_token_by_code = NULL, deleted_at = ? WHERE key = ?",
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
        self.remove_dependencies(pipeline.key, &pipeline.qualified_id())?;
        let change = PipelineChange::Removed(pipeline.key);
        self.state.pipelines.note(change);
        self.audit(audit.as_ref(), pipeline.tenant.as_ref())
    }
}
