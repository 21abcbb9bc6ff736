//! The cases of connections and variables, which are kept by the same rules.
//!
//! How each is asked for stands in its own file. Sealing secrets is no storage's business.

use std::fmt::Debug;

use chrono::{DateTime, Utc};

use super::fixtures::{at, refused_as, scope};
use crate::error::{Problem, Result};
use crate::model::{Page, PageRequest, Scope, TenantId};
use crate::storage::{Expect, Storage};

/// Connections, or variables.
pub(super) trait Noun {
    type Fields: Clone + PartialEq + Debug;
    /// The slug of one that is not there.
    const NOT_FOUND: Problem;

    /// Every field; `other` differs from the rest in one that is sealed.
    fn fields(says: &str) -> Self::Fields;
    async fn put(storage: &dyn Storage, put: Put) -> Result<Kept<Self::Fields>>;
    async fn find(
        storage: &dyn Storage,
        id: &str,
        scope: &Scope,
    ) -> Result<Option<Kept<Self::Fields>>>;
    async fn list(
        storage: &dyn Storage,
        scope: Scope,
        page: PageRequest,
    ) -> Result<Page<Kept<Self::Fields>>>;
    async fn delete(
        storage: &dyn Storage,
        id: &str,
        scope: &Scope,
        now: DateTime<Utc>,
    ) -> Result<()>;
}

/// A save.
pub(super) struct Put {
    pub(super) id: &'static str,
    pub(super) says: &'static str,
    pub(super) expect: Expect,
    pub(super) scope: Scope,
    pub(super) now: DateTime<Utc>,
}

impl Put {
    /// A save at second 0.
    fn new(id: &'static str) -> Self {
        Self {
            id,
            says: "first",
            expect: Expect::Any,
            scope: Scope::All,
            now: at(0),
        }
    }

    /// A save by a tenant.
    fn by(id: &'static str, tenant: &str) -> Self {
        Self {
            scope: scope(tenant),
            ..Self::new(id)
        }
    }
}

/// One as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Kept<F> {
    pub(super) id: String,
    pub(super) tenant: Option<TenantId>,
    pub(super) version: u32,
    pub(super) fields: F,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
}

async fn save<N: Noun>(storage: &dyn Storage, put: Put) -> Kept<N::Fields> {
    N::put(storage, put).await.unwrap()
}

async fn find<N: Noun>(storage: &dyn Storage, id: &str, scope: &Scope) -> Option<Kept<N::Fields>> {
    N::find(storage, id, scope).await.unwrap()
}

async fn delete<N: Noun>(storage: &dyn Storage, id: &str) {
    N::delete(storage, id, &Scope::All, at(9)).await.unwrap();
}

/// The ids of a page, its total and its cursor.
async fn page<N: Noun>(
    storage: &dyn Storage,
    tenant: Option<&str>,
    page: PageRequest,
) -> (Vec<String>, Option<u64>, Option<String>) {
    let scope = tenant.map_or(Scope::All, scope);
    let page = N::list(storage, scope, page).await.unwrap();
    let ids = page.items.into_iter().map(|kept| kept.id);
    (ids.collect(), page.total, page.next)
}

fn after(cursor: Option<&str>, limit: u32) -> PageRequest {
    let cursor = cursor.map(str::to_owned);
    PageRequest::After { cursor, limit }
}

pub(super) async fn a_saved_one_is_found_as_it_was_given<N: Noun>(storage: &dyn Storage) {
    let kept = save::<N>(storage, Put::new("one")).await;
    assert_eq!((&*kept.id, kept.version), ("one", 1));
    assert_eq!(kept.fields, N::fields("first"));
    assert_eq!((kept.created_at, kept.updated_at), (at(0), at(0)));
    assert_eq!(find::<N>(storage, "one", &Scope::All).await, Some(kept));
    assert_eq!(find::<N>(storage, "on", &Scope::All).await, None);
}

pub(super) async fn a_save_that_changes_nothing_keeps_version_and_time<N: Noun>(
    storage: &dyn Storage,
) {
    let first = save::<N>(storage, Put::new("one")).await;
    let mut again = Put::new("one");
    again.now = at(5);
    assert_eq!(save::<N>(storage, again).await, first);
    assert_eq!(find::<N>(storage, "one", &Scope::All).await, Some(first));
}

pub(super) async fn a_change_raises_the_version_by_one<N: Noun>(storage: &dyn Storage) {
    save::<N>(storage, Put::new("one")).await;
    let mut changed = Put::new("one");
    (changed.says, changed.now) = ("other", at(5));
    changed.expect = Expect::Version(1);
    let kept = save::<N>(storage, changed).await;
    assert_eq!((kept.version, &kept.fields), (2, &N::fields("other")));
    assert_eq!((kept.created_at, kept.updated_at), (at(0), at(5)));
    assert_eq!(find::<N>(storage, "one", &Scope::All).await, Some(kept));
}

pub(super) async fn a_save_that_expects_something_else_is_refused<N: Noun>(storage: &dyn Storage) {
    let first = save::<N>(storage, Put::new("one")).await;
    let refused = async |id, expect| {
        let mut put = Put::new(id);
        (put.says, put.expect) = ("other", expect);
        N::put(storage, put).await
    };
    let absent = refused("one", Expect::Absent).await;
    refused_as(absent, Problem::AlreadyExists);
    let version = refused("one", Expect::Version(2)).await;
    refused_as(version, Problem::PreconditionFailed);
    for expect in [Expect::Present, Expect::Version(1)] {
        let present = refused("missing", expect).await;
        refused_as(present, N::NOT_FOUND);
    }
    assert_eq!(find::<N>(storage, "one", &Scope::All).await, Some(first));
    assert_eq!(find::<N>(storage, "missing", &Scope::All).await, None);
}

pub(super) async fn a_foreign_one_reads_as_absent_and_its_id_as_taken<N: Noun>(
    storage: &dyn Storage,
) {
    save::<N>(storage, Put::by("one", "ann")).await;
    let mut by_all = Put::new("one");
    by_all.says = "other";
    let kept = save::<N>(storage, by_all).await;
    assert_eq!(kept.tenant.as_ref(), scope("ann").tenant());
    assert_eq!(find::<N>(storage, "one", &scope("ben")).await, None);
    for (expect, problem) in [
        (Expect::Any, Problem::AlreadyExists),
        (Expect::Absent, Problem::AlreadyExists),
        (Expect::Present, N::NOT_FOUND),
    ] {
        let mut foreign = Put::by("one", "ben");
        foreign.expect = expect;
        refused_as(N::put(storage, foreign).await, problem);
    }
    let deleted = N::delete(storage, "one", &scope("ben"), at(9)).await;
    refused_as(deleted, N::NOT_FOUND);
    assert_eq!(find::<N>(storage, "one", &scope("ann")).await, Some(kept));
}

pub(super) async fn a_deleted_one_is_gone_and_its_versions_go_on<N: Noun>(storage: &dyn Storage) {
    save::<N>(storage, Put::by("one", "ann")).await;
    delete::<N>(storage, "one").await;
    assert_eq!(find::<N>(storage, "one", &Scope::All).await, None);
    let again = N::delete(storage, "one", &Scope::All, at(10)).await;
    refused_as(again, N::NOT_FOUND);
    let mut revived = Put::by("one", "ben");
    (revived.now, revived.expect) = (at(11), Expect::Absent);
    let kept = save::<N>(storage, revived).await;
    assert_eq!((kept.version, kept.created_at), (2, at(11)));
    assert_eq!(find::<N>(storage, "one", &scope("ben")).await, Some(kept));
    assert_eq!(find::<N>(storage, "one", &scope("ann")).await, None);
}

pub(super) async fn the_newest_come_first_and_equal_ones_by_id<N: Noun>(storage: &dyn Storage) {
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

pub(super) async fn a_cursor_goes_on_though_its_item_was_deleted<N: Noun>(storage: &dyn Storage) {
    for (id, second) in [("a", 0), ("b", 1), ("c", 2), ("d", 3)] {
        let mut put = Put::by(id, "ann");
        put.now = at(second);
        save::<N>(storage, put).await;
    }
    let (ids, total, next) = page::<N>(storage, None, after(None, 2)).await;
    assert_eq!(ids, ["d", "c"]);
    assert_eq!((total, next.as_deref()), (None, Some("c")));
    delete::<N>(storage, "c").await;
    let (ids, _, next) = page::<N>(storage, Some("ann"), after(Some("c"), 1)).await;
    assert_eq!((&*ids[0], ids.len(), next.as_deref()), ("b", 1, Some("b")));
    let (ids, _, next) = page::<N>(storage, None, after(Some("b"), 1)).await;
    assert_eq!((&*ids[0], ids.len(), next), ("a", 1, None));
    for (tenant, cursor) in [("ann", "missing"), ("ben", "b")] {
        let listed = N::list(storage, scope(tenant), after(Some(cursor), 2)).await;
        refused_as(listed, Problem::InvalidParameter);
    }
}

pub(super) async fn numbered_pages_tell_the_total<N: Noun>(storage: &dyn Storage) {
    for (id, tenant) in [("a", "ann"), ("b", "ben"), ("c", "ann"), ("d", "ann")] {
        save::<N>(storage, Put::by(id, tenant)).await;
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
