//! A connection: where something outside is and how to be let in, its secrets sealed.
//!
//! The opened one, that executors get, is `secret`'s; what fields may hold is checked by the
//! engine.

use chrono::{DateTime, Utc};

use super::{ConnectionId, Sealed, TenantId};

/// What a connection says, its secrets sealed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ConnectionFields {
    /// What it leads to: `postgres`, `s3`, whatever executors understand.
    pub kind: String,
    /// What it is for; may be empty.
    pub description: String,
    /// The host; empty where there is none.
    pub host: String,
    /// The port, 1 to 65,535.
    pub port: Option<u16>,
    /// The schema or database; empty where there is none.
    pub schema: String,
    /// Who logs in; empty where nobody does.
    pub login: String,
    /// The password.
    pub password: Option<Sealed>,
    /// Whatever else it takes, a text or a JSON object.
    pub extra: Option<Sealed>,
}

/// A connection as storage keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredConnection {
    /// Its id.
    pub id: ConnectionId,
    /// The tenant it belongs to.
    pub tenant: Option<TenantId>,
    /// Grows by one with each save that changes something, from 1.
    pub version: u32,
    /// What it says.
    pub fields: ConnectionFields,
    /// When it was first saved.
    pub created_at: DateTime<Utc>,
    /// When a save last changed it.
    pub updated_at: DateTime<Utc>,
}

impl StoredConnection {
    /// The first version of a connection of no tenant.
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
