//! Connections: saved, found, listed, deleted.
//!
//! What is expected of them, as of variables, stands in `settings`.

use chrono::{DateTime, Utc};

use super::settings::{self, Kept, Noun, Put};
use crate::error::Problem;
use crate::error::Result;
use crate::model::{
    ConnectionFields, ConnectionId, Page, PageRequest, Scope, Sealed, StoredConnection,
};
use crate::storage::{ConnectionFilter, PutConnection, Storage};

pub(crate) fn connection_id(text: &str) -> ConnectionId {
    ConnectionId::new(text).unwrap()
}

/// Every field of a connection, `login` as given, with sealed bytes that stand for nothing.
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

fn kept(stored: StoredConnection) -> Kept<ConnectionFields> {
    let StoredConnection {
        id,
        tenant,
        version,
        fields,
        created_at,
        updated_at,
    } = stored;
    Kept {
        id: id.to_string(),
        tenant,
        version,
        fields,
        created_at,
        updated_at,
    }
}

struct Connections;

impl Noun for Connections {
    type Fields = ConnectionFields;
    const NOT_FOUND: Problem = Problem::ConnectionNotFound;

    fn fields(says: &str) -> ConnectionFields {
        connection(says)
    }

    async fn put(storage: &dyn Storage, put: Put) -> Result<Kept<ConnectionFields>> {
        let put = PutConnection {
            id: connection_id(put.id),
            fields: connection(put.says),
            expect: put.expect,
            scope: put.scope,
            now: put.now,
        };
        storage.put_connection(put).await.map(kept)
    }

    async fn find(
        storage: &dyn Storage,
        id: &str,
        scope: &Scope,
    ) -> Result<Option<Kept<ConnectionFields>>> {
        let found = storage.find_connection(&connection_id(id), scope).await?;
        Ok(found.map(kept))
    }

    async fn list(
        storage: &dyn Storage,
        scope: Scope,
        page: PageRequest,
    ) -> Result<Page<Kept<ConnectionFields>>> {
        let filter = ConnectionFilter { scope };
        let Page { items, total, next } = storage.list_connections(filter, page).await?;
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
        let id = connection_id(id);
        storage.delete_connection(&id, scope, now).await
    }
}

/// A saved connection is found as it was given, and by nothing but its id.
pub async fn a_saved_connection_is_found_as_it_was_given(storage: &dyn Storage) {
    settings::a_saved_one_is_found_as_it_was_given::<Connections>(storage).await;
}

/// A save that changes nothing keeps the version and the time of the last change.
pub async fn a_save_that_changes_nothing_keeps_version_and_time(storage: &dyn Storage) {
    settings::a_save_that_changes_nothing_keeps_version_and_time::<Connections>(storage).await;
}

/// A changed connection raises the version by one and keeps the time of its creation.
pub async fn a_change_raises_the_version_by_one(storage: &dyn Storage) {
    settings::a_change_raises_the_version_by_one::<Connections>(storage).await;
}

/// A save that expects something else is refused and changes nothing.
pub async fn a_save_that_expects_something_else_is_refused(storage: &dyn Storage) {
    settings::a_save_that_expects_something_else_is_refused::<Connections>(storage).await;
}

/// A connection belongs to the tenant that made it, whoever replaces it; another tenant's reads as
/// absent, and its id as taken.
pub async fn a_foreign_connection_reads_as_absent_and_its_id_as_taken(storage: &dyn Storage) {
    settings::a_foreign_one_reads_as_absent_and_its_id_as_taken::<Connections>(storage).await;
}

/// A deleted connection is gone; its id may be taken again, by another tenant too, and its versions
/// go on.
pub async fn a_deleted_connection_is_gone_and_its_versions_go_on(storage: &dyn Storage) {
    settings::a_deleted_one_is_gone_and_its_versions_go_on::<Connections>(storage).await;
}

/// The newest come first, equal ones by id descending.
pub async fn the_newest_come_first_and_equal_ones_by_id(storage: &dyn Storage) {
    settings::the_newest_come_first_and_equal_ones_by_id::<Connections>(storage).await;
}

/// A cursor goes on where the page before ended, though its connection was deleted since; one that
/// is none is refused.
pub async fn a_cursor_goes_on_though_its_connection_was_deleted(storage: &dyn Storage) {
    settings::a_cursor_goes_on_though_its_item_was_deleted::<Connections>(storage).await;
}

/// Numbered pages tell the total of what the caller sees.
pub async fn numbered_pages_tell_the_total(storage: &dyn Storage) {
    settings::numbered_pages_tell_the_total::<Connections>(storage).await;
}
