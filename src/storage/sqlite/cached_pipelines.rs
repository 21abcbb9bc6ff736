//! The writer's cache of pipelines, by key and by id with tenant.
//!
//! It fills on demand. `put_pipeline` and `pipelines` change the rows.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, Row};

use super::naming::{NamedQuery, tenant_text};
use super::query::row;
use super::searched_pipelines::PipelineChange;
use super::store_error::StoreError;
use super::unreadable::UnreadableRows;
use super::values::{self, to_u32};
use crate::model::{PipelineId, Qualified, Scope, TenantId};

/// The maximum number of cached pipelines. Beyond it, the cache is cleared.
const PIPELINES_MAX: usize = 4_096;

/// A pipeline, as far as steps need it.
#[derive(Debug)]
pub(super) struct CachedPipeline {
    pub(super) key: i64,
    pub(super) id: PipelineId,
    /// `None` also if the tenant cannot be read.
    pub(super) tenant: Option<TenantId>,
    pub(super) is_tenant_unreadable: bool,
    pub(super) version: u32,
    pub(super) max_concurrent_runs: Option<u64>,
    pub(super) is_deleted: bool,
    pub(super) is_paused: bool,
    /// The key of its newest version, or `None` if the pipeline cannot be read. Only a save is
    /// possible then.
    pub(super) definition: Option<i64>,
}

/// The cached pipelines.
#[derive(Debug, Default)]
pub(super) struct CachedPipelines {
    by_key: HashMap<i64, Arc<CachedPipeline>>,
    keys: HashMap<Qualified<PipelineId>, i64>,
    /// What the current transaction changes.
    changes: Vec<PipelineChange>,
}

impl CachedPipelines {
    /// Returns the pipeline with this id and tenant, even if it is deleted.
    pub(super) fn find(
        &mut self,
        conn: &Connection,
        own: &Qualified<PipelineId>,
    ) -> Result<Option<Arc<CachedPipeline>>, StoreError> {
        let key = self.keys.get(own);
        if let Some(pipeline) = key.and_then(|key| self.by_key.get(key)) {
            return Ok(Some(Arc::clone(pipeline)));
        }
        let sql = &format!("{CACHED_PIPELINE} WHERE p.id = ? AND coalesce(p.tenant, '') = ?");
        let values = [own.id.as_str(), tenant_text(own.tenant.as_ref())];
        let found = row(conn, sql, values, read_cached_pipeline)?;
        Ok(found.map(|pipeline| self.insert(pipeline)))
    }

    /// Returns the pipeline with this key.
    pub(super) fn find_by_key(
        &mut self,
        conn: &Connection,
        key: i64,
    ) -> Result<Arc<CachedPipeline>, StoreError> {
        if let Some(pipeline) = self.by_key.get(&key) {
            return Ok(Arc::clone(pipeline));
        }
        let sql = &format!("{CACHED_PIPELINE} WHERE p.key = ?");
        let pipeline = row(conn, sql, [key], read_cached_pipeline)?
            .ok_or_else(|| StoreError::unreadable("a pipeline", "it is missing"))?;
        Ok(self.insert(pipeline))
    }

    /// Returns the pipelines with this id that exist, as far as [`Scope::choose`] needs them.
    ///
    /// One whose tenant cannot be read is returned if there is no other: it reads as one without a
    /// tenant, so that a caller of [`Scope::All`] can save or delete it.
    pub(super) fn live(
        &mut self,
        (conn, unreadable): (&Connection, &UnreadableRows),
        id: &PipelineId,
        scope: &Scope,
    ) -> Result<Vec<Arc<CachedPipeline>>, StoreError> {
        // In every scope, this one comes first. It is usually cached.
        let own = Qualified::new(id.clone(), scope.tenant().cloned());
        let own = self.find(conn, &own)?;
        if let Some(own) = own.filter(|own| !own.is_deleted) {
            return Ok(vec![own]);
        }
        if *scope != Scope::All {
            return Ok(Vec::new());
        }
        let query = NamedQuery {
            what: "a pipeline",
            sql: format!("{CACHED_PIPELINE} WHERE p.id = ? AND p.slug IS NOT NULL"),
            tenant: 2,
            name: id.as_str(),
        };
        let found = query.rows((conn, unreadable), scope, read_cached_pipeline)?;
        found
            .into_rows()
            .map(|pipeline| Ok(self.insert(pipeline?)))
            .collect()
    }

    /// Forgets what the earlier transaction changed.
    pub(super) fn begin(&mut self) {
        self.changes.clear();
    }

    /// Takes what the current transaction changes, in order.
    pub(super) fn take_changes(&mut self) -> Vec<PipelineChange> {
        std::mem::take(&mut self.changes)
    }

    /// Notes a change, and removes the pipeline from the cache.
    pub(super) fn note(&mut self, change: PipelineChange) {
        if let Some(pipeline) = self.by_key.remove(&change.key()) {
            self.keys.remove(&pipeline.qualified_id());
        }
        self.changes.push(change);
    }

    fn insert(&mut self, pipeline: CachedPipeline) -> Arc<CachedPipeline> {
        if self.by_key.len() >= PIPELINES_MAX {
            self.by_key.clear();
            self.keys.clear();
        }
        let pipeline = Arc::new(pipeline);
        if !pipeline.is_tenant_unreadable {
            self.keys.insert(pipeline.qualified_id(), pipeline.key);
        }
        self.by_key.insert(pipeline.key, Arc::clone(&pipeline));
        pipeline
    }
}

impl CachedPipeline {
    pub(super) fn qualified_id(&self) -> Qualified<PipelineId> {
        Qualified::new(self.id.clone(), self.tenant.clone())
    }
}

const CACHED_PIPELINE: &str = "SELECT p.key, p.id, p.tenant, p.version, p.max_concurrent_runs, p.slug IS NULL, d.key, p.paused_at IS NOT NULL \
     FROM pipelines p LEFT JOIN definitions d ON d.pipeline = p.key AND d.version = p.version";

/// Reads the limit on the runs of a pipeline that execute at once.
///
/// A negative limit is damage. It must not hold the pipeline's runs for ever.
pub(super) fn read_max_concurrent_runs(
    row: &Row<'_>,
    at: usize,
) -> Result<Option<u64>, StoreError> {
    let max = row.get::<_, Option<i64>>(at)?;
    Ok(max.and_then(|max| u64::try_from(max).ok()))
}

fn read_cached_pipeline(row: &Row<'_>) -> Result<CachedPipeline, StoreError> {
    let tenant = row
        .get(2)
        .map_err(StoreError::from)
        .and_then(values::tenant);
    let definition = row.get(6)?;
    Ok(CachedPipeline {
        key: row.get(0)?,
        id: values::pipeline_id(&row.get::<_, String>(1)?)?,
        definition: tenant.as_ref().ok().and(definition),
        is_tenant_unreadable: tenant.is_err(),
        tenant: tenant.unwrap_or(None),
        version: to_u32(row.get(3)?),
        max_concurrent_runs: read_max_concurrent_runs(row, 4)?,
        is_deleted: row.get(5)?,
        is_paused: row.get(7)?,
    })
}
