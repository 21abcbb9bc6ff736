//! Saves a definition: checks the expectation and writes the next version.
//!
//! `pipelines` finds, lists and deletes pipelines, and `schedules` handles schedules.

use std::sync::Arc;

use rusqlite::params;

use super::cached_pipelines::CachedPipeline;
use super::code_saves::CodeSave;
use super::definitions::Definition;
use super::rows::{PIPELINE, PIPELINE_FROM, read_pipeline};
use super::searched_pipelines::{PipelineChange, SearchedPipeline};
use super::store_error::StoreError;
use super::tx::Tx;
use super::values::{NUMBERS_END, millis, text, to_u32};
use crate::error::{Error, Result};
use crate::model::{PipelineId, Qualified, Slug, StoredPipeline, TenantId};
use crate::storage::{Expect, PutPipeline, rules};

impl Tx {
    pub(super) fn put_pipeline(
        &mut self,
        put: &PutPipeline,
        body: &str,
        definition: &Arc<Definition>,
    ) -> Result<StoredPipeline, StoreError> {
        let (own, cached) = self.saved_pipeline(put)?;
        let visible = cached.as_deref().filter(|cached| !cached.is_deleted);
        check_expected(put, visible)?;
        let before = self.pipeline_before(&own, visible)?;
        let pipeline = cached
            .as_ref()
            .map_or(self.state.next_pipeline, |cached| cached.key);
        let by_code = self.code_save(visible)?;
        let kept = self.kept_edit(put, (pipeline, before.as_ref()), by_code)?;
        let slug = match (&kept, &before) {
            (Some(_), Some(before)) => before.slug.clone(),
            (Some(_) | None, _) => self.choose_slug(put, &own, before.as_ref())?,
        };
        let old = before.as_ref().map(|before| Arc::clone(&before.definition));
        let enabled = rules::Enabled::after_save(
            put.saved_by,
            put.definition.enabled,
            by_code.map(|it| it.enabled),
        );
        let code_before = by_code.and_then(|it| it.version);
        let managed = rules::managed_after(put.saved_by, code_before);
        let tokens = by_code.map(|it| it.tokens).unwrap_or_default();
        let tokens = tokens.after_save(put.saved_by, put.webhook_token);
        let code_save = |version| CodeSave {
            enabled,
            tokens,
            version: rules::code_version_after(put.saved_by, version, code_before, kept.is_some()),
        };
        let definition = kept.as_ref().unwrap_or(definition);
        let changed = changed_definition(enabled, definition)?;
        let (body, definition) = match &changed {
            Some((body, definition)) => (body.as_str(), definition),
            None => (body, definition),
        };
        self.check_dependencies(put.saved_by, &own, &definition.pipeline)?;
        let stored = match before {
            Some(before)
                if before.slug == slug
                    && before.definition == definition.pipeline
                    && before.managed == managed
                    && before.webhook_token == tokens.current =>
            {
                self.note_code(pipeline, code_save(before.version))?;
                self.save_dependencies(pipeline, &own, &definition.pipeline)?;
                return Ok(before);
            }
            Some(before) => StoredPipeline {
                managed,
                webhook_token: tokens.current,
                ..replaced(put, slug, before, definition)
            },
            None => StoredPipeline {
                tenant: own.tenant.clone(),
                version: self.version_after(visible, cached.as_deref())?,
                managed,
                webhook_token: tokens.current,
                ..StoredPipeline::new(
                    own.id.clone(),
                    slug,
                    Arc::clone(&definition.pipeline),
                    put.now,
                )
            },
        };
        let key = self.write_pipeline(&stored, body, pipeline)?;
        self.note_code(pipeline, code_save(stored.version))?;
        self.save_schedule(pipeline, old.as_deref(), &definition.pipeline, put.now)?;
        self.save_dependencies(pipeline, &own, &definition.pipeline)?;
        self.state.definitions.insert(key, Arc::clone(definition));
        Ok(stored)
    }

    /// Returns the pipeline that a save replaces. `None` if there is none or it cannot be read,
    /// which the save repairs.
    fn pipeline_before(
        &mut self,
        own: &Qualified<PipelineId>,
        visible: Option<&CachedPipeline>,
    ) -> Result<Option<StoredPipeline>, StoreError> {
        let stored = visible.map(|cached| self.stored_pipeline(cached.key));
        let before = match stored {
            Some(stored) => self.unreadable.skip("a pipeline", &own.id, stored)?,
            None => None,
        };
        if before.is_none() && self.is_slug_of_another(own.id.as_str(), own)? {
            return Err(rules::already_exists(&own.id).into());
        }
        Ok(before)
    }

    /// Returns the version that a pipeline gets where there is none before, or none that can be
    /// read.
    fn version_after(
        &self,
        visible: Option<&CachedPipeline>,
        cached: Option<&CachedPipeline>,
    ) -> Result<u32, StoreError> {
        match (visible, cached) {
            (Some(unreadable), _) => self.next_version(unreadable.key),
            // The versions of a deleted pipeline continue.
            (None, Some(deleted)) => Ok(deleted.version.saturating_add(1)),
            (None, None) => Ok(1),
        }
    }

    /// Returns the id and the tenant of the pipeline that a save creates or replaces, and its row.
    fn saved_pipeline(
        &mut self,
        put: &PutPipeline,
    ) -> Result<(Qualified<PipelineId>, Option<Arc<CachedPipeline>>), StoreError> {
        let live = self.live_pipelines(&put.id, &put.scope)?;
        let tenants = live.iter().map(|pipeline| pipeline.tenant.clone());
        let tenant = rules::saved_tenant(put.expect, &put.scope, &put.id, tenants)?;
        let own = Qualified::new(put.id.clone(), tenant);
        let cached = match self.state.pipelines.find(&self.conn, &own)? {
            None if put.expect != Expect::Absent => live
                .into_iter()
                .find(|pipeline| pipeline.is_tenant_unreadable),
            found => found,
        };
        Ok((own, cached))
    }

    pub(super) fn stored_pipeline(&self, key: i64) -> Result<StoredPipeline, StoreError> {
        let sql = format!("SELECT {PIPELINE} FROM {PIPELINE_FROM} WHERE p.key = ?");
        let (row, definition) = self
            .row(&sql, [key], read_pipeline)?
            .ok_or_else(|| StoreError::unreadable("a pipeline", "it is missing"))?;
        let definition = self.state.definitions.find(&self.conn, definition)?;
        Ok(row.with_definition(&definition))
    }

    /// Returns the version after the greatest stored one, whatever the row of the pipeline says.
    fn next_version(&self, pipeline: i64) -> Result<u32, StoreError> {
        let greatest = self.row(
            "SELECT max(version) FROM definitions WHERE pipeline = ? AND version < ?",
            params![pipeline, u32::MAX],
            |row| Ok(row.get::<_, Option<i64>>(0)?),
        )?;
        Ok(to_u32(greatest.flatten().unwrap_or(0)).saturating_add(1))
    }

    /// Writes a version of a pipeline. Returns the key of its definition.
    fn write_pipeline(
        &mut self,
        stored: &StoredPipeline,
        body: &str,
        pipeline: i64,
    ) -> Result<i64, StoreError> {
        let StoredPipeline {
            id,
            slug,
            tenant,
            version,
            definition,
            managed: _,
            paused: _,
            webhook_token,
            created_at,
            updated_at,
        } = stored;
        self.write(
            "INSERT INTO pipelines (key, id, slug, tenant, version, enabled, max_concurrent_runs, webhook_token, created_at, updated_at, first_version) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?5) ON CONFLICT (key) DO UPDATE SET slug = excluded.slug, tenant = excluded.tenant, \
             version = excluded.version, enabled = excluded.enabled, max_concurrent_runs = excluded.max_concurrent_runs, webhook_token = excluded.webhook_token, \
             first_version = iif(deleted_at IS NULL, first_version, excluded.version), \
             created_at = excluded.created_at, updated_at = excluded.updated_at, deleted_at = NULL",
            params![
                pipeline,
                id.as_str(),
                slug.as_str(),
                tenant.as_ref().map(TenantId::as_str),
                version,
                definition.enabled,
                definition.max_concurrent_runs,
                webhook_token.map(|hash| *hash.as_bytes()),
                millis(*created_at),
                millis(*updated_at),
            ],
        )?;
        let saved = SearchedPipeline::new(pipeline, stored);
        self.state.pipelines.note(PipelineChange::Saved(saved));
        if pipeline < NUMBERS_END {
            self.state.next_pipeline = self.state.next_pipeline.max(pipeline + 1);
        }
        let key = self.state.next_definition;
        self.write(
            "INSERT INTO definitions (key, pipeline, version, body, saved_at) VALUES (?, ?, ?, ?, ?)",
            params![key, pipeline, version, body, millis(*updated_at)],
        )?;
        self.state.next_definition += 1;
        Ok(key)
    }
}

/// Returns a definition with the value of `enabled` that applies, and its text, unless it has it.
fn changed_definition(
    enabled: rules::Enabled,
    definition: &Definition,
) -> Result<Option<(String, Arc<Definition>)>, StoreError> {
    if definition.pipeline.enabled == enabled.current {
        return Ok(None);
    }
    let pipeline = rules::definition_with(enabled.current, &definition.pipeline);
    let body = text(&*pipeline)?;
    let definition = Definition::new(pipeline, body.len())?;
    Ok(Some((body, Arc::new(definition))))
}

fn replaced(
    put: &PutPipeline,
    slug: Slug,
    before: StoredPipeline,
    definition: &Definition,
) -> StoredPipeline {
    StoredPipeline {
        slug,
        version: before.version.saturating_add(1),
        definition: Arc::clone(&definition.pipeline),
        updated_at: put.now,
        ..before
    }
}

/// Checks the expectation of a save. `visible` is the pipeline that it would replace.
fn check_expected(put: &PutPipeline, visible: Option<&CachedPipeline>) -> Result<(), Error> {
    match (put.expect, visible) {
        (Expect::Absent, Some(_)) => Err(rules::already_exists(&put.id)),
        (Expect::Present | Expect::Version(_), None) => Err(Error::pipeline_not_found(&put.id)),
        (Expect::Version(version), Some(cached)) if cached.version != version => {
            Err(rules::precondition_failed(&put.id, cached.version))
        }
        (Expect::Absent | Expect::Any | Expect::Present | Expect::Version(_), _) => Ok(()),
    }
}
