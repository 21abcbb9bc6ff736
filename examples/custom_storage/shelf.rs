//! Things under an id, with versions and tenants: how pipelines, connections and variables are all
//! kept.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt::Display;

use chrono::{DateTime, Utc};
use floret::storage::Expect;
use floret::{
    Error, PageRequest, Problem, Result, Scope, StoredConnection, StoredPipeline, StoredVariable,
    TenantId,
};

use crate::pages::{Page, page};

/// What every kept thing says of itself.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    tenant: Option<TenantId>,
    version: u32,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

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

/// How a save is meant.
pub(crate) struct Save<'a> {
    pub(crate) expect: Expect,
    pub(crate) scope: &'a Scope,
    pub(crate) now: DateTime<Utc>,
    /// What is answered where the item is expected and absent.
    pub(crate) absent: Error,
}

/// An item, or what must be known of one that was deleted: versions go on, and its id still works
/// as a cursor.
#[derive(Debug, Clone, PartialEq)]
struct Slot<T> {
    tenant: Option<TenantId>,
    version: u32,
    created_at: DateTime<Utc>,
    item: Option<T>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shelf<K, T>(BTreeMap<K, Slot<T>>);

impl<K, T> Default for Shelf<K, T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord + Clone + Display + Borrow<str>, T: Item> Shelf<K, T> {
    /// Every item, of every tenant.
    pub(crate) fn items(&self) -> impl Iterator<Item = &T> {
        self.0.values().filter_map(|slot| slot.item.as_ref())
    }

    pub(crate) fn find(&self, id: &str, scope: &Scope) -> Option<&T> {
        let item = self.0.get(id)?.item.as_ref()?;
        scope.admits(item.head().tenant.as_ref()).then_some(item)
    }

    /// Refuses a save that does not find what it expects.
    pub(crate) fn check(&self, id: &K, save: Save<'_>) -> Result<()> {
        let seen = self.find(id.borrow(), save.scope);
        let is_taken = self.find(id.borrow(), &Scope::All).is_some();
        match (save.expect, seen) {
            (Expect::Absent, _) if is_taken => Err(taken(id)),
            (Expect::Any, None) if is_taken => Err(taken(id)),
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

    /// Puts an item as the next version of the one that is there, or of the one that was.
    pub(crate) fn save(&mut self, id: K, fresh: T, save: Save<'_>) -> Result<T> {
        let (scope, now) = (save.scope, save.now);
        self.check(&id, save)?;
        let slot = self.0.get::<str>(id.borrow());
        let version = slot.map_or(0, |slot| slot.version).saturating_add(1);
        let head = match slot.and_then(|slot| slot.item.as_ref()) {
            Some(old) if fresh.clone().with(old.head()) == *old => return Ok(old.clone()),
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
        let slot = Slot {
            tenant: head.tenant.clone(),
            version,
            created_at: head.created_at,
            item: Some(fresh.with(head)),
        };
        let answer = slot.item.clone();
        self.0.insert(id, slot);
        answer.ok_or_else(|| Error::internal("an item that was put is not there"))
    }

    /// Takes an item away; whether one was there.
    pub(crate) fn remove(&mut self, id: &K, scope: &Scope) -> bool {
        let is_seen = self.find(id.borrow(), scope).is_some();
        if let Some(slot) = self.0.get_mut::<str>(id.borrow()).filter(|_| is_seen) {
            slot.item = None;
        }
        is_seen
    }

    /// The newest first, equal ones by id descending.
    pub(crate) fn list(
        &self,
        request: &PageRequest,
        scope: &Scope,
        is_wanted: impl Fn(&T) -> bool,
    ) -> Result<Page<T>> {
        let is_seen = |slot: &Slot<T>| scope.admits(slot.tenant.as_ref());
        let wanted = self.0.iter().filter_map(|(id, slot)| {
            let item = slot.item.clone().filter(|_| is_seen(slot));
            let item = item.filter(&is_wanted)?;
            Some(((slot.created_at, id.clone()), item))
        });
        let node_index = |cursor: &str| {
            let (id, slot) = self.0.get_key_value(cursor)?;
            is_seen(slot).then(|| (slot.created_at, id.clone()))
        };
        page(wanted.collect(), request, node_index, |(_, id)| {
            id.to_string()
        })
    }
}

pub(crate) fn taken(id: impl Display) -> Error {
    Error::new(Problem::AlreadyExists, format!("{id} is taken"))
}
