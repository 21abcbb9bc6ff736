//! Definitions of pipelines, the deleted ones' traces included.
//!
//! Whether a definition is acceptable is decided above; one that makes no graph is refused here all the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::pages::{cursor, cut_page};
use super::schedules::{self, ScheduleRow};
use super::state::State;
use super::{MemoryStorage, rules};
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::model::{
    Page, PageRequest, Pipeline, PipelineId, RunStatus, Scope, Slug, StoredPipeline,
};
use crate::storage::{DeletePipeline, Expect, PipelineFilter, Pipelines, PutPipeline, SlugChoice};

/// Pipelines by id; the live ones also by slug and by age.
#[derive(Default)]
pub(super) struct PipelineTable {
    rows: BTreeMap<PipelineId, PipelineRow>,
    slugs: BTreeMap<Slug, PipelineId>,
    by_age: BTreeSet<(DateTime<Utc>, PipelineId)>,
}

struct PipelineRow {
    stored: StoredPipeline,
    schedule: Option<ScheduleRow>,
    /// A deleted one is kept for its version, which goes on, and as a cursor.
    is_deleted: bool,
    /// Every version since it was made, so that a run may name one that was replaced meanwhile.
    versions: BTreeMap<u32, Arc<Version>>,
}

/// A version of a definition with its graph.
pub(super) struct Version {
    pub(super) definition: Arc<Pipeline>,
    pub(super) graph: Graph,
}

impl Version {
    fn new(definition: Arc<Pipeline>) -> Result<Self> {
        let graph = Graph::new(&definition)?;
        Ok(Self { definition, graph })
    }
}

impl PipelineTable {
    /// The live pipeline with this id.
    pub(super) fn live(&self, id: &str, scope: &Scope) -> Option<&StoredPipeline> {
        self.known(id, scope)
            .filter(|row| !row.is_deleted)
            .map(|row| &row.stored)
    }

    pub(super) fn version(&self, id: &PipelineId, version: u32) -> Option<&Arc<Version>> {
        self.rows.get(id)?.versions.get(&version)
    }

    pub(super) fn in_scope<'a>(
        &'a self,
        scope: &'a Scope,
    ) -> impl Iterator<Item = &'a StoredPipeline> {
        let live = self.rows.values().filter(|row| !row.is_deleted);
        live.map(|row| &row.stored)
            .filter(|stored| scope.admits(stored.tenant.as_ref()))
    }

    /// The live pipelines that have a schedule, each with how far that has come.
    pub(super) fn scheduled(&self) -> impl Iterator<Item = (&StoredPipeline, &ScheduleRow)> {
        let rows = self.rows.values();
        rows.filter_map(|row| Some((&row.stored, row.schedule.as_ref()?)))
    }

    pub(super) fn schedule(&self, id: &PipelineId) -> Option<&ScheduleRow> {
        self.rows.get(id)?.schedule.as_ref()
    }

    pub(super) fn note_schedule(&mut self, id: &PipelineId, schedule: ScheduleRow) {
        if let Some(row) = self.rows.get_mut(id) {
            row.schedule = Some(schedule);
        }
    }

    fn known(&self, id: &str, scope: &Scope) -> Option<&PipelineRow> {
        self.rows
            .get(id)
            .filter(|row| scope.admits(row.stored.tenant.as_ref()))
    }

    fn find(&self, key: &str, scope: &Scope) -> Option<&StoredPipeline> {
        self.live(key, scope).or_else(|| {
            let id = self.slugs.get(key)?;
            self.live(id.as_str(), scope)
        })
    }

    fn put(&mut self, put: PutPipeline, version: Arc<Version>) -> Result<StoredPipeline> {
        let before = self.live(put.id.as_str(), &put.scope).cloned();
        self.check_expectation(&put, before.as_ref())?;
        let slug = self.choose_slug(&put, before.as_ref())?;
        if let Some(stored) = &before
            && stored.slug == slug
            && stored.definition == put.definition
        {
            return Ok(stored.clone());
        }
        let number = self.rows.get(&put.id).map_or(0, |row| row.stored.version) + 1;
        let stored = StoredPipeline {
            tenant: match &before {
                Some(stored) => stored.tenant.clone(),
                None => put.scope.tenant().cloned(),
            },
            version: number,
            created_at: before.map_or(put.now, |stored| stored.created_at),
            updated_at: put.now,
            ..StoredPipeline::new(put.id, slug, put.definition, put.now)
        };
        self.keep(stored.clone(), version);
        Ok(stored)
    }

    fn check_expectation(&self, put: &PutPipeline, before: Option<&StoredPipeline>) -> Result<()> {
        match (put.expect, before) {
            (Expect::Present | Expect::Version(_), None) => {
                return Err(Error::pipeline_not_found(&put.id));
            }
            (Expect::Version(expected), Some(stored)) if stored.version != expected => {
                return Err(rules::precondition_failed(&put.id, stored.version));
            }
            (Expect::Absent, Some(_)) => return Err(rules::already_exists(&put.id)),
            (Expect::Absent | Expect::Any, None)
            | (Expect::Present | Expect::Version(_) | Expect::Any, Some(_)) => {}
        }
        // What another tenant has is absent for the asker and taken all the same.
        let is_foreign = before.is_none() && self.live(put.id.as_str(), &Scope::All).is_some();
        let is_slug = self.slugs.get(put.id.as_str());
        if is_foreign || is_slug.is_some_and(|owner| *owner != put.id) {
            return Err(rules::already_exists(&put.id));
        }
        Ok(())
    }

    fn choose_slug(&self, put: &PutPipeline, before: Option<&StoredPipeline>) -> Result<Slug> {
        match &put.slug {
            SlugChoice::Given(slug) if self.is_free(slug, &put.id) => Ok(slug.clone()),
            SlugChoice::Given(slug) => Err(rules::already_exists(slug)),
            SlugChoice::Derived(base) => {
                if let Some(stored) = before
                    && rules::is_derived_from(&stored.slug, base)
                {
                    return Ok(stored.slug.clone());
                }
                (1..)
                    .map(|number| rules::numbered(base, number))
                    .find(|slug| self.is_free(slug, &put.id))
                    .ok_or_else(|| rules::already_exists(base))
            }
        }
    }

    /// Whether the pipeline `id` may have this slug: no other has it, neither as slug nor as id.
    fn is_free(&self, slug: &Slug, id: &PipelineId) -> bool {
        let is_id = self.live(slug.as_str(), &Scope::All);
        self.slugs.get(slug).is_none_or(|owner| owner == id)
            && is_id.is_none_or(|stored| stored.id == *id)
    }

    fn keep(&mut self, stored: StoredPipeline, version: Arc<Version>) {
        self.forget(&stored.id);
        let kept = self.schedule(&stored.id).copied();
        let before = self.live(stored.id.as_str(), &Scope::All);
        let schedule = schedules::after_save(kept, before, &stored);
        self.slugs.insert(stored.slug.clone(), stored.id.clone());
        self.by_age.insert((stored.created_at, stored.id.clone()));
        let row = self
            .rows
            .entry(stored.id.clone())
            .or_insert_with(|| PipelineRow {
                stored: stored.clone(),
                schedule,
                is_deleted: false,
                versions: BTreeMap::new(),
            });
        row.versions.insert(stored.version, version);
        row.is_deleted = false;
        row.schedule = schedule;
        row.stored = stored;
    }

    /// Takes a pipeline out of what finds the live ones.
    fn forget(&mut self, id: &PipelineId) {
        if let Some(row) = self.rows.get(id).filter(|row| !row.is_deleted) {
            self.slugs.remove(&row.stored.slug);
            self.by_age.remove(&(row.stored.created_at, id.clone()));
        }
    }

    fn delete(&mut self, id: &PipelineId) {
        self.forget(id);
        if let Some(row) = self.rows.get_mut(id) {
            row.is_deleted = true;
            row.schedule = None;
            row.versions.clear();
        }
    }

    fn list(&self, filter: &PipelineFilter, page: &PageRequest) -> Result<Page<StoredPipeline>> {
        let PipelineFilter {
            scope,
            tag,
            enabled,
        } = filter;
        let is_asked = |stored: &StoredPipeline| {
            let definition = &stored.definition;
            scope.admits(stored.tenant.as_ref())
                && tag.as_ref().is_none_or(|tag| definition.tags.contains(tag))
                && enabled.is_none_or(|enabled| enabled == definition.enabled)
        };
        let asked = |keys: &'_ (DateTime<Utc>, PipelineId)| {
            let row = self.rows.get(&keys.1)?;
            is_asked(&row.stored).then_some((&row.stored.id, &row.stored))
        };
        let total = || self.by_age.iter().filter_map(asked).count() as u64;
        let found = match cursor(page) {
            None => cut_page(page, total, self.by_age.iter().rev().filter_map(asked)),
            Some(text) => {
                let row = self.known(text, scope);
                let row = row.ok_or_else(|| rules::bad_cursor(text))?;
                let older = ..(row.stored.created_at, row.stored.id.clone());
                let older = self.by_age.range(older).rev();
                cut_page(page, total, older.filter_map(asked))
            }
        };
        let items = found.items.into_iter().cloned().collect();
        Ok(Page::new(items, found.total, found.next))
    }
}

impl State {
    fn delete_pipeline(&mut self, delete: &DeletePipeline) -> Result<()> {
        let DeletePipeline {
            id,
            version,
            scope,
            now: _,
        } = delete;
        let found = self
            .pipelines
            .find(id.as_str(), scope)
            .filter(|found| found.id == *id)
            .ok_or_else(|| Error::pipeline_not_found(id))?;
        if version.is_some_and(|expected| expected != found.version) {
            return Err(rules::precondition_failed(id, found.version));
        }
        let active = [RunStatus::Pending, RunStatus::Running];
        if active
            .iter()
            .any(|status| self.index.count(Some(id), *status) > 0)
        {
            return Err(rules::pipeline_active(id));
        }
        self.pipelines.delete(id);
        self.keys.retain(|_, key| key.pipeline != *id);
        Ok(())
    }
}

#[async_trait]
impl Pipelines for MemoryStorage {
    async fn put_pipeline(&self, put: PutPipeline) -> Result<StoredPipeline> {
        // The graph of a large definition takes a while to build: not under the lock.
        let version = Arc::new(Version::new(Arc::clone(&put.definition))?);
        self.write()?.pipelines.put(put, version)
    }

    async fn find_pipeline(&self, key: &str, scope: &Scope) -> Result<Option<StoredPipeline>> {
        Ok(self.read().pipelines.find(key, scope).cloned())
    }

    async fn list_pipelines(
        &self,
        filter: PipelineFilter,
        page: PageRequest,
    ) -> Result<Page<StoredPipeline>> {
        self.read().pipelines.list(&filter, &page)
    }

    async fn delete_pipeline(&self, delete: DeletePipeline) -> Result<()> {
        self.write()?.delete_pipeline(&delete)
    }
}
