//! Saving a definition: what is expected, which slug it gets, which version it becomes.
//!
//! Finding, listing and deleting are left to `pipelines`.

use std::sync::Arc;

use rusqlite::params;

use super::definitions::Definition;
use super::fault::Fault;
use super::rows::{PIPELINE, PIPELINE_FROM, read_pipeline};
use super::state::Known;
use super::tx::Tx;
use super::values::millis;
use crate::error::{Error, Result};
use crate::model::{PipelineId, Slug, StoredPipeline, TenantId};
use crate::storage::{Expect, PutPipeline, SlugChoice, rules};

impl Tx {
    pub(super) fn put_pipeline(
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
        let old = before.as_ref().map(|before| Arc::clone(&before.definition));
        let stored = match before {
            Some(before) if before.slug == slug && before.definition == put.definition => {
                return Ok(before);
            }
            Some(before) => replaced(put, slug, before),
            None => made(put, slug, known.as_deref()),
        };
        let pipeline = known
            .as_ref()
            .map_or(self.state.next_pipeline, |known| known.key);
        let key = self.write_pipeline(&stored, body, pipeline)?;
        self.save_schedule(pipeline, old.as_deref(), &put.definition, put.now)?;
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
    fn write_pipeline(
        &mut self,
        stored: &StoredPipeline,
        body: &str,
        pipeline: i64,
    ) -> Result<i64, Fault> {
        let StoredPipeline {
            id,
            slug,
            tenant,
            version,
            definition,
            created_at,
            updated_at,
        } = stored;
        self.write(
            "INSERT INTO pipelines (key, id, slug, tenant, version, enabled, max_concurrent_runs, created_at, updated_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET slug = excluded.slug, tenant = excluded.tenant, \
             version = excluded.version, enabled = excluded.enabled, max_concurrent_runs = excluded.max_concurrent_runs, \
             created_at = excluded.created_at, updated_at = excluded.updated_at, deleted_at = NULL",
            params![
                pipeline,
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
        self.state.next_pipeline = self.state.next_pipeline.max(pipeline + 1);
        let key = self.state.next_definition;
        self.write(
            "INSERT INTO definitions (key, pipeline, version, body) VALUES (?, ?, ?, ?)",
            params![key, pipeline, version, body],
        )?;
        self.state.next_definition += 1;
        Ok(key)
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
