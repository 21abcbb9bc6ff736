//! Connections and variables of a storage that fails on cue.
//!
//! How a call fails is left to `faulty_storage`.

use async_trait::async_trait;

use super::{FaultyStorage, Method};
use crate::error::Result;
use crate::model::{
    ConnectionId, Page, PageRequest, Scope, StoredConnection, StoredVariable, VariableKey,
};
use crate::storage::{
    ConnectionFilter, Connections, DeleteConnection, DeleteVariable, PutConnection, PutVariable,
    VariableFilter, Variables,
};

#[async_trait]
impl Connections for FaultyStorage {
    async fn put_connection(&self, put: PutConnection) -> Result<StoredConnection> {
        self.intercept(Method::PutConnection, self.inner.put_connection(put))
            .await
    }

    async fn find_connection(
        &self,
        id: &ConnectionId,
        scope: &Scope,
    ) -> Result<Option<StoredConnection>> {
        self.intercept(
            Method::FindConnection,
            self.inner.find_connection(id, scope),
        )
        .await
    }

    async fn list_connections(
        &self,
        filter: ConnectionFilter,
        page: PageRequest,
    ) -> Result<Page<StoredConnection>> {
        self.intercept(
            Method::ListConnections,
            self.inner.list_connections(filter, page),
        )
        .await
    }

    async fn delete_connection(&self, delete: DeleteConnection) -> Result<()> {
        self.intercept(
            Method::DeleteConnection,
            self.inner.delete_connection(delete),
        )
        .await
    }
}

#[async_trait]
impl Variables for FaultyStorage {
    async fn put_variable(&self, put: PutVariable) -> Result<StoredVariable> {
        self.intercept(Method::PutVariable, self.inner.put_variable(put))
            .await
    }

    async fn find_variables(
        &self,
        keys: &[VariableKey],
        scope: &Scope,
    ) -> Result<Vec<StoredVariable>> {
        self.intercept(
            Method::FindVariables,
            self.inner.find_variables(keys, scope),
        )
        .await
    }

    async fn list_variables(
        &self,
        filter: VariableFilter,
        page: PageRequest,
    ) -> Result<Page<StoredVariable>> {
        self.intercept(
            Method::ListVariables,
            self.inner.list_variables(filter, page),
        )
        .await
    }

    async fn delete_variable(&self, delete: DeleteVariable) -> Result<()> {
        self.intercept(Method::DeleteVariable, self.inner.delete_variable(delete))
            .await
    }
}
