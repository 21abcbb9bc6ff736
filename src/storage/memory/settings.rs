//! The table of connections or variables: fields under ids, with a trace of deleted ones.
//!
//! `rules` decides what a save changes.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::pages::{cursor, cut_page};
use super::rules::{self, PutSetting, Setting, StoredSetting};
use crate::error::Result;
use crate::model::{Page, PageRequest, Scope};

/// Settings by id. The live ones are also found by age.
pub(super) struct SettingTable<T: Setting> {
    rows: BTreeMap<T::Id, StoredSetting<T>>,
    by_age: BTreeSet<(DateTime<Utc>, T::Id)>,
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
    pub(super) fn put(&mut self, put: PutSetting<T>) -> Result<T> {
        let stored = self.rows.get::<T::Id>(&put.id);
        let decided = rules::decide_save(&put, stored)?;
        let PutSetting { id, fields, .. } = put;
        let metadata = match (decided, stored) {
            (None, Some(stored)) => return Ok(T::from_parts(id, stored.metadata.clone(), fields)),
            (Some(metadata), Some(stored)) => {
                self.by_age
                    .remove(&(stored.metadata.created_at, id.clone()));
                metadata
            }
            (Some(metadata), None) => metadata,
            (None, None) => return Err(T::not_found(&id)),
        };
        self.by_age.insert((metadata.created_at, id.clone()));
        let stored = StoredSetting {
            metadata: metadata.clone(),
            fields: Some(fields.clone()),
        };
        self.rows.insert(id.clone(), stored);
        Ok(T::from_parts(id, metadata, fields))
    }

    pub(super) fn find(&self, id: &T::Id, scope: &Scope) -> Option<T> {
        let stored = self
            .rows
            .get::<T::Id>(id)
            .filter(|stored| stored.is_visible(scope))?;
        let fields = stored.fields.clone()?;
        Some(T::from_parts(id.clone(), stored.metadata.clone(), fields))
    }

    pub(super) fn list(&self, scope: &Scope, page: &PageRequest) -> Result<Page<T>> {
        let visible = |(_, id): &(DateTime<Utc>, T::Id)| Some((id.clone(), self.find(id, scope)?));
        let total = || self.by_age.iter().filter_map(visible).count() as u64;
        let Some(text) = cursor(page) else {
            let newest = self.by_age.iter().rev();
            return Ok(cut_page(page, total, newest.filter_map(visible)));
        };
        let found = self
            .rows
            .get_key_value(text)
            .filter(|(_, stored)| scope.admits(stored.metadata.tenant.as_ref()));
        let (id, stored) = found.ok_or_else(|| rules::bad_cursor(text))?;
        let older = self
            .by_age
            .range(..(stored.metadata.created_at, id.clone()))
            .rev();
        Ok(cut_page(page, total, older.filter_map(visible)))
    }

    pub(super) fn delete(&mut self, id: &T::Id, scope: &Scope) -> Result<()> {
        let stored = self.rows.get_mut::<T::Id>(id);
        rules::check_deletion(id, stored.as_deref(), scope)?;
        if let Some(stored) = stored {
            stored.fields = None;
            self.by_age
                .remove(&(stored.metadata.created_at, id.clone()));
        }
        Ok(())
    }
}
