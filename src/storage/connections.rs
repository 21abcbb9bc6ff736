//! Connections: put, find, list, delete.
//!
//! Secrets arrive sealed; storage never sees a plain one. The engine decides which fields are
//! valid.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Expect, NewAudit};
use crate::error::Result;
use crate::model::{ConnectionFields, ConnectionId, Page, PageRequest, Scope, StoredConnection};

/// A request to save a connection.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PutConnection {
    /// The id of the connection.
    pub id: ConnectionId,
    /// Its fields.
    pub fields: ConnectionFields,
    /// The stored state that the save requires.
    pub expect: Expect,
    /// The scope of the caller. [`Scope::choose`] decides which connection of this id the save
    /// replaces. A new connection belongs to the tenant of this scope, if any.
    pub scope: Scope,
    /// The time of the save.
    pub now: DateTime<Utc>,
    /// The entry of the audit, if the command has one.
    pub audit: Option<NewAudit>,
}

impl PutConnection {
    /// Creates a request that creates or replaces a connection, in every scope.
    #[must_use]
    pub const fn new(id: ConnectionId, fields: ConnectionFields, now: DateTime<Utc>) -> Self {
        Self {
            id,
            fields,
            expect: Expect::Any,
            scope: Scope::All,
            now,
            audit: None,
        }
    }
}

/// A request to delete a connection.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DeleteConnection {
    /// The id of the connection.
    pub id: ConnectionId,
    /// The scope of the caller. [`Scope::choose`] decides which connection of this id is meant.
    pub scope: Scope,
    /// The time of the deletion.
    pub now: DateTime<Utc>,
    /// The entry of the audit, if the command has one.
    pub audit: Option<NewAudit>,
}

impl DeleteConnection {
    /// Creates a request in every scope.
    #[must_use]
    pub const fn new(id: ConnectionId, now: DateTime<Utc>) -> Self {
        Self {
            id,
            scope: Scope::All,
            now,
            audit: None,
        }
    }
}

/// The conditions that every connection of a list meets.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ConnectionFilter {
    /// The scope of the caller.
    pub scope: Scope,
}

/// Saves, finds, lists and deletes connections.
#[async_trait]
pub trait Connections: Send + Sync + 'static {
    /// Saves a connection and returns it as it is after the save.
    ///
    /// - A save that changes nothing MUST keep the version and `updated_at`. Any other save MUST
    ///   raise the version by one.
    /// - The id of a deleted connection MUST be free again. If the id is used again, its version
    ///   numbers MUST continue, and `created_at` MUST be the time of the new save.
    /// - Ids MUST be unique among the connections of a tenant, and among those without a
    ///   tenant. A connection of another tenant MUST look absent, and its id MUST be free.
    /// - A save that expects no connection MUST disregard those of other tenants, even in
    ///   [`Scope::All`]: it creates one without a tenant there.
    ///
    /// # Errors
    /// - `NotFound` (`connection-not-found`): the request expects a connection that is absent.
    /// - `Conflict` (`already-exists`): the id is taken.
    /// - `Conflict` (`precondition-failed`): the connection is not at the expected version.
    /// - `Conflict` (`tenant-required`): the id is unclear in this scope.
    async fn put_connection(&self, put: PutConnection) -> Result<StoredConnection>;

    /// Returns the connection that [`Scope::choose`] chooses among those with this id, or `None` if
    /// none is in scope.
    ///
    /// # Errors
    /// - `Unavailable` if storage cannot answer.
    /// - `Conflict` (`tenant-required`): the id is unclear in this scope.
    async fn find_connection(
        &self,
        id: &ConnectionId,
        scope: &Scope,
    ) -> Result<Option<StoredConnection>>;

    /// Returns a page of connections, in descending order of `created_at`, then of id and then of
    /// tenant.
    ///
    /// A cursor is the [`Qualified`](super::Qualified) id of a connection. It MUST work even after
    /// that connection is deleted. That of another tenant's connection is not a valid cursor.
    ///
    /// # Errors
    /// `Malformed` (`invalid-parameter`): the cursor is invalid.
    async fn list_connections(
        &self,
        filter: ConnectionFilter,
        page: PageRequest,
    ) -> Result<Page<StoredConnection>>;

    /// Deletes a connection. Its fields MUST NOT stay in the storage.
    ///
    /// # Errors
    /// - `NotFound` (`connection-not-found`): no connection in scope has this id.
    /// - `Conflict` (`tenant-required`): the id is unclear in this scope.
    async fn delete_connection(&self, delete: DeleteConnection) -> Result<()>;
}
