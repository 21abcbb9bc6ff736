//! Variables: their saves, finds, lists and deletes.
//!
//! `settings` holds the bodies of the cases, which connections and variables share.

use chrono::{DateTime, Utc};

use super::fixtures::{assert_problem, at, scope};
use super::settings::{self, ItemKind, Put, StoredItem};
use crate::error::{Problem, Result};
use crate::model::{
    Page, PageRequest, Scope, Sealed, StoredVariable, VariableFields, VariableKey, VariableValue,
};
use crate::storage::{DeleteVariable, PutVariable, Storage, VariableFilter};

pub(crate) fn variable_key(text: &str) -> VariableKey {
    VariableKey::new(text).unwrap()
}

/// Returns the fields of a plain variable. `other` makes a secret one.
pub(crate) fn variable(text: &str) -> VariableFields {
    let value = match text {
        "other" => VariableValue::Secret(Sealed::from_bytes(vec![0, 255, 1])),
        text => VariableValue::Plain(text.to_owned()),
    };
    let mut fields = VariableFields::new(value);
    fields.description = "where the orders are".to_owned();
    fields
}

fn to_item(stored: StoredVariable) -> StoredItem<VariableFields> {
    let StoredVariable {
        key,
        tenant,
        version,
        fields,
        created_at,
        updated_at,
    } = stored;
    StoredItem {
        id: key.to_string(),
        tenant,
        version,
        fields,
        created_at,
        updated_at,
    }
}

struct Variables;

impl ItemKind for Variables {
    type Fields = VariableFields;
    const NOT_FOUND: Problem = Problem::VariableNotFound;

    fn fields(label: &str) -> VariableFields {
        variable(label)
    }

    async fn put(storage: &dyn Storage, put: Put) -> Result<StoredItem<VariableFields>> {
        let put = PutVariable {
            key: variable_key(put.id),
            fields: variable(put.label),
            expect: put.expect,
            scope: put.scope,
            now: put.now,
            audit: None,
        };
        storage.put_variable(put).await.map(to_item)
    }

    async fn find(
        storage: &dyn Storage,
        id: &str,
        scope: &Scope,
    ) -> Result<Option<StoredItem<VariableFields>>> {
        let mut found = storage.find_variables(&[variable_key(id)], scope).await?;
        assert!(found.len() <= 1, "{found:?}");
        Ok(found.pop().map(to_item))
    }

    async fn list(
        storage: &dyn Storage,
        scope: Scope,
        page: PageRequest,
    ) -> Result<Page<StoredItem<VariableFields>>> {
        let filter = VariableFilter { scope };
        let Page { items, total, next } = storage.list_variables(filter, page).await?;
        Ok(Page::new(
            items.into_iter().map(to_item).collect(),
            total,
            next,
        ))
    }

    async fn delete(
        storage: &dyn Storage,
        id: &str,
        scope: &Scope,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let key = variable_key(id);
        let mut delete = DeleteVariable::new(key, now);
        delete.scope = scope.clone();
        storage.delete_variable(delete).await
    }
}

/// A saved variable MUST be returned unchanged, and be found by nothing but its key.
pub async fn a_saved_variable_is_returned_unchanged(storage: &dyn Storage) {
    settings::a_saved_item_is_returned_unchanged::<Variables>(storage).await;
}

/// Several variables MUST be found in the order of their keys, without those that are absent or of
/// another tenant.
pub async fn several_variables_are_found_in_one_call(storage: &dyn Storage) {
    let tenant = scope("own");
    for (id, owner) in [("a", &tenant), ("b", &Scope::All), ("c", &tenant)] {
        let mut put = PutVariable::new(variable_key(id), variable(id), at(0));
        put.scope.clone_from(owner);
        storage.put_variable(put).await.unwrap();
    }
    let keys = ["c", "none", "b", "a"].map(variable_key);
    let all = storage.find_variables(&keys, &Scope::All).await.unwrap();
    let found: Vec<_> = all.iter().map(|found| found.key.as_str()).collect();
    assert_eq!(found, ["c", "b", "a"]);
    let own = storage.find_variables(&keys, &tenant).await.unwrap();
    let found: Vec<_> = own.iter().map(|found| found.key.as_str()).collect();
    assert_eq!(found, ["c", "a"]);
    let none = storage.find_variables(&[], &Scope::All).await.unwrap();
    assert_eq!(none, []);
}

/// Each of several keys MUST stand for one variable of the scope. If one is unclear, the call MUST
/// be refused.
pub async fn several_keys_stand_for_the_variables_of_their_scope(storage: &dyn Storage) {
    let (ann, ben) = (scope("ann"), scope("ben"));
    for (key, owner) in [
        ("a", &ann),
        ("a", &ben),
        ("b", &ann),
        ("a", &Scope::NoTenant),
    ] {
        let mut put = PutVariable::new(variable_key(key), variable(key), at(0));
        put.scope.clone_from(owner);
        storage.put_variable(put).await.unwrap();
    }
    let keys = ["b", "a"].map(variable_key);
    let found = async |scope: &Scope| {
        let found = storage.find_variables(&keys, scope).await.unwrap();
        let named = found.into_iter().map(|one| (one.key, one.tenant));
        named.collect::<Vec<_>>()
    };
    let [b, a] = keys.clone();
    let tenant = |scope: &Scope| scope.tenant().cloned();
    for (scope, expected) in [
        (
            &Scope::All,
            vec![(b.clone(), tenant(&ann)), (a.clone(), None)],
        ),
        (&Scope::NoTenant, vec![(a.clone(), None)]),
        (&ann, vec![(b, tenant(&ann)), (a.clone(), tenant(&ann))]),
        (&ben, vec![(a.clone(), tenant(&ben))]),
    ] {
        assert_eq!(found(scope).await, expected, "{scope:?}");
    }
    let mut delete = DeleteVariable::new(a.clone(), at(9));
    delete.scope = Scope::NoTenant;
    storage.delete_variable(delete).await.unwrap();
    let unclear = storage.find_variables(&keys, &Scope::All).await;
    assert_problem(unclear, Problem::TenantRequired);
}

/// A save that changes nothing MUST keep the version and `updated_at`.
pub async fn a_save_without_changes_keeps_version_and_update_time(storage: &dyn Storage) {
    settings::a_save_without_changes_keeps_version_and_update_time::<Variables>(storage).await;
}

/// A changed variable MUST raise the version by one and keep `created_at`.
pub async fn a_change_raises_the_version_by_one(storage: &dyn Storage) {
    settings::a_change_raises_the_version_by_one::<Variables>(storage).await;
}

/// A save whose expectation is not met MUST be refused and change nothing.
pub async fn a_save_with_an_unmet_expectation_is_refused(storage: &dyn Storage) {
    settings::a_save_with_an_unmet_expectation_is_refused::<Variables>(storage).await;
}

/// A variable MUST belong to the tenant that created it, even if another caller replaces it. A
/// variable of another tenant MUST look absent, and its key MUST be free.
pub async fn a_variable_of_another_tenant_is_hidden_and_its_key_is_free(storage: &dyn Storage) {
    settings::an_item_of_another_tenant_is_hidden_and_its_id_is_free::<Variables>(storage).await;
}

/// A deleted variable MUST NOT be found. Its key can be used again, and its versions MUST
/// continue. Those of another tenant MUST begin at 1.
pub async fn a_recreated_variable_continues_its_versions(storage: &dyn Storage) {
    settings::a_recreated_item_continues_its_versions::<Variables>(storage).await;
}

/// In [`Scope::All`], a key MUST stand for the variable without a tenant, or else for the only one.
/// If there are several, it MUST be refused.
pub async fn a_key_stands_for_one_variable(storage: &dyn Storage) {
    settings::a_name_stands_for_one_item::<Variables>(storage).await;
}

/// Variables of several tenants with one key MUST be listed by tenant, and a cursor MUST lose and
/// repeat none.
pub async fn variables_with_one_key_are_listed_by_tenant(storage: &dyn Storage) {
    settings::items_with_one_id_are_listed_by_tenant::<Variables>(storage).await;
}

/// Variables MUST be listed newest first, and by descending key if they were created at the same
/// time.
pub async fn variables_are_listed_newest_first(storage: &dyn Storage) {
    settings::items_are_listed_newest_first::<Variables>(storage).await;
}

/// A cursor MUST continue after the previous page, even if its variable was deleted since. An
/// unknown cursor MUST be refused.
pub async fn a_cursor_works_after_its_variable_is_deleted(storage: &dyn Storage) {
    settings::a_cursor_works_after_its_item_is_deleted::<Variables>(storage).await;
}

/// A numbered page MUST return the total of what its scope admits.
pub async fn numbered_pages_return_the_total(storage: &dyn Storage) {
    settings::numbered_pages_return_the_total::<Variables>(storage).await;
}
