//! The table of pipelines, found by id, slug and age, with their schedules and versions.
//!
//! `pipelines` decides whether a pipeline may be deleted; `schedules` handles ticks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::pages::{cursor, cut_page};
use super::rows::{ScheduleRow, Version};
use super::rules;
use crate::error::{Error, Result};
use crate::model::{Page, PageRequest, PipelineId, Scope, Slug, StoredPipeline};
use crate::storage::{Expect, PipelineFilter, PutPipeline, SlugChoice};

/// Pipelines by id. The live ones are also found by slug and age.
#[derive(Default)]
pub(super) struct PipelineTable {
    rows: BTreeMap<PipelineId, PipelineRow>,
    slugs: BTreeMap<Slug, PipelineId>,
    by_age: BTreeSet<(DateTime<Utc>, PipelineId)>,
}

struct PipelineRow {
    stored: StoredPipeline,
    schedule: Option<ScheduleRow>,
    /// `enabled` in the latest save by the host's code.
    enabled_by_code: Option<bool>,
    /// A deleted pipeline remains as a cursor of lists, and its version numbers continue.
    is_deleted: bool,
    /// Every version, because a run may name one that has been replaced.
    versions: BTreeMap<u32, Arc<Version>>,
}

impl PipelineTable {
    /// Returns the live pipeline with this id.
    pub(super) fn live(&self, id: &str, scope: &Scope) -> Option<&StoredPipeline> {
        self.row(id, scope)
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

    /// Returns the live pipelines that have a schedule, each with its schedule.
    pub(super) fn scheduled(&self) -> impl Iterator<Item = (&StoredPipeline, &ScheduleRow)> {
        let rows = self.rows.values();
        rows.filter_map(|row| Some((&row.stored, row.schedule.as_ref()?)))
    }

    pub(super) fn schedule(&self, id: &PipelineId) -> Option<&ScheduleRow> {
        self.rows.get(id)?.schedule.as_ref()
    }

    pub(super) fn set_schedule(&mut self, id: &PipelineId, schedule: ScheduleRow) {
        if let Some(row) = self.rows.get_mut(id) {
            row.schedule = Some(schedule);
        }
    }

    fn row(&self, id: &str, scope: &Scope) -> Option<&PipelineRow> {
        self.rows
            .get(id)
            .filter(|row| scope.admits(row.stored.tenant.as_ref()))
    }

    pub(super) fn find(&self, key: &str, scope: &Scope) -> Option<&StoredPipeline> {
        self.live(key, scope).or_else(|| {
            let id = self.slugs.get(key)?;
            self.live(id.as_str(), scope)
        })
    }

    pub(super) fn put(
        &mut self,
        mut put: PutPipeline,
        mut version: Arc<Version>,
    ) -> Result<StoredPipeline> {
        let before = self.live(put.id.as_str(), &put.scope).cloned();
        self.check_expectation(&put, before.as_ref())?;
        let slug = self.choose_slug(&put, before.as_ref())?;
        let enabled = self.enabled_after(&put, before.as_ref());
        if put.definition.enabled != enabled.current {
            put.definition = rules::definition_with(enabled.current, &put.definition);
            version = Arc::new(Version::new(Arc::clone(&put.definition))?);
        }
        if let Some(stored) = &before
            && stored.slug == slug
            && stored.definition == put.definition
        {
            self.set_enabled_by_code(&put.id, enabled);
            return Ok(stored.clone());
        }
        let id = put.id.clone();
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
        self.store(stored.clone(), version);
        self.set_enabled_by_code(&id, enabled);
        Ok(stored)
    }

    fn enabled_after(&self, put: &PutPipeline, before: Option<&StoredPipeline>) -> rules::Enabled {
        let before = before.map(|stored| rules::Enabled {
            current: stored.definition.enabled,
            by_code: self
                .rows
                .get(&stored.id)
                .and_then(|row| row.enabled_by_code),
        });
        rules::Enabled::after_save(put.saved_by, put.definition.enabled, before)
    }

    fn set_enabled_by_code(&mut self, id: &PipelineId, enabled: rules::Enabled) {
        if let Some(row) = self.rows.get_mut(id) {
            row.enabled_by_code = enabled.by_code;
        }
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
        // An id of another tenant is invisible to the caller, but it is taken.
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

    /// Returns whether no pipeline other than `id` has this slug, as its slug or as its id.
    fn is_free(&self, slug: &Slug, id: &PipelineId) -> bool {
        let is_id = self.live(slug.as_str(), &Scope::All);
        self.slugs.get(slug).is_none_or(|owner| owner == id)
            && is_id.is_none_or(|stored| stored.id == *id)
    }

    fn store(&mut self, stored: StoredPipeline, version: Arc<Version>) {
        self.unindex(&stored.id);
        let current = self.schedule(&stored.id).copied();
        let before = self.live(stored.id.as_str(), &Scope::All);
        let schedule = schedule_after_save(current, before, &stored);
        self.slugs.insert(stored.slug.clone(), stored.id.clone());
        self.by_age.insert((stored.created_at, stored.id.clone()));
        let row = self
            .rows
            .entry(stored.id.clone())
            .or_insert_with(|| PipelineRow {
                stored: stored.clone(),
                schedule,
                enabled_by_code: None,
                is_deleted: false,
                versions: BTreeMap::new(),
            });
        row.versions.insert(stored.version, version);
        row.is_deleted = false;
        row.schedule = schedule;
        row.stored = stored;
    }

    /// Removes a live pipeline from the indexes by slug and age.
    fn unindex(&mut self, id: &PipelineId) {
        if let Some(row) = self.rows.get(id).filter(|row| !row.is_deleted) {
            self.slugs.remove(&row.stored.slug);
            self.by_age.remove(&(row.stored.created_at, id.clone()));
        }
    }

    pub(super) fn delete(&mut self, id: &PipelineId) {
        self.unindex(id);
        if let Some(row) = self.rows.get_mut(id) {
            row.is_deleted = true;
            row.schedule = None;
            row.versions.clear();
        }
    }

    pub(super) fn list(
        &self,
        filter: &PipelineFilter,
        page: &PageRequest,
    ) -> Result<Page<StoredPipeline>> {
        let PipelineFilter {
            scope,
            tag,
            enabled,
        } = filter;
        let is_match = |stored: &StoredPipeline| {
            let definition = &stored.definition;
            scope.admits(stored.tenant.as_ref())
                && tag.as_ref().is_none_or(|tag| definition.tags.contains(tag))
                && enabled.is_none_or(|enabled| enabled == definition.enabled)
        };
        let matching = |keys: &'_ (DateTime<Utc>, PipelineId)| {
            let row = self.rows.get(&keys.1)?;
            is_match(&row.stored).then_some((&row.stored.id, &row.stored))
        };
        let total = || self.by_age.iter().filter_map(matching).count() as u64;
        let found = match cursor(page) {
            None => cut_page(page, total, self.by_age.iter().rev().filter_map(matching)),
            Some(text) => {
                let row = self.row(text, scope);
                let row = row.ok_or_else(|| rules::bad_cursor(text))?;
                let older = ..(row.stored.created_at, row.stored.id.clone());
                let older = self.by_age.range(older).rev();
                cut_page(page, total, older.filter_map(matching))
            }
        };
        let items = found.items.into_iter().cloned().collect();
        Ok(Page::new(items, found.total, found.next))
    }
}

/// Returns the schedule that a pipeline has once it is saved.
fn schedule_after_save(
    row: Option<ScheduleRow>,
    before: Option<&StoredPipeline>,
    after: &StoredPipeline,
) -> Option<ScheduleRow> {
    let before = before.map(|stored| &*stored.definition);
    match rules::schedule_change(before, &after.definition) {
        rules::ScheduleChange::Start => Some(ScheduleRow {
            cursor: after.updated_at,
            last_run: row.and_then(|row| row.last_run),
            skipped: None,
        }),
        rules::ScheduleChange::Keep => row,
        rules::ScheduleChange::Remove => None,
    }
}
