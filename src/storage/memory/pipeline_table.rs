//! The table of pipelines, found by id, slug and age, with their schedules and versions.
//!
//! `slugs` chooses the slug of a pipeline, `code_saves` has what a save by code leaves, `pipelines`
//! decides whether it may be deleted, and `schedules` handles ticks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::pages::{cursor, cut_page};
use super::qualified::{at_cursor, with_id};
use super::rows::{ScheduleRow, Version};
use super::rules;
use crate::error::{Error, Result};
use crate::model::{
    FoldedTexts, Page, PageRequest, PipelineId, Qualified, Scope, Slug, StoredPipeline, TokenHash,
};
use crate::storage::{DependencyTable, Expect, PipelineFilter, PutPipeline, SavedBy, SetPause};

/// Pipelines by id and tenant. The live ones are also found by slug and age.
#[derive(Default)]
pub(super) struct PipelineTable {
    pub(super) rows: BTreeMap<Qualified<PipelineId>, PipelineRow>,
    pub(super) slugs: BTreeMap<Qualified<Slug>, PipelineId>,
    by_age: BTreeSet<(DateTime<Utc>, Qualified<PipelineId>)>,
    pub(super) dependencies: DependencyTable,
}

pub(super) struct PipelineRow {
    pub(super) stored: StoredPipeline,
    texts: FoldedTexts,
    schedule: Option<ScheduleRow>,
    /// `enabled` in the latest save by the host's code.
    pub(super) enabled_by_code: Option<bool>,
    /// The token of the webhook in the latest save by the host's code.
    pub(super) token_by_code: Option<TokenHash>,
    /// The version in the latest save by the host's code, if the code manages the pipeline.
    pub(super) code_version: Option<u32>,
    /// A deleted pipeline remains as a cursor of lists, and its version numbers continue.
    is_deleted: bool,
    /// Every version, because a run may name one that has been replaced.
    pub(super) versions: BTreeMap<u32, VersionRow>,
}

/// A version of a pipeline.
pub(super) struct VersionRow {
    pub(super) version: Arc<Version>,
    pub(super) created_at: DateTime<Utc>,
}

impl PipelineRow {
    fn live(&self) -> Option<&StoredPipeline> {
        (!self.is_deleted).then_some(&self.stored)
    }
}

impl PipelineTable {
    /// Returns the pipeline unless it is deleted.
    pub(super) fn live(&self, pipeline: &Qualified<PipelineId>) -> Option<&StoredPipeline> {
        self.rows.get(pipeline).and_then(PipelineRow::live)
    }

    /// Returns the live pipelines with this id.
    fn live_with_id(&self, id: &PipelineId) -> impl Iterator<Item = &StoredPipeline> {
        with_id(&self.rows, id).filter_map(|(_, row)| row.live())
    }

    /// Returns the live pipelines with this slug.
    fn live_with_slug(&self, slug: &Slug) -> impl Iterator<Item = &StoredPipeline> {
        with_id(&self.slugs, slug)
            .filter_map(|(slug, id)| self.live(&Qualified::new(id.clone(), slug.tenant.clone())))
    }

    /// Returns the live pipeline that an id stands for in a scope.
    pub(super) fn named(&self, id: &PipelineId, scope: &Scope) -> Result<Option<&StoredPipeline>> {
        scope.choose(id, self.live_with_id(id), |stored| stored.tenant.as_ref())
    }

    /// Returns the live pipeline that an id or a slug stands for in a scope.
    pub(super) fn find(&self, key: &str, scope: &Scope) -> Result<Option<&StoredPipeline>> {
        let (id, slug) = (PipelineId::new(key).ok(), Slug::new(key).ok());
        let with_id = id.iter().flat_map(|id| self.live_with_id(id));
        let with_slug = slug.iter().flat_map(|slug| self.live_with_slug(slug));
        // A pipeline whose slug is its id counts once.
        let others = with_slug.filter(|stored| stored.id.as_str() != key);
        scope.choose(key, with_id.chain(others), |stored| stored.tenant.as_ref())
    }

    pub(super) fn version(
        &self,
        pipeline: &Qualified<PipelineId>,
        version: u32,
    ) -> Option<&Arc<Version>> {
        let row = self.rows.get(pipeline)?.versions.get(&version)?;
        Some(&row.version)
    }

    /// Returns the versions of a pipeline, the newest first.
    pub(super) fn versions(
        &self,
        pipeline: &Qualified<PipelineId>,
    ) -> impl Iterator<Item = (u32, &VersionRow)> {
        let row = self.rows.get(pipeline).into_iter();
        row.flat_map(|row| row.versions.iter().rev())
            .map(|(number, row)| (*number, row))
    }

    pub(super) fn in_scope<'a>(
        &'a self,
        scope: &'a Scope,
    ) -> impl Iterator<Item = &'a StoredPipeline> {
        let live = self.rows.values().filter_map(PipelineRow::live);
        live.filter(|stored| scope.admits(stored.tenant.as_ref()))
    }

    /// Returns the live pipelines that have a schedule, each with its schedule.
    pub(super) fn scheduled(&self) -> impl Iterator<Item = (&StoredPipeline, &ScheduleRow)> {
        let rows = self.rows.values();
        rows.filter_map(|row| Some((&row.stored, row.schedule.as_ref()?)))
    }

    pub(super) fn schedule(&self, pipeline: &Qualified<PipelineId>) -> Option<&ScheduleRow> {
        self.rows.get(pipeline)?.schedule.as_ref()
    }

    pub(super) fn set_schedule(&mut self, pipeline: &Qualified<PipelineId>, schedule: ScheduleRow) {
        if let Some(row) = self.rows.get_mut(pipeline) {
            row.schedule = Some(schedule);
        }
    }

    pub(super) fn put(
        &mut self,
        mut put: PutPipeline,
        mut version: Arc<Version>,
    ) -> Result<StoredPipeline> {
        let live = self
            .live_with_id(&put.id)
            .map(|stored| stored.tenant.clone());
        let tenant = rules::saved_tenant(put.expect, &put.scope, &put.id, live)?;
        let own = Qualified::new(put.id.clone(), tenant.clone());
        let before = self.live(&own).cloned();
        let saved_by = put.saved_by;
        self.check_expectation(&put, &own, before.as_ref())?;
        let enabled = self.enabled_after(&put, before.as_ref());
        let tokens = self.tokens_after(&put, &own, before.as_ref());
        let code_before = self.rows.get(&own).and_then(|row| row.code_version);
        let managed = rules::managed_after(put.saved_by, code_before);
        let kept = self.kept_edit(&put, before.as_ref());
        let keeps_edit = kept.is_some();
        let slug = match (&before, kept) {
            (Some(before), Some(kept)) => {
                put.definition = Arc::clone(&kept.definition);
                version = kept;
                before.slug.clone()
            }
            (before, _) => self.choose_slug(&put.slug, &own, before.as_ref())?,
        };
        if put.definition.enabled != enabled.current {
            put.definition = rules::definition_with(enabled.current, &put.definition);
            version = Arc::new(Version::new(Arc::clone(&put.definition))?);
        }
        if saved_by != SavedBy::Removal {
            let rules = put.definition.dependencies();
            self.dependencies.check_cycle(&own, &rules)?;
        }
        if let Some(stored) = &before
            && stored.slug == slug
            && stored.definition == put.definition
            && stored.managed == managed
            && stored.webhook_token == tokens.current
        {
            self.note_code(&own, (saved_by, keeps_edit), enabled, tokens);
            return Ok(stored.clone());
        }
        let number = self.rows.get(&own).map_or(0, |row| row.stored.version) + 1;
        let stored = StoredPipeline {
            tenant,
            version: number,
            managed,
            created_at: before.as_ref().map_or(put.now, |stored| stored.created_at),
            paused: before.and_then(|stored| stored.paused),
            webhook_token: tokens.current,
            updated_at: put.now,
            ..StoredPipeline::new(put.id, slug, put.definition, put.now)
        };
        self.store(&own, stored.clone(), version);
        self.note_code(&own, (saved_by, keeps_edit), enabled, tokens);
        Ok(stored)
    }

    fn check_expectation(
        &self,
        put: &PutPipeline,
        own: &Qualified<PipelineId>,
        before: Option<&StoredPipeline>,
    ) -> Result<()> {
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
        let slug = Slug::new(put.id.as_str()).ok();
        match slug.and_then(|slug| self.owner_of(&slug, own.tenant.as_ref())) {
            Some(owner) if *owner != put.id => Err(rules::already_exists(&put.id)),
            Some(_) | None => Ok(()),
        }
    }

    fn store(
        &mut self,
        own: &Qualified<PipelineId>,
        stored: StoredPipeline,
        version: Arc<Version>,
    ) {
        self.unindex(own);
        let current = self.schedule(own).copied();
        let schedule = ScheduleRow::after_save(current, self.live(own), &stored);
        let slug = Qualified::new(stored.slug.clone(), stored.tenant.clone());
        self.slugs.insert(slug, stored.id.clone());
        self.by_age.insert((stored.created_at, own.clone()));
        let row = self.rows.entry(own.clone()).or_insert_with(|| PipelineRow {
            stored: stored.clone(),
            texts: stored.searched_texts(),
            schedule,
            enabled_by_code: None,
            token_by_code: None,
            code_version: None,
            is_deleted: false,
            versions: BTreeMap::new(),
        });
        let created_at = stored.updated_at;
        let version = VersionRow {
            version,
            created_at,
        };
        row.versions.insert(stored.version, version);
        row.is_deleted = false;
        row.schedule = schedule;
        row.texts = stored.searched_texts();
        row.stored = stored;
    }

    /// Removes a live pipeline from the indexes by slug and age.
    fn unindex(&mut self, pipeline: &Qualified<PipelineId>) {
        if let Some(stored) = self.rows.get(pipeline).and_then(PipelineRow::live) {
            let slug = Qualified::new(stored.slug.clone(), stored.tenant.clone());
            self.slugs.remove(&slug);
            self.by_age.remove(&(stored.created_at, pipeline.clone()));
        }
    }

    pub(super) fn set_pause(&mut self, request: &SetPause) -> Result<StoredPipeline> {
        let found = self.named(&request.id, &request.scope)?;
        let found = found.ok_or_else(|| Error::pipeline_not_found(&request.id))?;
        rules::check_version(&request.id, request.version, found.version)?;
        let mut stored = found.clone();
        if stored.paused.is_some() != request.pause.is_some() {
            stored.paused.clone_from(&request.pause);
            if let Some(row) = self.rows.get_mut(&stored.qualified_id()) {
                row.stored.paused.clone_from(&request.pause);
            }
        }
        Ok(stored)
    }

    pub(super) fn delete(&mut self, pipeline: &Qualified<PipelineId>) {
        self.unindex(pipeline);
        if let Some(row) = self.rows.get_mut(pipeline) {
            row.is_deleted = true;
            row.schedule = None;
            row.code_version = None;
            row.token_by_code = None;
            row.versions.clear();
        }
    }

    pub(super) fn list(
        &self,
        filter: &PipelineFilter,
        page: &PageRequest,
    ) -> Result<Page<StoredPipeline>> {
        let matching = |(_, own): &'_ (DateTime<Utc>, Qualified<PipelineId>)| {
            let row = self.rows.get(own)?;
            let is_match = filter.admits_with(&row.stored, || &row.texts);
            is_match.then(|| (own.clone(), &row.stored))
        };
        let total = || self.by_age.iter().filter_map(matching).count() as u64;
        let found = match cursor(page) {
            None => cut_page(page, total, self.by_age.iter().rev().filter_map(matching)),
            Some(text) => {
                let (own, row) = at_cursor(&self.rows, text, &filter.scope)?;
                let older = self.by_age.range(..(row.stored.created_at, own.clone()));
                cut_page(page, total, older.rev().filter_map(matching))
            }
        };
        let items = found.items.into_iter().cloned().collect();
        Ok(Page::new(items, found.total, found.next))
    }
}
