//! Connections: put, find, list, delete.
//!
//! Secrets come sealed: storage never sees one. What fields may hold is decided above.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::Expect;
use crate::error::Result;
use crate::model::{ConnectionFields, ConnectionId, Page, PageRequest, Scope, StoredConnection};

/// A save of a connection.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PutConnection {
    /// Its id.
    pub id: ConnectionId,
    /// What it says.
    pub fields: ConnectionFields,
    /// What must be there before.
    pub expect: Expect,
    /// Whose connections are seen; a new one belongs to its tenant.
    pub scope: Scope,
    /// The time of the save.
    pub now: DateTime<Utc>,
}

impl PutConnection {
    /// A save that replaces or makes the connection.
    #[must_use]
    pub const fn new(id: ConnectionId, fields: ConnectionFields, now: DateTime<Utc>) -> Self {
        Self {
            id,
            fields,
            expect: Expect::Any,
            scope: Scope::All,
            now,
        }
    }
}

/// Which connections a list has.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ConnectionFilter {
    /// Whose.
    pub scope: Scope,
}

/// Connections.
#[async_trait]
pub trait Connections: Send + Sync + 'static {
    /// Saves a connection and answers it as it stands then.
    ///
    /// A save that changes nothing MUST keep version and `updated_at`; one that changes something
    /// MUST raise the version by one. The id of a deleted connection may be taken again: versions
    /// then go on from where they were, `created_at` starts anew. A connection of another tenant
    /// MUST read as absent, and its id as taken.
    ///
    /// # Errors
    /// `NotFound` (`connection-not-found`) when it is expected and absent. `Conflict` with slug
    /// `already-exists` when the id is taken; with slug `precondition-failed` when the version is
    /// another.
    async fn put_connection(&self, put: PutConnection) -> Result<StoredConnection>;

    /// The connection with this id.
    ///
    /// # Errors
    /// `Unavailable` when storage cannot answer.
    async fn find_connection(
        &self,
        id: &ConnectionId,
        scope: &Scope,
    ) -> Result<Option<StoredConnection>>;

    /// A page of connections, the newest `created_at` first, equal ones by id descending. A cursor
    /// is the id of an item; it MUST work though that connection was deleted since; one of another
    /// tenant is none.
    ///
    /// # Errors
    /// `Malformed` (`invalid-parameter`) when the cursor is none.
    async fn list_connections(
        &self,
        filter: ConnectionFilter,
        page: PageRequest,
    ) -> Result<Page<StoredConnection>>;

    /// Deletes a connection; nothing that it said MUST stay.
    ///
    /// # Errors
    /// `NotFound` (`connection-not-found`) when it is absent.
    async fn delete_connection(
        &self,
        id: &ConnectionId,
        scope: &Scope,
        now: DateTime<Utc>,
    ) -> Result<()>;
}
