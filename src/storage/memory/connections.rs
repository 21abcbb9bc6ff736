//! Connections: put, find, list, delete.
//!
//! The table is left to `settings`.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::MemoryStorage;
use crate::error::Result;
use crate::model::{ConnectionId, Page, PageRequest, Scope, StoredConnection};
use crate::storage::{ConnectionFilter, Connections, PutConnection};

#[async_trait]
impl Connections for MemoryStorage {
    async fn put_connection(&self, put: PutConnection) -> Result<StoredConnection> {
        self.state()?.connections.put(put.into())
    }

    async fn find_connection(
        &self,
        id: &ConnectionId,
        scope: &Scope,
    ) -> Result<Option<StoredConnection>> {
        self.state()?.connections.find(id, scope)
    }

    async fn list_connections(
        &self,
        filter: ConnectionFilter,
        page: PageRequest,
    ) -> Result<Page<StoredConnection>> {
        self.state()?.connections.list(&filter.scope, &page)
    }

    async fn delete_connection(
        &self,
        id: &ConnectionId,
        scope: &Scope,
        _now: DateTime<Utc>,
    ) -> Result<()> {
        self.state()?.connections.delete(id, scope)
    }
}
