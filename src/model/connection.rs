//! A connection: the address and credentials of an external system, with sealed secrets.
//!
//! `secret` has the opened connection that executors receive. `engine` checks the values of the
//! fields.

use chrono::{DateTime, Utc};

use super::{ConnectionId, Sealed, TenantId};

/// The fields of a connection, with sealed secrets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ConnectionFields {
    /// The kind of the external system, such as `postgres` or `s3`. Executors interpret it.
    pub kind: String,
    /// A description for people. May be empty.
    pub description: String,
    /// The host name or address. Empty if it has none.
    pub host: String,
    /// The port, from 1 to 65,535.
    pub port: Option<u16>,
    /// The schema or database. Empty if it has none.
    pub schema: String,
    /// The user name. Empty if it has none.
    pub login: String,
    /// The sealed password.
    pub password: Option<Sealed>,
    /// Further sealed settings: a string or a JSON object.
    pub extra: Option<Sealed>,
}

/// A connection as storage holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredConnection {
    /// The id of the connection.
    pub id: ConnectionId,
    /// The tenant that owns the connection, if any.
    pub tenant: Option<TenantId>,
    /// The version, from 1. Each save that changes something increases it by 1.
    pub version: u32,
    /// The fields.
    pub fields: ConnectionFields,
    /// When the connection was first saved.
    pub created_at: DateTime<Utc>,
    /// When a save last changed the connection.
    pub updated_at: DateTime<Utc>,
}

impl StoredConnection {
    /// Creates version 1 of a connection that belongs to no tenant.
    #[must_use]
    pub const fn new(
        id: ConnectionId,
        fields: ConnectionFields,
        created_at: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            tenant: None,
            version: 1,
            fields,
            created_at,
            updated_at: created_at,
        }
    }
}
