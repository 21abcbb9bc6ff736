//! Variables: saved, found, listed, deleted.
//!
//! What is expected of them, as of connections, stands in `settings`.

use chrono::{DateTime, Utc};

use super::settings::{self, Kept, Noun, Put};
use crate::error::Problem;
use crate::error::Result;
use crate::model::{
    Page, PageRequest, Scope, Sealed, StoredVariable, VariableFields, VariableKey, VariableValue,
};
use crate::storage::{PutVariable, Storage, VariableFilter};

pub(crate) fn variable_key(text: &str) -> VariableKey {
    VariableKey::new(text).unwrap()
}

/// A plain variable; `other` is a secret one.
pub(crate) fn variable(text: &str) -> VariableFields {
    let value = match text {
        "other" => VariableValue::Secret(Sealed::from_bytes(vec![0, 255, 1])),
        text => VariableValue::Plain(text.to_owned()),
    };
    let mut fields = VariableFields::new(value);
    fields.description = "where the orders are".to_owned();
    fields
}

fn kept(stored: StoredVariable) -> Kept<VariableFields> {
    let StoredVariable {
        key,
        tenant,
        version,
        fields,
        created_at,
        updated_at,
    } = stored;
    Kept {
        id: key.to_string(),
        tenant,
        version,
        fields,
        created_at,
        updated_at,
    }
}

struct Variables;

impl Noun for Variables {
    type Fields = VariableFields;
    const NOT_FOUND: Problem = Problem::VariableNotFound;

    fn fields(says: &str) -> VariableFields {
        variable(says)
    }

    async fn put(storage: &dyn Storage, put: Put) -> Result<Kept<VariableFields>> {
        let put = PutVariable {
            key: variable_key(put.id),
            fields: variable(put.says),
            expect: put.expect,
            scope: put.scope,
            now: put.now,
        };
        storage.put_variable(put).await.map(kept)
    }

    async fn find(
        storage: &dyn Storage,
        id: &str,
        scope: &Scope,
    ) -> Result<Option<Kept<VariableFields>>> {
        let found = storage.find_variable(&variable_key(id), scope).await?;
        Ok(found.map(kept))
    }

    async fn list(
        storage: &dyn Storage,
        scope: Scope,
        page: PageRequest,
    ) -> Result<Page<Kept<VariableFields>>> {
        let filter = VariableFilter { scope };
        let Page { items, total, next } = storage.list_variables(filter, page).await?;
        Ok(Page::new(
            items.into_iter().map(kept).collect(),
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
        storage.delete_variable(&key, scope, now).await
    }
}

/// A saved variable is found as it was given, and by nothing but its key.
pub async fn a_saved_variable_is_found_as_it_was_given(storage: &dyn Storage) {
    settings::a_saved_one_is_found_as_it_was_given::<Variables>(storage).await;
}

/// A save that changes nothing keeps the version and the time of the last change.
pub async fn a_save_that_changes_nothing_keeps_version_and_time(storage: &dyn Storage) {
    settings::a_save_that_changes_nothing_keeps_version_and_time::<Variables>(storage).await;
}

/// A changed variable raises the version by one and keeps the time of its creation.
pub async fn a_change_raises_the_version_by_one(storage: &dyn Storage) {
    settings::a_change_raises_the_version_by_one::<Variables>(storage).await;
}

/// A save that expects something else is refused and changes nothing.
pub async fn a_save_that_expects_something_else_is_refused(storage: &dyn Storage) {
    settings::a_save_that_expects_something_else_is_refused::<Variables>(storage).await;
}

/// A variable belongs to the tenant that made it, whoever replaces it; another tenant's reads as
/// absent, and its key as taken.
pub async fn a_foreign_variable_reads_as_absent_and_its_key_as_taken(storage: &dyn Storage) {
    settings::a_foreign_one_reads_as_absent_and_its_id_as_taken::<Variables>(storage).await;
}

/// A deleted variable is gone; its key may be taken again, by another tenant too, and its versions
/// go on.
pub async fn a_deleted_variable_is_gone_and_its_versions_go_on(storage: &dyn Storage) {
    settings::a_deleted_one_is_gone_and_its_versions_go_on::<Variables>(storage).await;
}

/// The newest come first, equal ones by key descending.
pub async fn the_newest_come_first_and_equal_ones_by_key(storage: &dyn Storage) {
    settings::the_newest_come_first_and_equal_ones_by_id::<Variables>(storage).await;
}

/// A cursor goes on where the page before ended, though its variable was deleted since; one that is
/// none is refused.
pub async fn a_cursor_goes_on_though_its_variable_was_deleted(storage: &dyn Storage) {
    settings::a_cursor_goes_on_though_its_item_was_deleted::<Variables>(storage).await;
}

/// Numbered pages tell the total of what the caller sees.
pub async fn numbered_pages_tell_the_total(storage: &dyn Storage) {
    settings::numbered_pages_tell_the_total::<Variables>(storage).await;
}
