//! The table of connections or variables: fields under an id and its tenant, with a trace of
//! deleted ones.
//!
//! `rules` decides what a save changes.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::pages::{cursor, cut_page};
use super::qualified::{at_cursor, with_id};
use super::rules::{self, PutSetting, Setting, StoredSetting};
use crate::error::Result;
use crate::model::{Page, PageRequest, Qualified, Scope, TenantId};

/// Settings by id and tenant. The live ones are also found by age.
pub(super) struct SettingTable<T: Setting> {
    rows: BTreeMap<Qualified<T::Id>, StoredSetting<T>>,
    by_age: BTreeSet<(DateTime<Utc>, Qualified<T::Id>)>,
}

impl<T: Setting> Default for SettingTable<T> {
    fn default() -> Self {
        Self {
            rows: BTreeMap::new(),
            by_age: BTreeSet::new(),
        }
    }
}

impl<T: Setting> SettingTable<T> {
    pub(super) fn put(&mut self, mut put: PutSetting<T>) -> Result<T> {
        let live = self.live(&put.id).map(|(own, _)| own.tenant.clone());
        let tenant = rules::saved_tenant(put.expect, &put.scope, &put.id, live)?;
        put.scope = Scope::of(tenant.as_ref());
        let own = Qualified::new(put.id.clone(), tenant);
        let stored = self.rows.get(&own);
        let decided = rules::decide_save(&put, stored)?;
        let PutSetting { id, fields, .. } = put;
        let metadata = match (decided, stored) {
            (None, Some(stored)) => return Ok(T::from_parts(id, stored.metadata.clone(), fields)),
            (Some(metadata), Some(stored)) => {
                self.by_age
                    .remove(&(stored.metadata.created_at, own.clone()));
                metadata
            }
            (Some(metadata), None) => metadata,
            (None, None) => return Err(T::not_found(&id)),
        };
        self.by_age.insert((metadata.created_at, own.clone()));
        let stored = StoredSetting {
            metadata: metadata.clone(),
            fields: Some(fields.clone()),
        };
        self.rows.insert(own, stored);
        Ok(T::from_parts(id, metadata, fields))
    }

    /// Returns the live settings with this id.
    fn live(&self, id: &T::Id) -> impl Iterator<Item = (&Qualified<T::Id>, T)> {
        with_id(&self.rows, id).filter_map(|(own, stored)| Some((own, join(own, stored)?)))
    }

    pub(super) fn find(&self, id: &T::Id, scope: &Scope) -> Result<Option<T>> {
        let found = scope.choose(id, self.live(id), |(own, _)| own.tenant.as_ref())?;
        Ok(found.map(|(_, setting)| setting))
    }

    pub(super) fn list(&self, scope: &Scope, page: &PageRequest) -> Result<Page<T>> {
        let visible = |(_, own): &(DateTime<Utc>, Qualified<T::Id>)| {
            let is_seen = scope.admits(own.tenant.as_ref());
            let stored = self.rows.get(own).filter(|_| is_seen)?;
            Some((own.clone(), join(own, stored)?))
        };
        let total = || self.by_age.iter().filter_map(visible).count() as u64;
        let Some(text) = cursor(page) else {
            let newest = self.by_age.iter().rev();
            return Ok(cut_page(page, total, newest.filter_map(visible)));
        };
        let (own, stored) = at_cursor(&self.rows, text, scope)?;
        let older = self
            .by_age
            .range(..(stored.metadata.created_at, own.clone()));
        Ok(cut_page(page, total, older.rev().filter_map(visible)))
    }

    /// Deletes a setting. Returns its tenant.
    pub(super) fn delete(&mut self, id: &T::Id, scope: &Scope) -> Result<Option<TenantId>> {
        let found = scope.choose(id, self.live(id), |(own, _)| own.tenant.as_ref())?;
        let own = found.map(|(own, _)| own.clone());
        let own = own.ok_or_else(|| T::not_found(id))?;
        if let Some(stored) = self.rows.get_mut(&own) {
            stored.fields = None;
            let at = stored.metadata.created_at;
            self.by_age.remove(&(at, own.clone()));
        }
        Ok(own.tenant)
    }
}

/// Returns a stored setting unless it is deleted.
fn join<T: Setting>(own: &Qualified<T::Id>, stored: &StoredSetting<T>) -> Option<T> {
    let fields = stored.fields.clone()?;
    Some(T::from_parts(
        own.id.clone(),
        stored.metadata.clone(),
        fields,
    ))
}
