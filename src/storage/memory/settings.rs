//! Fields under ids: what connections and variables have in common, the deleted ones' traces
//! included.
//!
//! What a save makes of what is kept is decided in `rules`.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::pages::{cursor, cut_page};
use super::rules::{self, KeptSetting, PutSetting, Setting};
use crate::error::Result;
use crate::model::{Page, PageRequest, Scope};

/// Settings by id; the live ones also by age.
pub(super) struct SettingTable<T: Setting> {
    rows: BTreeMap<T::Id, KeptSetting<T>>,
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
        let kept = self.rows.get::<T::Id>(&put.id);
        let decided = rules::decide(&put, kept)?;
        let PutSetting { id, fields, .. } = put;
        let standing = match (decided, kept) {
            (None, Some(kept)) => return Ok(T::join(id, kept.standing.clone(), fields)),
            (Some(standing), Some(kept)) => {
                self.by_age.remove(&(kept.standing.created_at, id.clone()));
                standing
            }
            (Some(standing), None) => standing,
            (None, None) => return Err(T::not_found(&id)),
        };
        self.by_age.insert((standing.created_at, id.clone()));
        let kept = KeptSetting {
            standing: standing.clone(),
            fields: Some(fields.clone()),
        };
        self.rows.insert(id.clone(), kept);
        Ok(T::join(id, standing, fields))
    }

    pub(super) fn find(&self, id: &T::Id, scope: &Scope) -> Option<T> {
        let kept = self
            .rows
            .get::<T::Id>(id)
            .filter(|kept| kept.is_seen(scope))?;
        let fields = kept.fields.clone()?;
        Some(T::join(id.clone(), kept.standing.clone(), fields))
    }

    pub(super) fn list(&self, scope: &Scope, page: &PageRequest) -> Result<Page<T>> {
        let asked = |(_, id): &(DateTime<Utc>, T::Id)| Some((id.clone(), self.find(id, scope)?));
        let total = || self.by_age.iter().filter_map(asked).count() as u64;
        let Some(text) = cursor(page) else {
            let newest = self.by_age.iter().rev();
            return Ok(cut_page(page, total, newest.filter_map(asked)));
        };
        let known = self
            .rows
            .get_key_value(text)
            .filter(|(_, kept)| scope.admits(kept.standing.tenant.as_ref()));
        let (id, kept) = known.ok_or_else(|| rules::bad_cursor(text))?;
        let older = self
            .by_age
            .range(..(kept.standing.created_at, id.clone()))
            .rev();
        Ok(cut_page(page, total, older.filter_map(asked)))
    }

    pub(super) fn delete(&mut self, id: &T::Id, scope: &Scope) -> Result<()> {
        let kept = self.rows.get_mut::<T::Id>(id);
        rules::check_deletion(id, kept.as_deref(), scope)?;
        if let Some(kept) = kept {
            kept.fields = None;
            self.by_age.remove(&(kept.standing.created_at, id.clone()));
        }
        Ok(())
    }
}
