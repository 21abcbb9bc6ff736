//! Items with an id, versions and a tenant: the common rules of pipelines, connections and
//! variables.
//!
//! What differs between them is in `definitions`.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use floret::storage::{Expect, Qualified, StoredConnection, StoredPipeline, StoredVariable};
use floret::{Error, IdError, PageRequest, Problem, Result, Scope, TenantId};

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
    version: u32,
    created_at: DateTime<Utc>,
    item: Option<T>,
}

/// Items by id and tenant, with the remains of deleted ones.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct VersionedMap<K, T>(BTreeMap<Qualified<K>, Entry<T>>);

impl<K, T> Default for VersionedMap<K, T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K, T> VersionedMap<K, T>
where
    K: Ord + Clone + Display + AsRef<str> + FromStr<Err = IdError>,
    T: Item,
{
    fn entries(&self) -> impl Iterator<Item = (&Qualified<K>, &T)> {
        let entries = self.0.iter();
        entries.filter_map(|(own, entry)| Some((own, entry.item.as_ref()?)))
    }

    /// Returns every item of every tenant.
    pub(crate) fn items(&self) -> impl Iterator<Item = &T> {
        self.entries().map(|(_, item)| item)
    }

    pub(crate) fn get(&self, own: &Qualified<K>) -> Option<&T> {
        self.0.get(own)?.item.as_ref()
    }

    pub(crate) fn get_mut(&mut self, own: &Qualified<K>) -> Option<&mut T> {
        self.0.get_mut(own)?.item.as_mut()
    }

    /// Returns the item that an id stands for in a scope.
    pub(crate) fn find(&self, id: &str, scope: &Scope) -> Result<Option<&T>> {
        let named = self.entries().filter(|(own, _)| own.id.as_ref() == id);
        let found = scope.choose(id, named, |(own, _)| own.tenant.as_ref())?;
        Ok(found.map(|(_, item)| item))
    }

    /// Returns the id with the tenant of the item that a save creates or replaces. Refuses a save
    /// whose expectation is not met.
    pub(crate) fn check(&self, id: &K, save: Save<'_>) -> Result<Qualified<K>> {
        let existing = match save.expect {
            Expect::Absent => None,
            _ => self.find(id.as_ref(), save.scope)?,
        };
        let tenant = match existing {
            Some(item) => item.head().tenant,
            None => save.scope.tenant().cloned(),
        };
        let own = Qualified::new(id.clone(), tenant);
        match (save.expect, self.get(&own)) {
            (Expect::Absent, Some(_)) => Err(already_exists(id)),
            (Expect::Absent | Expect::Any, _) | (Expect::Present, Some(_)) => Ok(own),
            (Expect::Present | Expect::Version(_), None) => Err(save.absent),
            (Expect::Version(version), Some(item)) if version == item.head().version => Ok(own),
            (Expect::Version(version), Some(item)) => Err(Error::new(
                Problem::PreconditionFailed,
                format!("{id} is at version {}, not {version}", item.head().version),
            )),
            (other, _) => Err(Error::internal(format!("cannot expect {other:?}"))),
        }
    }

    /// Saves an item as the next version of the current or deleted one.
    pub(crate) fn save(&mut self, id: &K, new: T, save: Save<'_>) -> Result<T> {
        let now = save.now;
        let own = self.check(id, save)?;
        let entry = self.0.get(&own);
        let version = entry.map_or(0, |entry| entry.version).saturating_add(1);
        let head = match entry.and_then(|entry| entry.item.as_ref()) {
            Some(old) if new.clone().with(old.head()) == *old => return Ok(old.clone()),
            Some(old) => Head {
                version,
                updated_at: now,
                ..old.head()
            },
            None => Head {
                tenant: own.tenant.clone(),
                version,
                created_at: now,
                updated_at: now,
            },
        };
        let entry = Entry {
            version,
            created_at: head.created_at,
            item: Some(new.with(head)),
        };
        let saved = entry.item.clone();
        self.0.insert(own, entry);
        saved.ok_or_else(|| Error::internal("a saved item is missing"))
    }

    /// Deletes an item and returns its full id, if there was one.
    pub(crate) fn remove(&mut self, id: &K, scope: &Scope) -> Result<Option<Qualified<K>>> {
        let Some(item) = self.find(id.as_ref(), scope)? else {
            return Ok(None);
        };
        let own = Qualified::new(id.clone(), item.head().tenant);
        if let Some(entry) = self.0.get_mut(&own) {
            entry.item = None;
        }
        Ok(Some(own))
    }

    /// Lists items, newest first, then by descending id and tenant.
    pub(crate) fn list(
        &self,
        request: &PageRequest,
        scope: &Scope,
        is_wanted: impl Fn(&T) -> bool,
    ) -> Result<Page<T>> {
        let is_seen = |own: &Qualified<K>| scope.admits(own.tenant.as_ref());
        let wanted = self.0.iter().filter_map(|(own, entry)| {
            let item = entry.item.clone().filter(|_| is_seen(own));
            let item = item.filter(&is_wanted)?;
            Some(((entry.created_at, own.clone()), item))
        });
        let read = |cursor: &str| {
            let own = cursor.parse().ok().filter(is_seen)?;
            let created_at = self.0.get(&own)?.created_at;
            Some((created_at, own))
        };
        page(wanted.collect(), request, read, |(_, own)| own.to_string())
    }
}

/// Returns the error for an id or a slug that is taken.
pub(crate) fn already_exists(id: impl Display) -> Error {
    Error::new(Problem::AlreadyExists, format!("{id} already exists"))
}
