//! A connection that was opened for an executor.
//!
//! How it is kept is `model/connection`'s.

use serde_json::Value;

use super::Secret;
use crate::model::ConnectionId;

/// Where something outside is and how to be let in. Its secrets do not show themselves.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Connection {
    /// Its id.
    pub id: ConnectionId,
    /// What it leads to: `postgres`, `s3`, whatever executors understand.
    pub kind: String,
    /// What it is for; may be empty.
    pub description: String,
    /// The host; empty where there is none.
    pub host: String,
    /// The port.
    pub port: Option<u16>,
    /// The schema or database; empty where there is none.
    pub schema: String,
    /// Who logs in; empty where nobody does.
    pub login: String,
    /// The password.
    pub password: Option<Secret<String>>,
    /// Whatever else it takes: a text, or the text of a JSON object.
    pub extra: Option<Secret<String>>,
}

impl Connection {
    /// A connection that says nothing more, for tests of executors.
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

    /// What `extra` says as JSON; none where it is absent or no JSON.
    #[must_use]
    pub fn extra_json(&self) -> Option<Secret<Value>> {
        let text = self.extra.as_ref()?.expose();
        serde_json::from_str(text).ok().map(Secret::new)
    }
}
