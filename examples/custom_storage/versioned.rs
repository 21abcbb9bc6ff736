//! Items with an id, versions and a tenant: the common rules of pipelines, connections and
//! variables.
//!
//! What differs between them is in `definitions`.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt::Display;

use chrono::{DateTime, Utc};
use floret::storage::{Expect, StoredConnection, StoredPipeline, StoredVariable};
use floret::{Error, PageRequest, Problem, Result, Scope, TenantId};

use crate::pages::{Page, page};

/// The fields that every item has.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    tenant: Option<TenantId>,
    version: u32,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// A stored pipeline, connection or variable.
pub(crate) trait Item: Clone + PartialEq {
    fn head(&self) -> Head;
    fn with(self, head: Head) -> Self;
}

macro_rules! items {
    ($($item:ty),*) => {
        $(impl Item for $item {
            fn head(&self) -> Head {
                Head {
                    tenant: self.tenant.clone(),
                    version: self.version,
                    created_at: self.created_at,
                    updated_at: self.updated_at,
                }
            }

            fn with(mut self, head: Head) -> Self {
                self.tenant = head.tenant;
                self.version = head.version;
                self.created_at = head.created_at;
                self.updated_at = head.updated_at;
                self
            }
        })*
    };
}

items!(StoredPipeline, StoredConnection, StoredVariable);

/// The conditions of a save.
pub(crate) struct Save<'a> {
    pub(crate) expect: Expect,
    pub(crate) scope: &'a Scope,
    pub(crate) now: DateTime<Utc>,
    /// The error if the item is expected and absent.
    pub(crate) absent: Error,
}

/// An item, or the remains of a deleted one: its versions continue, and its id still works as a
/// cursor.
#[derive(Debug, Clone, PartialEq)]
struct Entry<T> {
    tenant: Option<TenantId>,
    version: u32,
    created_at: DateTime<Utc>,
    item: Option<T>,
}

/// Items by id, with the remains of deleted ones.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct VersionedMap<K, T>(BTreeMap<K, Entry<T>>);

impl<K, T> Default for VersionedMap<K, T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord + Clone + Display + Borrow<str>, T: Item> VersionedMap<K, T> {
    /// Returns every item of every tenant.
    pub(crate) fn items(&self) -> impl Iterator<Item = &T> {
        self.0.values().filter_map(|entry| entry.item.as_ref())
    }

    pub(crate) fn find(&self, id: &str, scope: &Scope) -> Option<&T> {
        let item = self.0.get(id)?.item.as_ref()?;
        scope.admits(item.head().tenant.as_ref()).then_some(item)
    }

    /// Refuses a save whose expectation is not met.
    pub(crate) fn check(&self, id: &K, save: Save<'_>) -> Result<()> {
        let seen = self.find(id.borrow(), save.scope);
        let is_taken = self.find(id.borrow(), &Scope::All).is_some();
        match (save.expect, seen) {
            (Expect::Absent, _) if is_taken => Err(already_exists(id)),
            (Expect::Any, None) if is_taken => Err(already_exists(id)),
            (Expect::Absent | Expect::Any, _) | (Expect::Present, Some(_)) => Ok(()),
            (Expect::Present | Expect::Version(_), None) => Err(save.absent),
            (Expect::Version(version), Some(item)) if version == item.head().version => Ok(()),
            (Expect::Version(version), Some(item)) => Err(Error::new(
                Problem::PreconditionFailed,
                format!("{id} is at version {}, not {version}", item.head().version),
            )),
            (other, _) => Err(Error::internal(format!("cannot expect {other:?}"))),
        }
    }

    /// Saves an item as the next version of the current or deleted one.
    pub(crate) fn save(&mut self, id: K, new: T, save: Save<'_>) -> Result<T> {
        let (scope, now) = (save.scope, save.now);
        self.check(&id, save)?;
        let entry = self.0.get::<str>(id.borrow());
        let version = entry.map_or(0, |entry| entry.version).saturating_add(1);
        let head = match entry.and_then(|entry| entry.item.as_ref()) {
            Some(old) if new.clone().with(old.head()) == *old => return Ok(old.clone()),
            Some(old) => Head {
                version,
                updated_at: now,
                ..old.head()
            },
            None => Head {
                tenant: scope.tenant().cloned(),
                version,
                created_at: now,
                updated_at: now,
            },
        };
        let entry = Entry {
            tenant: head.tenant.clone(),
            version,
            created_at: head.created_at,
            item: Some(new.with(head)),
        };
        let saved = entry.item.clone();
        self.0.insert(id, entry);
        saved.ok_or_else(|| Error::internal("a saved item is missing"))
    }

    /// Deletes an item and returns whether there was one.
    pub(crate) fn remove(&mut self, id: &K, scope: &Scope) -> bool {
        let is_seen = self.find(id.borrow(), scope).is_some();
        if let Some(entry) = self.0.get_mut::<str>(id.borrow()).filter(|_| is_seen) {
            entry.item = None;
        }
        is_seen
    }

    /// Lists items, newest first, then by descending id.
    pub(crate) fn list(
        &self,
        request: &PageRequest,
        scope: &Scope,
        is_wanted: impl Fn(&T) -> bool,
    ) -> Result<Page<T>> {
        let is_seen = |entry: &Entry<T>| scope.admits(entry.tenant.as_ref());
        let wanted = self.0.iter().filter_map(|(id, entry)| {
            let item = entry.item.clone().filter(|_| is_seen(entry));
            let item = item.filter(&is_wanted)?;
            Some(((entry.created_at, id.clone()), item))
        });
        let read = |cursor: &str| {
            let (id, entry) = self.0.get_key_value(cursor)?;
            is_seen(entry).then(|| (entry.created_at, id.clone()))
        };
        page(wanted.collect(), request, read, |(_, id)| id.to_string())
    }
}

/// Returns the error for an id or a slug that is taken.
pub(crate) fn already_exists(id: impl Display) -> Error {
    Error::new(Problem::AlreadyExists, format!("{id} already exists"))
}
