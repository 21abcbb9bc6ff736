//! A connection with its decrypted secrets, as executors receive it.
//!
//! `model/connection` defines the stored form.

use serde_json::Value;

use super::Secret;
use crate::model::ConnectionId;

/// The address and credentials of an external system. Its secrets are never printed.
///
/// ```
/// use floret::{Connection, ConnectionId, Secret};
///
/// let mut warehouse = Connection::new(ConnectionId::new("warehouse")?, "postgres".to_owned());
/// warehouse.host = "db.example.org".to_owned();
/// warehouse.password = Some(Secret::new("hunter2".to_owned()));
/// assert!(!format!("{warehouse:?}").contains("hunter2"));
/// assert_eq!(warehouse.password.unwrap().expose(), "hunter2");
/// # Ok::<(), floret::IdError>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Connection {
    /// Its id.
    pub id: ConnectionId,
    /// The kind of system, such as `postgres` or `s3`. Executors interpret it.
    pub kind: String,
    /// The description; may be empty.
    pub description: String,
    /// The host; may be empty.
    pub host: String,
    /// The port.
    pub port: Option<u16>,
    /// The schema or database; may be empty.
    pub schema: String,
    /// The user name; may be empty.
    pub login: String,
    /// The password.
    pub password: Option<Secret<String>>,
    /// Additional settings: a text, or a JSON object as text.
    pub extra: Option<Secret<String>>,
}

impl Connection {
    /// Creates a connection with empty fields, for tests of executors.
    #[must_use]
    pub const fn new(id: ConnectionId, kind: String) -> Self {
        Self {
            id,
            kind,
            description: String::new(),
            host: String::new(),
            port: None,
            schema: String::new(),
            login: String::new(),
            password: None,
            extra: None,
        }
    }

    /// Parses `extra` as JSON. Returns `None` if it is absent or not JSON.
    #[must_use]
    pub fn extra_json(&self) -> Option<Secret<Value>> {
        let text = self.extra.as_ref()?.expose();
        serde_json::from_str(text).ok().map(Secret::new)
    }
}
