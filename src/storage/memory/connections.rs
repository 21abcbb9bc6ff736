//! Connections: put, find, list, delete.
//!
//! The table is left to `settings`.

use async_trait::async_trait;

use super::MemoryStorage;
use super::rules::PutSetting;
use crate::error::Result;
use crate::model::{ConnectionId, Page, PageRequest, Scope, StoredConnection};
use crate::storage::{ConnectionFilter, Connections, DeleteConnection, PutConnection};

#[async_trait]
impl Connections for MemoryStorage {
    async fn put_connection(&self, put: PutConnection) -> Result<StoredConnection> {
        let mut put = PutSetting::from(put);
        let audit = put.audit.take();
        let mut state = self.state()?;
        let saved = state.connections.put(put)?;
        state.audit(audit, saved.tenant.as_ref());
        Ok(saved)
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

    async fn delete_connection(&self, delete: DeleteConnection) -> Result<()> {
        let mut state = self.state()?;
        let tenant = state.connections.delete(&delete.id, &delete.scope)?;
        state.audit(delete.audit, tenant.as_ref());
        Ok(())
    }
}
