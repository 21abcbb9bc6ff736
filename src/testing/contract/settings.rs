//! The cases that connections and variables share, because the same rules apply to both.
//!
//! The calls of each are in `connections` and `variables`. The engine seals secrets.

use std::fmt::Debug;

use chrono::{DateTime, Utc};

use super::fixtures::{assert_problem, at, scope};
use crate::error::{Problem, Result};
use crate::model::{Page, PageRequest, Scope, TenantId};
use crate::storage::{Expect, Storage};

/// The calls of connections or of variables.
pub(super) trait ItemKind {
    type Fields: Clone + PartialEq + Debug;
    /// The problem of a missing item.
    const NOT_FOUND: Problem;

    /// Returns all fields. The label `other` changes a field, for variables a sealed one.
    fn fields(label: &str) -> Self::Fields;
    async fn put(storage: &dyn Storage, put: Put) -> Result<StoredItem<Self::Fields>>;
    async fn find(
        storage: &dyn Storage,
        id: &str,
        scope: &Scope,
    ) -> Result<Option<StoredItem<Self::Fields>>>;
    async fn list(
        storage: &dyn Storage,
        scope: Scope,
        page: PageRequest,
    ) -> Result<Page<StoredItem<Self::Fields>>>;
    async fn delete(
        storage: &dyn Storage,
        id: &str,
        scope: &Scope,
        now: DateTime<Utc>,
    ) -> Result<()>;
}

/// A save of an item.
pub(super) struct Put {
    pub(super) id: &'static str,
    pub(super) label: &'static str,
    pub(super) expect: Expect,
    pub(super) scope: Scope,
    pub(super) now: DateTime<Utc>,
}

impl Put {
    /// Returns a save by the host at second 0.
    fn new(id: &'static str) -> Self {
        Self {
            id,
            label: "first",
            expect: Expect::Any,
            scope: Scope::All,
            now: at(0),
        }
    }

    /// Returns a save by a tenant at second 0.
    fn of_tenant(id: &'static str, tenant: &str) -> Self {
        Self {
            scope: scope(tenant),
            ..Self::new(id)
        }
    }
}

/// A stored connection or variable.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct StoredItem<F> {
    pub(super) id: String,
    pub(super) tenant: Option<TenantId>,
    pub(super) version: u32,
    pub(super) fields: F,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
}

async fn save<N: ItemKind>(storage: &dyn Storage, put: Put) -> StoredItem<N::Fields> {
    N::put(storage, put).await.unwrap()
}

async fn find<N: ItemKind>(
    storage: &dyn Storage,
    id: &str,
    scope: &Scope,
) -> Option<StoredItem<N::Fields>> {
    N::find(storage, id, scope).await.unwrap()
}

async fn delete<N: ItemKind>(storage: &dyn Storage, id: &str) {
    N::delete(storage, id, &Scope::All, at(9)).await.unwrap();
}

/// Returns the ids of a page, its total and its cursor.
async fn page<N: ItemKind>(
    storage: &dyn Storage,
    tenant: Option<&str>,
    page: PageRequest,
) -> (Vec<String>, Option<u64>, Option<String>) {
    let scope = tenant.map_or(Scope::All, scope);
    let page = N::list(storage, scope, page).await.unwrap();
    let ids = page.items.into_iter().map(|item| item.id);
    (ids.collect(), page.total, page.next)
}

fn after(cursor: Option<&str>, limit: u32) -> PageRequest {
    let cursor = cursor.map(str::to_owned);
    PageRequest::After { cursor, limit }
}

pub(super) async fn a_saved_item_is_returned_unchanged<N: ItemKind>(storage: &dyn Storage) {
    let item = save::<N>(storage, Put::new("one")).await;
    assert_eq!((&*item.id, item.version), ("one", 1));
    assert_eq!(item.fields, N::fields("first"));
    assert_eq!((item.created_at, item.updated_at), (at(0), at(0)));
    assert_eq!(find::<N>(storage, "one", &Scope::All).await, Some(item));
    assert_eq!(find::<N>(storage, "on", &Scope::All).await, None);
}

pub(super) async fn a_save_without_changes_keeps_version_and_update_time<N: ItemKind>(
    storage: &dyn Storage,
) {
    let first = save::<N>(storage, Put::new("one")).await;
    let mut again = Put::new("one");
    again.now = at(5);
    assert_eq!(save::<N>(storage, again).await, first);
    assert_eq!(find::<N>(storage, "one", &Scope::All).await, Some(first));
}

pub(super) async fn a_change_raises_the_version_by_one<N: ItemKind>(storage: &dyn Storage) {
    save::<N>(storage, Put::new("one")).await;
    let mut changed = Put::new("one");
    (changed.label, changed.now) = ("other", at(5));
    changed.expect = Expect::Version(1);
    let item = save::<N>(storage, changed).await;
    assert_eq!((item.version, &item.fields), (2, &N::fields("other")));
    assert_eq!((item.created_at, item.updated_at), (at(0), at(5)));
    assert_eq!(find::<N>(storage, "one", &Scope::All).await, Some(item));
}

pub(super) async fn a_save_with_an_unmet_expectation_is_refused<N: ItemKind>(
    storage: &dyn Storage,
) {
    let first = save::<N>(storage, Put::new("one")).await;
    let refused = async |id, expect| {
        let mut put = Put::new(id);
        (put.label, put.expect) = ("other", expect);
        N::put(storage, put).await
    };
    let absent = refused("one", Expect::Absent).await;
    assert_problem(absent, Problem::AlreadyExists);
    let version = refused("one", Expect::Version(2)).await;
    assert_problem(version, Problem::PreconditionFailed);
    for expect in [Expect::Present, Expect::Version(1)] {
        let present = refused("missing", expect).await;
        assert_problem(present, N::NOT_FOUND);
    }
    assert_eq!(find::<N>(storage, "one", &Scope::All).await, Some(first));
    assert_eq!(find::<N>(storage, "missing", &Scope::All).await, None);
}

pub(super) async fn an_item_of_another_tenant_is_hidden_and_its_id_is_free<N: ItemKind>(
    storage: &dyn Storage,
) {
    save::<N>(storage, Put::of_tenant("one", "ann")).await;
    let mut by_all = Put::new("one");
    by_all.label = "other";
    let item = save::<N>(storage, by_all).await;
    assert_eq!(item.tenant.as_ref(), scope("ann").tenant());
    assert_eq!(find::<N>(storage, "one", &scope("ben")).await, None);
    let as_ben = |expect| Put {
        expect,
        ..Put::of_tenant("one", "ben")
    };
    for expect in [Expect::Present, Expect::Version(2)] {
        assert_problem(N::put(storage, as_ben(expect)).await, N::NOT_FOUND);
    }
    let deleted = N::delete(storage, "one", &scope("ben"), at(9)).await;
    assert_problem(deleted, N::NOT_FOUND);
    for expect in [Expect::Absent, Expect::Any] {
        let own = save::<N>(storage, as_ben(expect)).await;
        assert_eq!(
            (own.version, own.tenant.as_ref()),
            (1, scope("ben").tenant())
        );
        assert_eq!(find::<N>(storage, "one", &scope("ben")).await, Some(own));
    }
    N::delete(storage, "one", &scope("ben"), at(9))
        .await
        .unwrap();
    assert_eq!(find::<N>(storage, "one", &scope("ann")).await, Some(item));
}

pub(super) async fn a_name_stands_for_one_item<N: ItemKind>(storage: &dyn Storage) {
    for tenant in ["ann", "ben"] {
        save::<N>(storage, Put::of_tenant("one", tenant)).await;
    }
    let unclear = N::find(storage, "one", &Scope::All).await;
    assert_problem(unclear, Problem::TenantRequired);
    for expect in [Expect::Any, Expect::Present, Expect::Version(1)] {
        let mut put = Put::new("one");
        (put.expect, put.label) = (expect, "other");
        assert_problem(N::put(storage, put).await, Problem::TenantRequired);
    }
    let deleted = N::delete(storage, "one", &Scope::All, at(9)).await;
    assert_problem(deleted, Problem::TenantRequired);
    // A save that expects nothing creates one without a tenant, which the name then stands for.
    for expect in [Expect::Absent, Expect::Any] {
        let mut put = Put::new("one");
        put.expect = expect;
        let own = save::<N>(storage, put).await;
        assert_eq!((own.version, &own.tenant), (1, &None));
        for scope in [Scope::All, Scope::NoTenant] {
            assert_eq!(find::<N>(storage, "one", &scope).await, Some(own.clone()));
        }
    }
    for (deleted, left) in [(Scope::NoTenant, None), (scope("ann"), Some("ben"))] {
        N::delete(storage, "one", &deleted, at(9)).await.unwrap();
        assert_eq!(find::<N>(storage, "one", &deleted).await, None);
        if let Some(left) = left {
            let found = find::<N>(storage, "one", &Scope::All).await.unwrap();
            assert_eq!(found.tenant.as_ref(), scope(left).tenant());
        }
    }
}

pub(super) async fn a_recreated_item_continues_its_versions<N: ItemKind>(storage: &dyn Storage) {
    save::<N>(storage, Put::of_tenant("one", "ann")).await;
    delete::<N>(storage, "one").await;
    assert_eq!(find::<N>(storage, "one", &Scope::All).await, None);
    let again = N::delete(storage, "one", &Scope::All, at(10)).await;
    assert_problem(again, N::NOT_FOUND);
    for (tenant, version) in [("ben", 1), ("ann", 2)] {
        let mut revived = Put::of_tenant("one", tenant);
        (revived.now, revived.expect) = (at(11), Expect::Absent);
        let item = save::<N>(storage, revived).await;
        assert_eq!((item.version, item.created_at), (version, at(11)));
        assert_eq!(find::<N>(storage, "one", &scope(tenant)).await, Some(item));
    }
}

pub(super) async fn items_are_listed_newest_first<N: ItemKind>(storage: &dyn Storage) {
    for (id, second) in [("b", 0), ("a", 1), ("c", 1), ("d", 1)] {
        let mut put = Put::new(id);
        put.now = at(second);
        save::<N>(storage, put).await;
    }
    delete::<N>(storage, "c").await;
    let (ids, total, next) = page::<N>(storage, None, PageRequest::Newest { limit: 50 }).await;
    assert_eq!(ids, ["d", "a", "b"]);
    assert_eq!((total, next), (None, None));
}

pub(super) async fn a_cursor_works_after_its_item_is_deleted<N: ItemKind>(storage: &dyn Storage) {
    for (id, second) in [("a", 0), ("b", 1), ("c", 2), ("d", 3)] {
        let mut put = Put::of_tenant(id, "ann");
        put.now = at(second);
        save::<N>(storage, put).await;
    }
    let (ids, total, next) = page::<N>(storage, None, after(None, 2)).await;
    assert_eq!(ids, ["d", "c"]);
    assert_eq!((total, next.as_deref()), (None, Some("ann/c")));
    delete::<N>(storage, "c").await;
    let (ids, _, next) = page::<N>(storage, Some("ann"), after(Some("ann/c"), 1)).await;
    assert_eq!(
        (&*ids[0], ids.len(), next.as_deref()),
        ("b", 1, Some("ann/b"))
    );
    let (ids, _, next) = page::<N>(storage, None, after(Some("ann/b"), 1)).await;
    assert_eq!((&*ids[0], ids.len(), next), ("a", 1, None));
    for (tenant, cursor) in [("ann", "ann/missing"), ("ann", "b"), ("ben", "ann/b")] {
        let listed = N::list(storage, scope(tenant), after(Some(cursor), 2)).await;
        assert_problem(listed, Problem::InvalidParameter);
    }
}

pub(super) async fn items_with_one_id_are_listed_by_tenant<N: ItemKind>(storage: &dyn Storage) {
    for tenant in ["ben", "ann"] {
        save::<N>(storage, Put::of_tenant("one", tenant)).await;
    }
    let mut put = Put::new("one");
    put.expect = Expect::Absent;
    save::<N>(storage, put).await;
    let mut cursor = None;
    for expected in [Some("ben/one"), Some("ann/one"), None] {
        let (ids, _, next) = page::<N>(storage, None, after(cursor.as_deref(), 1)).await;
        assert_eq!(
            (ids.as_slice(), next.as_deref()),
            (&["one".to_owned()][..], expected)
        );
        cursor = next;
    }
    let none = N::list(storage, Scope::NoTenant, after(None, 9))
        .await
        .unwrap();
    assert_eq!(none.items.len(), 1);
    assert_eq!(none.items[0].tenant, None);
    for (scope, cursor) in [(Scope::NoTenant, "ann/one"), (scope("ann"), "one")] {
        let refused = N::list(storage, scope, after(Some(cursor), 9)).await;
        assert_problem(refused, Problem::InvalidParameter);
    }
}

pub(super) async fn numbered_pages_return_the_total<N: ItemKind>(storage: &dyn Storage) {
    for (id, tenant) in [("a", "ann"), ("b", "ben"), ("c", "ann"), ("d", "ann")] {
        save::<N>(storage, Put::of_tenant(id, tenant)).await;
    }
    delete::<N>(storage, "d").await;
    for (number, expected) in [(1, &["c"][..]), (2, &["a"]), (3, &[])] {
        let numbered = PageRequest::Numbered {
            page: number,
            per_page: 1,
        };
        let (ids, total, _) = page::<N>(storage, Some("ann"), numbered).await;
        assert_eq!(ids, expected);
        assert_eq!(total, Some(2));
    }
}
