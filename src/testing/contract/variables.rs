//! Variables: saved, found, listed, deleted.
//!
//! Sealing secret ones is no storage's business.

use super::fixtures::{at, refused_as, scope};
use super::settings::{put_variable, variable, variable_key};
use crate::error::ErrorKind::{Conflict, Malformed, NotFound};
use crate::model::{PageRequest, Scope, StoredVariable};
use crate::storage::{Expect, PutVariable, Storage, VariableFilter};

async fn save(storage: &dyn Storage, put: PutVariable) -> StoredVariable {
    storage.put_variable(put).await.unwrap()
}

/// A save by a tenant.
fn put_for(id: &str, tenant: &str) -> PutVariable {
    let mut put = put_variable(id);
    put.scope = scope(tenant);
    put
}

async fn find(storage: &dyn Storage, id: &str, scope: &Scope) -> Option<StoredVariable> {
    let id = variable_key(id);
    storage.find_variable(&id, scope).await.unwrap()
}

async fn delete(storage: &dyn Storage, id: &str) {
    let id = variable_key(id);
    let deleted = storage.delete_variable(&id, &Scope::All, at(9));
    deleted.await.unwrap();
}

/// The keys of a page, its total and its cursor.
async fn page(
    storage: &dyn Storage,
    tenant: Option<&str>,
    page: PageRequest,
) -> (Vec<String>, Option<u64>, Option<String>) {
    let filter = VariableFilter {
        scope: tenant.map_or(Scope::All, scope),
    };
    let page = storage.list_variables(filter, page).await.unwrap();
    let ids = page.items.iter().map(|stored| stored.key.to_string());
    (ids.collect(), page.total, page.next)
}

fn after(cursor: Option<&str>, limit: u32) -> PageRequest {
    let cursor = cursor.map(str::to_owned);
    PageRequest::After { cursor, limit }
}

/// A saved variable is found as it was given, and by nothing but its key.
pub async fn a_saved_variable_is_found_as_it_was_given(storage: &dyn Storage) {
    let put = put_variable("BUCKET");
    let stored = save(storage, put.clone()).await;
    assert_eq!((stored.version, &stored.fields), (1, &put.fields));
    assert_eq!((stored.created_at, stored.updated_at), (at(0), at(0)));
    assert_eq!(find(storage, "BUCKET", &Scope::All).await, Some(stored));
    assert_eq!(find(storage, "ware", &Scope::All).await, None);
}

/// A save that changes nothing keeps the version and the time of the last change.
pub async fn a_save_that_changes_nothing_keeps_version_and_time(storage: &dyn Storage) {
    let first = save(storage, put_variable("BUCKET")).await;
    let mut again = put_variable("BUCKET");
    again.now = at(5);
    assert_eq!(save(storage, again).await, first);
    assert_eq!(find(storage, "BUCKET", &Scope::All).await, Some(first));
}

/// A changed variable raises the version by one and keeps the time of its creation.
pub async fn a_change_raises_the_version_by_one(storage: &dyn Storage) {
    save(storage, put_variable("BUCKET")).await;
    let mut changed = put_variable("BUCKET");
    (changed.fields, changed.now) = (variable("other"), at(5));
    changed.expect = Expect::Version(1);
    let stored = save(storage, changed.clone()).await;
    assert_eq!((stored.version, &stored.fields), (2, &changed.fields));
    assert_eq!((stored.created_at, stored.updated_at), (at(0), at(5)));
    assert_eq!(find(storage, "BUCKET", &Scope::All).await, Some(stored));
}

/// A save that expects something else is refused and changes nothing.
pub async fn a_save_that_expects_something_else_is_refused(storage: &dyn Storage) {
    let first = save(storage, put_variable("BUCKET")).await;
    let refused = async |id: &str, expect| {
        let mut put = put_variable(id);
        (put.fields, put.expect) = (variable("other"), expect);
        storage.put_variable(put).await
    };
    let absent = refused("BUCKET", Expect::Absent).await;
    refused_as(absent, Conflict, "already-exists");
    let version = refused("BUCKET", Expect::Version(2)).await;
    refused_as(version, Conflict, "precondition-failed");
    for expect in [Expect::Present, Expect::Version(1)] {
        let present = refused("missing", expect).await;
        refused_as(present, NotFound, "variable-not-found");
    }
    assert_eq!(find(storage, "BUCKET", &Scope::All).await, Some(first));
    assert_eq!(find(storage, "missing", &Scope::All).await, None);
}

/// A variable belongs to the tenant that made it, whoever replaces it; another tenant's reads as absent, and its key as taken.
pub async fn a_foreign_variable_reads_as_absent_and_its_key_as_taken(storage: &dyn Storage) {
    save(storage, put_for("BUCKET", "ann")).await;
    let mut by_all = put_variable("BUCKET");
    by_all.fields = variable("other");
    let stored = save(storage, by_all).await;
    assert_eq!(stored.tenant.as_ref(), scope("ann").tenant());
    assert_eq!(find(storage, "BUCKET", &scope("ben")).await, None);
    for (expect, kind, slug) in [
        (Expect::Any, Conflict, "already-exists"),
        (Expect::Absent, Conflict, "already-exists"),
        (Expect::Present, NotFound, "variable-not-found"),
    ] {
        let mut foreign = put_for("BUCKET", "ben");
        foreign.expect = expect;
        refused_as(storage.put_variable(foreign).await, kind, slug);
    }
    let id = variable_key("BUCKET");
    let deleted = storage.delete_variable(&id, &scope("ben"), at(9)).await;
    refused_as(deleted, NotFound, "variable-not-found");
    let found = find(storage, "BUCKET", &scope("ann")).await;
    assert_eq!(found, Some(stored));
}

/// A deleted variable is gone; its key may be taken again, by another tenant too, and its versions go on.
pub async fn a_deleted_variable_is_gone_and_its_versions_go_on(storage: &dyn Storage) {
    save(storage, put_for("BUCKET", "ann")).await;
    delete(storage, "BUCKET").await;
    assert_eq!(find(storage, "BUCKET", &Scope::All).await, None);
    let id = variable_key("BUCKET");
    let again = storage.delete_variable(&id, &Scope::All, at(10)).await;
    refused_as(again, NotFound, "variable-not-found");
    let mut revived = put_for("BUCKET", "ben");
    (revived.now, revived.expect) = (at(11), Expect::Absent);
    let stored = save(storage, revived).await;
    assert_eq!((stored.version, stored.created_at), (2, at(11)));
    assert_eq!(find(storage, "BUCKET", &scope("ben")).await, Some(stored));
    assert_eq!(find(storage, "BUCKET", &scope("ann")).await, None);
}

/// The newest come first, equal ones by key descending.
pub async fn the_newest_come_first_and_equal_ones_by_key(storage: &dyn Storage) {
    for (id, second) in [("b", 0), ("a", 1), ("c", 1), ("d", 1)] {
        let mut put = put_variable(id);
        put.now = at(second);
        save(storage, put).await;
    }
    delete(storage, "c").await;
    let (ids, total, next) = page(storage, None, PageRequest::Newest { limit: 50 }).await;
    assert_eq!(ids, ["d", "a", "b"]);
    assert_eq!((total, next), (None, None));
}

/// A cursor goes on where the page before ended, though its variable was deleted since; one that is none is refused.
pub async fn a_cursor_goes_on_though_its_variable_was_deleted(storage: &dyn Storage) {
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
        let filter = VariableFilter {
            scope: scope(tenant),
        };
        let listed = storage.list_variables(filter, after(Some(cursor), 2));
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
