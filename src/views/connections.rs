//! Connections as callers see them: their secrets are masked.
//!
//! Saving them is left to `engine/connections`.

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};

use super::Views;
use super::pages::Listed;
use crate::error::{Error, Result, quote};
use crate::model::{
    ConnectionFields, ConnectionId, MASKED, Page, PageRequest, Qualified, Scope, StoredConnection,
    TenantId, rfc3339,
};
use crate::storage::ConnectionFilter;

impl Listed for StoredConnection {
    fn cursor(&self) -> String {
        Qualified::new(&self.id, self.tenant.clone()).to_string()
    }
}

impl Views {
    /// Returns the connection with this id.
    ///
    /// # Errors
    /// `NotFound` (`connection-not-found`); `Unavailable`.
    pub(crate) async fn connection(&self, id: &str, scope: &Scope) -> Result<StoredConnection> {
        let found = match ConnectionId::new(id) {
            Ok(id) => self.storage.find_connection(&id, scope).await?,
            Err(_) => None,
        };
        found.ok_or_else(|| Error::connection_not_found(quote(id)))
    }

    /// Returns a page of connections, newest first.
    ///
    /// # Errors
    /// `Malformed` (`invalid-parameter`) if the cursor is invalid; `Unavailable`.
    pub(crate) async fn list_connections(
        &self,
        filter: ConnectionFilter,
        page: PageRequest,
    ) -> Result<Page<StoredConnection>> {
        self.storage.list_connections(filter, page).await
    }
}

#[derive(Debug, Serialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(
        rename = "Connection",
        description = "A connection. Its secrets are masked."
    )
)]
struct ConnectionBody<'a> {
    conn_id: &'a ConnectionId,
    r#type: &'a str,
    description: &'a str,
    host: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    schema: &'a str,
    login: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra: Option<&'static str>,
    #[serde(serialize_with = "rfc3339::serialize")]
    created_at: DateTime<Utc>,
    #[serde(serialize_with = "rfc3339::serialize")]
    updated_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<&'a TenantId>,
}

impl Serialize for StoredConnection {
    /// Writes the connection as the API shows it: its secrets are masked.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ConnectionFields {
            kind,
            description,
            host,
            port,
            schema,
            login,
            password,
            extra,
        } = &self.fields;
        let masked = |secret: &Option<_>| secret.as_ref().map(|_| MASKED);
        let shown = ConnectionBody {
            conn_id: &self.id,
            r#type: kind,
            description,
            host,
            port: *port,
            schema,
            login,
            password: masked(password),
            extra: masked(extra),
            created_at: self.created_at,
            updated_at: self.updated_at,
            tenant: self.tenant.as_ref(),
        };
        shown.serialize(serializer)
    }
}

#[cfg(test)]
schema_of! { StoredConnection => ConnectionBody<'static> }
