//! Connections: the storage methods and the columns of the fields.
//!
//! `settings` reads and writes the rows.

use async_trait::async_trait;
use rusqlite::Row;
use rusqlite::types::Value;

use super::SqliteStorage;
use super::rules::PutSetting;
use super::settings::{SettingRow, blob};
use super::store_error::StoreError;
use crate::error::Result;
use crate::model::{
    ConnectionFields, ConnectionId, Page, PageRequest, Scope, Sealed, StoredConnection,
};
use crate::storage::{ConnectionFilter, Connections, DeleteConnection, PutConnection};

#[async_trait]
impl Connections for SqliteStorage {
    async fn put_connection(&self, put: PutConnection) -> Result<StoredConnection> {
        let put: PutSetting<StoredConnection> = put.into();
        self.step(move |tx| tx.put_setting(&put)).await
    }

    async fn find_connection(
        &self,
        id: &ConnectionId,
        scope: &Scope,
    ) -> Result<Option<StoredConnection>> {
        let (id, scope) = (id.clone(), scope.clone());
        self.read(move |reader| reader.find_setting(&id, &scope))
            .await
    }

    async fn list_connections(
        &self,
        filter: ConnectionFilter,
        page: PageRequest,
    ) -> Result<Page<StoredConnection>> {
        self.read(move |reader| {
            reader.snapshot(|reader| reader.list_settings(&filter.scope, &page))
        })
        .await
    }

    async fn delete_connection(&self, delete: DeleteConnection) -> Result<()> {
        let DeleteConnection {
            id,
            scope,
            now,
            audit,
        } = delete;
        self.step(move |tx| {
            let tenant = tx.delete_setting::<StoredConnection>(&id, &scope, now)?;
            tx.audit(audit.as_ref(), tenant.as_ref())
        })
        .await
    }
}

impl SettingRow for StoredConnection {
    const TABLE: &'static str = "connections";
    const COLUMNS: &'static [&'static str] = &[
        "type",
        "description",
        "host",
        "port",
        "schema",
        "login",
        "password",
        "extra",
    ];

    fn read_id(text: String) -> Result<ConnectionId, StoreError> {
        ConnectionId::new(text).map_err(|error| StoreError::unreadable("a connection's id", error))
    }

    fn read_fields(row: &Row<'_>, from: usize) -> Result<ConnectionFields, StoreError> {
        let sealed = |bytes: Option<Vec<u8>>| bytes.map(Sealed::from_bytes);
        Ok(ConnectionFields {
            kind: row.get(from)?,
            description: row.get(from + 1)?,
            host: row.get(from + 2)?,
            port: row.get(from + 3)?,
            schema: row.get(from + 4)?,
            login: row.get(from + 5)?,
            password: sealed(row.get(from + 6)?),
            extra: sealed(row.get(from + 7)?),
        })
    }

    fn values(fields: &ConnectionFields) -> Vec<Value> {
        let ConnectionFields {
            kind,
            description,
            host,
            port,
            schema,
            login,
            password,
            extra,
        } = fields;
        let text = |text: &String| Value::Text(text.clone());
        vec![
            text(kind),
            text(description),
            text(host),
            port.map_or(Value::Null, |port| Value::Integer(i64::from(port))),
            text(schema),
            text(login),
            blob(password.as_ref()),
            blob(extra.as_ref()),
        ]
    }
}
