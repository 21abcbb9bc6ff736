//! Connections: their saves, finds, lists and deletes.
//!
//! `settings` holds the bodies of the cases, which connections and variables share.

use chrono::{DateTime, Utc};

use super::settings::{self, ItemKind, Put, StoredItem};
use crate::error::{Problem, Result};
use crate::model::{
    ConnectionFields, ConnectionId, Page, PageRequest, Scope, Sealed, StoredConnection,
};
use crate::storage::{ConnectionFilter, DeleteConnection, PutConnection, Storage};

pub(crate) fn connection_id(text: &str) -> ConnectionId {
    ConnectionId::new(text).unwrap()
}

/// Returns connection fields with this login and arbitrary sealed bytes.
pub(crate) fn connection(login: &str) -> ConnectionFields {
    ConnectionFields {
        kind: "postgres".to_owned(),
        description: "where the figures are".to_owned(),
        host: "db.internal".to_owned(),
        port: Some(65_535),
        schema: "public".to_owned(),
        login: login.to_owned(),
        password: Some(Sealed::from_bytes(vec![0, 255, 1])),
        extra: Some(Sealed::from_bytes(vec![2])),
    }
}

fn to_item(stored: StoredConnection) -> StoredItem<ConnectionFields> {
    let StoredConnection {
        id,
        tenant,
        version,
        fields,
        created_at,
        updated_at,
    } = stored;
    StoredItem {
        id: id.to_string(),
        tenant,
        version,
        fields,
        created_at,
        updated_at,
    }
}

struct Connections;

impl ItemKind for Connections {
    type Fields = ConnectionFields;
    const NOT_FOUND: Problem = Problem::ConnectionNotFound;

    fn fields(label: &str) -> ConnectionFields {
        connection(label)
    }

    async fn put(storage: &dyn Storage, put: Put) -> Result<StoredItem<ConnectionFields>> {
        let put = PutConnection {
            id: connection_id(put.id),
            fields: connection(put.label),
            expect: put.expect,
            scope: put.scope,
            now: put.now,
            audit: None,
        };
        storage.put_connection(put).await.map(to_item)
    }

    async fn find(
        storage: &dyn Storage,
        id: &str,
        scope: &Scope,
    ) -> Result<Option<StoredItem<ConnectionFields>>> {
        let found = storage.find_connection(&connection_id(id), scope).await?;
        Ok(found.map(to_item))
    }

    async fn list(
        storage: &dyn Storage,
        scope: Scope,
        page: PageRequest,
    ) -> Result<Page<StoredItem<ConnectionFields>>> {
        let filter = ConnectionFilter { scope };
        let Page { items, total, next } = storage.list_connections(filter, page).await?;
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
        let id = connection_id(id);
        let mut delete = DeleteConnection::new(id, now);
        delete.scope = scope.clone();
        storage.delete_connection(delete).await
    }
}

/// A saved connection MUST be returned unchanged, and be found by nothing but its id.
pub async fn a_saved_connection_is_returned_unchanged(storage: &dyn Storage) {
    settings::a_saved_item_is_returned_unchanged::<Connections>(storage).await;
}

/// A save that changes nothing MUST keep the version and `updated_at`.
pub async fn a_save_without_changes_keeps_version_and_update_time(storage: &dyn Storage) {
    settings::a_save_without_changes_keeps_version_and_update_time::<Connections>(storage).await;
}

/// A changed connection MUST raise the version by one and keep `created_at`.
pub async fn a_change_raises_the_version_by_one(storage: &dyn Storage) {
    settings::a_change_raises_the_version_by_one::<Connections>(storage).await;
}

/// A save whose expectation is not met MUST be refused and change nothing.
pub async fn a_save_with_an_unmet_expectation_is_refused(storage: &dyn Storage) {
    settings::a_save_with_an_unmet_expectation_is_refused::<Connections>(storage).await;
}

/// A connection MUST belong to the tenant that created it, even if another caller replaces it. A
/// connection of another tenant MUST look absent, and its id MUST be free.
pub async fn a_connection_of_another_tenant_is_hidden_and_its_id_is_free(storage: &dyn Storage) {
    settings::an_item_of_another_tenant_is_hidden_and_its_id_is_free::<Connections>(storage).await;
}

/// A deleted connection MUST NOT be found. Its id can be used again, and its versions MUST
/// continue. Those of another tenant MUST begin at 1.
pub async fn a_recreated_connection_continues_its_versions(storage: &dyn Storage) {
    settings::a_recreated_item_continues_its_versions::<Connections>(storage).await;
}

/// In [`Scope::All`], an id MUST stand for the connection without a tenant, or else for the only
/// one. If there are several, it MUST be refused.
pub async fn an_id_stands_for_one_connection(storage: &dyn Storage) {
    settings::a_name_stands_for_one_item::<Connections>(storage).await;
}

/// Connections of several tenants with one id MUST be listed by tenant, and a cursor MUST lose and
/// repeat none.
pub async fn connections_with_one_id_are_listed_by_tenant(storage: &dyn Storage) {
    settings::items_with_one_id_are_listed_by_tenant::<Connections>(storage).await;
}

/// Connections MUST be listed newest first, and by descending id if they were created at the same
/// time.
pub async fn connections_are_listed_newest_first(storage: &dyn Storage) {
    settings::items_are_listed_newest_first::<Connections>(storage).await;
}

/// A cursor MUST continue after the previous page, even if its connection was deleted since. An
/// unknown cursor MUST be refused.
pub async fn a_cursor_works_after_its_connection_is_deleted(storage: &dyn Storage) {
    settings::a_cursor_works_after_its_item_is_deleted::<Connections>(storage).await;
}

/// A numbered page MUST return the total of what its scope admits.
pub async fn numbered_pages_return_the_total(storage: &dyn Storage) {
    settings::numbered_pages_return_the_total::<Connections>(storage).await;
}
