//! Definitions of pipelines: put, find, list, delete.
//!
//! A deleted pipeline leaves its row, without slug, so that its runs keep their pipeline and its versions go on.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rusqlite::params;
use rusqlite::types::Value;

use super::SqliteStorage;
use super::fault::Fault;
use super::graphs::Definition;
use super::inbox::Lane;
use super::pages::{Conditions, Window, cursor, wants_total};
use super::reader::Reader;
use super::rows::{PIPELINE, PIPELINE_FROM, read_pipeline, text};
use super::state::Known;
use super::tx::Tx;
use super::values::{millis, uint};
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::model::{Page, PageRequest, PipelineId, Scope, Slug, StoredPipeline, TenantId};
use crate::storage::{Expect, PipelineFilter, Pipelines, PutPipeline, SlugChoice, rules};

#[async_trait]
impl Pipelines for SqliteStorage {
    async fn put_pipeline(&self, put: PutPipeline) -> Result<StoredPipeline> {
        let body = text(&*put.definition)?;
        // One that makes no graph is refused though it was checked above: no run of it could be read.
        let graph = Graph::new(&put.definition)?;
        let definition = Arc::new(Definition {
            pipeline: Arc::clone(&put.definition),
            graph,
        });
        self.step(Lane::Normal, move |tx| {
            tx.put_pipeline(&put, &body, &definition)
        })
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

    async fn delete_pipeline(
        &self,
        id: &PipelineId,
        scope: &Scope,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let (id, scope) = (id.clone(), scope.clone());
        self.step(Lane::Normal, move |tx| tx.delete_pipeline(&id, &scope, now))
            .await
    }
}

impl Reader {
    fn pipeline(
        &self,
        column: &str,
        key: &str,
        scope: &Scope,
    ) -> Result<Option<StoredPipeline>, Fault> {
        let sql = format!(
            "SELECT {PIPELINE} FROM {PIPELINE_FROM} WHERE p.{column} = ? AND p.slug IS NOT NULL"
        );
        let Some((row, definition)) = self.row(&sql, [key], read_pipeline)? else {
            return Ok(None);
        };
        if !scope.admits(row.tenant.as_ref()) {
            return Ok(None);
        }
        row.with(definition, &self.definitions, &self.conn)
            .map(Some)
    }

    fn pipelines(
        &self,
        filter: &PipelineFilter,
        page: &PageRequest,
    ) -> Result<Page<StoredPipeline>, Fault> {
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
        let window = Window::new(page);
        let sql = format!(
            "SELECT {PIPELINE} FROM {PIPELINE_FROM}{} ORDER BY p.created_at DESC, p.id DESC LIMIT {} OFFSET {}",
            conditions.sql(),
            window.read_count(),
            window.skip,
        );
        let rows = self.rows(
            &sql,
            rusqlite::params_from_iter(conditions.values()),
            read_pipeline,
        )?;
        let items = rows
            .into_iter()
            .map(|(row, definition)| row.with(definition, &self.definitions, &self.conn))
            .collect::<Result<_, _>>()?;
        Ok(window.cut(items, total, |item: &StoredPipeline| item.id.to_string()))
    }

    fn count_pipelines(&self, conditions: &Conditions) -> Result<u64, Fault> {
        let sql = format!("SELECT count(*) FROM {PIPELINE_FROM}{}", conditions.sql());
        let values = rusqlite::params_from_iter(conditions.values());
        let count = self.row(&sql, values, |row| Ok(row.get(0)?))?;
        Ok(count.map_or(0, uint))
    }

    /// Where a cursor stands in the order; a deleted pipeline still has its place.
    fn pipeline_cursor(&self, cursor: &str, scope: &Scope) -> Result<(i64, String), Fault> {
        let found = self.row(
            "SELECT created_at, id, tenant FROM pipelines WHERE id = ?",
            [cursor],
            |row| Ok((row.get(0)?, row.get(1)?, super::rows::tenant(row.get(2)?)?)),
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
            "EXISTS (SELECT 1 FROM json_each(d.body, '$.tags') WHERE value = ?)",
            [Value::Text(tag.clone())],
        );
    }
    if let Some(enabled) = enabled {
        conditions.add("p.enabled = ?", [Value::Integer(i64::from(*enabled))]);
    }
    conditions
}

impl Tx {
    fn put_pipeline(
        &mut self,
        put: &PutPipeline,
        body: &str,
        definition: &Arc<Definition>,
    ) -> Result<StoredPipeline, Fault> {
        let known = self.state.pipeline(&self.conn, &put.id)?;
        let live = known.as_deref().filter(|known| !known.is_deleted);
        let seen = live.filter(|known| put.scope.admits(known.tenant.as_ref()));
        check_expected(put, live, seen)?;
        let before = seen.map(|_| self.stored_pipeline(&put.id)).transpose()?;
        if before.is_none() && self.is_slug_of_another(put.id.as_str(), &put.id)? {
            return Err(rules::already_exists(&put.id).into());
        }
        let slug = self.choose_slug(put, before.as_ref())?;
        let stored = match before {
            Some(before) if before.slug == slug && before.definition == put.definition => {
                return Ok(before);
            }
            Some(before) => replaced(put, slug, before),
            None => made(put, slug, known.as_deref()),
        };
        let key = self.write_pipeline(&stored, body)?;
        self.state.definitions.hold(key, Arc::clone(definition));
        Ok(stored)
    }

    fn stored_pipeline(&self, id: &PipelineId) -> Result<StoredPipeline, Fault> {
        let sql = format!("SELECT {PIPELINE} FROM {PIPELINE_FROM} WHERE p.id = ?");
        let (row, definition) = self
            .row(&sql, [id.as_str()], read_pipeline)?
            .ok_or_else(|| Fault::unreadable("a pipeline", "it is missing"))?;
        row.with(definition, &self.state.definitions, &self.conn)
    }

    fn choose_slug(
        &self,
        put: &PutPipeline,
        before: Option<&StoredPipeline>,
    ) -> Result<Slug, Fault> {
        match &put.slug {
            SlugChoice::Given(slug) if self.is_taken(slug, &put.id)? => {
                Err(rules::already_exists(slug).into())
            }
            SlugChoice::Given(slug) => Ok(slug.clone()),
            SlugChoice::Derived(base) => {
                let kept = before.map(|before| &before.slug);
                if let Some(kept) = kept.filter(|slug| rules::is_derived_from(slug, base)) {
                    return Ok(kept.clone());
                }
                self.first_free(base, &put.id)
            }
        }
    }

    fn first_free(&self, base: &Slug, own: &PipelineId) -> Result<Slug, Fault> {
        let mut number = 1;
        loop {
            let slug = rules::numbered(base, number);
            if !self.is_taken(&slug, own)? {
                return Ok(slug);
            }
            number += 1;
        }
    }

    /// Whether another pipeline has it as its slug or its id.
    fn is_taken(&self, slug: &Slug, own: &PipelineId) -> Result<bool, Fault> {
        let is_id = self.row(
            "SELECT 1 FROM pipelines WHERE id = ? AND id <> ? AND slug IS NOT NULL",
            [slug.as_str(), own.as_str()],
            |_| Ok(()),
        )?;
        Ok(is_id.is_some() || self.is_slug_of_another(slug.as_str(), own)?)
    }

    fn is_slug_of_another(&self, text: &str, own: &PipelineId) -> Result<bool, Fault> {
        let sql = "SELECT 1 FROM pipelines WHERE slug = ? AND id <> ?";
        let found = self.row(sql, [text, own.as_str()], |_| Ok(()))?;
        Ok(found.is_some())
    }

    /// Writes a version of a pipeline and answers the key of its definition.
    fn write_pipeline(&mut self, stored: &StoredPipeline, body: &str) -> Result<i64, Fault> {
        let StoredPipeline {
            id,
            slug,
            tenant,
            version,
            definition,
            created_at,
            updated_at,
        } = stored;
        let key = self.state.next_pipeline;
        self.write(
            "INSERT INTO pipelines (key, id, slug, tenant, version, enabled, max_concurrent_runs, created_at, updated_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET slug = excluded.slug, tenant = excluded.tenant, \
             version = excluded.version, enabled = excluded.enabled, max_concurrent_runs = excluded.max_concurrent_runs, \
             created_at = excluded.created_at, updated_at = excluded.updated_at, deleted_at = NULL",
            params![
                key,
                id.as_str(),
                slug.as_str(),
                tenant.as_ref().map(TenantId::as_str),
                version,
                definition.enabled,
                definition.max_concurrent_runs,
                millis(*created_at),
                millis(*updated_at),
            ],
        )?;
        self.state.forget(id);
        let known = self
            .state
            .pipeline(&self.conn, id)?
            .ok_or_else(|| Fault::unreadable("a pipeline", "it is missing"))?;
        self.state.next_pipeline = self.state.next_pipeline.max(known.key + 1);
        let key = self.state.next_definition;
        self.write(
            "INSERT INTO definitions (key, pipeline, version, body) VALUES (?, ?, ?, ?)",
            params![key, known.key, version, body],
        )?;
        self.state.next_definition += 1;
        Ok(key)
    }

    fn delete_pipeline(
        &mut self,
        id: &PipelineId,
        scope: &Scope,
        now: DateTime<Utc>,
    ) -> Result<(), Fault> {
        let known = self
            .state
            .pipeline(&self.conn, id)?
            .filter(|known| !known.is_deleted && scope.admits(known.tenant.as_ref()))
            .ok_or_else(|| Error::pipeline_not_found(id))?;
        if self.state.lanes.of_pipeline(known.key) + self.state.running_of(known.key) > 0 {
            return Err(rules::pipeline_active(id).into());
        }
        self.write(
            "UPDATE pipelines SET slug = NULL, deleted_at = ? WHERE key = ?",
            params![millis(now), known.key],
        )?;
        self.write(
            "DELETE FROM idempotency WHERE pipeline = ? AND resumed IS NULL",
            [known.key],
        )?;
        self.write(
            "DELETE FROM idempotency WHERE pipeline = ? AND resumed IS NOT NULL",
            [known.key],
        )?;
        self.state.forget(id);
        Ok(())
    }
}

fn replaced(put: &PutPipeline, slug: Slug, before: StoredPipeline) -> StoredPipeline {
    StoredPipeline {
        slug,
        version: before.version + 1,
        definition: Arc::clone(&put.definition),
        updated_at: put.now,
        ..before
    }
}

/// A pipeline that is there for the first time, or again: its versions go on.
fn made(put: &PutPipeline, slug: Slug, deleted: Option<&Known>) -> StoredPipeline {
    let definition = Arc::clone(&put.definition);
    let mut stored = StoredPipeline::new(put.id.clone(), slug, definition, put.now);
    stored.tenant = put.scope.tenant().cloned();
    stored.version = deleted.map_or(1, |known| known.version + 1);
    stored
}

/// What the save expects against what is there (`live`) and what of it the caller sees (`seen`).
fn check_expected(
    put: &PutPipeline,
    live: Option<&Known>,
    seen: Option<&Known>,
) -> Result<(), Error> {
    match (put.expect, seen) {
        (Expect::Absent, _) if live.is_some() => Err(rules::already_exists(&put.id)),
        (Expect::Any, None) if live.is_some() => Err(rules::already_exists(&put.id)),
        (Expect::Present | Expect::Version(_), None) => Err(Error::pipeline_not_found(&put.id)),
        (Expect::Version(version), Some(known)) if known.version != version => {
            Err(rules::precondition_failed(&put.id, known.version))
        }
        (Expect::Absent | Expect::Any | Expect::Present | Expect::Version(_), _) => Ok(()),
    }
}
