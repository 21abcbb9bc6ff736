//! Connections: saved, found, listed, deleted.
//!
//! Sealing their secrets is no storage's business.

use super::fixtures::{at, refused_as, scope};
use super::settings::{connection, connection_id, put_connection};
use crate::error::ErrorKind::{Conflict, Malformed, NotFound};
use crate::model::{PageRequest, Scope, StoredConnection};
use crate::storage::{ConnectionFilter, Expect, PutConnection, Storage};

async fn save(storage: &dyn Storage, put: PutConnection) -> StoredConnection {
    storage.put_connection(put).await.unwrap()
}

/// A save by a tenant.
fn put_for(id: &str, tenant: &str) -> PutConnection {
    let mut put = put_connection(id);
    put.scope = scope(tenant);
    put
}

async fn find(storage: &dyn Storage, id: &str, scope: &Scope) -> Option<StoredConnection> {
    let id = connection_id(id);
    storage.find_connection(&id, scope).await.unwrap()
}

async fn delete(storage: &dyn Storage, id: &str) {
    let id = connection_id(id);
    let deleted = storage.delete_connection(&id, &Scope::All, at(9));
    deleted.await.unwrap();
}

/// The ids of a page, its total and its cursor.
async fn page(
    storage: &dyn Storage,
    tenant: Option<&str>,
    page: PageRequest,
) -> (Vec<String>, Option<u64>, Option<String>) {
    let filter = ConnectionFilter {
        scope: tenant.map_or(Scope::All, scope),
    };
    let page = storage.list_connections(filter, page).await.unwrap();
    let ids = page.items.iter().map(|stored| stored.id.to_string());
    (ids.collect(), page.total, page.next)
}

fn after(cursor: Option<&str>, limit: u32) -> PageRequest {
    let cursor = cursor.map(str::to_owned);
    PageRequest::After { cursor, limit }
}

/// A saved connection is found as it was given, and by nothing but its id.
pub async fn a_saved_connection_is_found_as_it_was_given(storage: &dyn Storage) {
    let put = put_connection("warehouse");
    let stored = save(storage, put.clone()).await;
    assert_eq!((stored.version, &stored.fields), (1, &put.fields));
    assert_eq!((stored.created_at, stored.updated_at), (at(0), at(0)));
    assert_eq!(find(storage, "warehouse", &Scope::All).await, Some(stored));
    assert_eq!(find(storage, "ware", &Scope::All).await, None);
}

/// A save that changes nothing keeps the version and the time of the last change.
pub async fn a_save_that_changes_nothing_keeps_version_and_time(storage: &dyn Storage) {
    let first = save(storage, put_connection("warehouse")).await;
    let mut again = put_connection("warehouse");
    again.now = at(5);
    assert_eq!(save(storage, again).await, first);
    assert_eq!(find(storage, "warehouse", &Scope::All).await, Some(first));
}

/// A changed connection raises the version by one and keeps the time of its creation.
pub async fn a_change_raises_the_version_by_one(storage: &dyn Storage) {
    save(storage, put_connection("warehouse")).await;
    let mut changed = put_connection("warehouse");
    (changed.fields, changed.now) = (connection("other"), at(5));
    changed.expect = Expect::Version(1);
    let stored = save(storage, changed.clone()).await;
    assert_eq!((stored.version, &stored.fields), (2, &changed.fields));
    assert_eq!((stored.created_at, stored.updated_at), (at(0), at(5)));
    assert_eq!(find(storage, "warehouse", &Scope::All).await, Some(stored));
}

/// A save that expects something else is refused and changes nothing.
pub async fn a_save_that_expects_something_else_is_refused(storage: &dyn Storage) {
    let first = save(storage, put_connection("warehouse")).await;
    let refused = async |id: &str, expect| {
        let mut put = put_connection(id);
        (put.fields, put.expect) = (connection("other"), expect);
        storage.put_connection(put).await
    };
    let absent = refused("warehouse", Expect::Absent).await;
    refused_as(absent, Conflict, "already-exists");
    let version = refused("warehouse", Expect::Version(2)).await;
    refused_as(version, Conflict, "precondition-failed");
    for expect in [Expect::Present, Expect::Version(1)] {
        let present = refused("missing", expect).await;
        refused_as(present, NotFound, "connection-not-found");
    }
    assert_eq!(find(storage, "warehouse", &Scope::All).await, Some(first));
    assert_eq!(find(storage, "missing", &Scope::All).await, None);
}

/// A connection belongs to the tenant that made it, whoever replaces it; another tenant's reads as absent, and its id as taken.
pub async fn a_foreign_connection_reads_as_absent_and_its_id_as_taken(storage: &dyn Storage) {
    save(storage, put_for("warehouse", "ann")).await;
    let mut by_all = put_connection("warehouse");
    by_all.fields = connection("other");
    let stored = save(storage, by_all).await;
    assert_eq!(stored.tenant.as_ref(), scope("ann").tenant());
    assert_eq!(find(storage, "warehouse", &scope("ben")).await, None);
    for (expect, kind, slug) in [
        (Expect::Any, Conflict, "already-exists"),
        (Expect::Absent, Conflict, "already-exists"),
        (Expect::Present, NotFound, "connection-not-found"),
    ] {
        let mut foreign = put_for("warehouse", "ben");
        foreign.expect = expect;
        refused_as(storage.put_connection(foreign).await, kind, slug);
    }
    let id = connection_id("warehouse");
    let deleted = storage.delete_connection(&id, &scope("ben"), at(9)).await;
    refused_as(deleted, NotFound, "connection-not-found");
    let found = find(storage, "warehouse", &scope("ann")).await;
    assert_eq!(found, Some(stored));
}

/// A deleted connection is gone; its id may be taken again, by another tenant too, and its versions go on.
pub async fn a_deleted_connection_is_gone_and_its_versions_go_on(storage: &dyn Storage) {
    save(storage, put_for("warehouse", "ann")).await;
    delete(storage, "warehouse").await;
    assert_eq!(find(storage, "warehouse", &Scope::All).await, None);
    let id = connection_id("warehouse");
    let again = storage.delete_connection(&id, &Scope::All, at(10)).await;
    refused_as(again, NotFound, "connection-not-found");
    let mut revived = put_for("warehouse", "ben");
    (revived.now, revived.expect) = (at(11), Expect::Absent);
    let stored = save(storage, revived).await;
    assert_eq!((stored.version, stored.created_at), (2, at(11)));
    assert_eq!(
        find(storage, "warehouse", &scope("ben")).await,
        Some(stored)
    );
    assert_eq!(find(storage, "warehouse", &scope("ann")).await, None);
}

/// The newest come first, equal ones by id descending.
pub async fn the_newest_come_first_and_equal_ones_by_id(storage: &dyn Storage) {
    for (id, second) in [("b", 0), ("a", 1), ("c", 1), ("d", 1)] {
        let mut put = put_connection(id);
        put.now = at(second);
        save(storage, put).await;
    }
    delete(storage, "c").await;
    let (ids, total, next) = page(storage, None, PageRequest::Newest { limit: 50 }).await;
    assert_eq!(ids, ["d", "a", "b"]);
    assert_eq!((total, next), (None, None));
}

/// A cursor goes on where the page before ended, though its connection was deleted since; one that is none is refused.
pub async fn a_cursor_goes_on_though_its_connection_was_deleted(storage: &dyn Storage) {
    for (id, second) in [("a", 0), ("b", 1), ("c", 2), ("d", 3)] {
        let mut put = put_for(id, "ann");
        put.now = at(second);
        save(storage, put).await;
    }
    let (ids, total, next) = page(storage, None, after(None, 2)).await;
    assert_eq!(
        (&ids[..], total),
        (&["d", "c"].map(str::to_owned)[..], None)
    );
    assert_eq!(next.as_deref(), Some("c"));
    delete(storage, "c").await;
    let (ids, _, next) = page(storage, Some("ann"), after(Some("c"), 1)).await;
    assert_eq!((ids, next.as_deref()), (vec!["b".to_owned()], Some("b")));
    let (ids, _, next) = page(storage, None, after(Some("b"), 1)).await;
    assert_eq!((ids, next), (vec!["a".to_owned()], None));
    for (tenant, cursor) in [("ann", "missing"), ("ben", "b")] {
        let filter = ConnectionFilter {
            scope: scope(tenant),
        };
        let listed = storage.list_connections(filter, after(Some(cursor), 2));
        refused_as(listed.await, Malformed, "invalid-parameter");
    }
}

/// Numbered pages tell the total of what the caller sees.
pub async fn numbered_pages_tell_the_total(storage: &dyn Storage) {
    for (id, tenant) in [("a", "ann"), ("b", "ben"), ("c", "ann"), ("d", "ann")] {
        save(storage, put_for(id, tenant)).await;
    }
    delete(storage, "d").await;
    for (number, expected) in [(1, &["c"][..]), (2, &["a"]), (3, &[])] {
        let numbered = PageRequest::Numbered {
            page: number,
            per_page: 1,
        };
        let (ids, total, _) = page(storage, Some("ann"), numbered).await;
        assert_eq!(
            (ids, total),
            (expected.iter().map(ToString::to_string).collect(), Some(2))
        );
    }
}
