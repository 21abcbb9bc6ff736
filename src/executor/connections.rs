//! The handle with which an executor asks for a connection.
//!
//! Finding and opening it is left to the engine.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::ExecutorError;
use crate::secret::Connection;

/// Where connections come from.
#[async_trait]
pub(crate) trait ConnectionSource: Send + Sync {
    /// The connection of this id, opened.
    async fn find(&self, id: &str) -> Result<Connection, ExecutorError>;
}

/// Finds the connections that a run may use. Clones find the same.
#[derive(Clone, Default)]
pub(crate) enum Connections {
    /// None, as in a test of an executor.
    #[default]
    Nowhere,
    /// These.
    Given(Vec<Connection>),
    /// Those of a run.
    Source(Arc<dyn ConnectionSource>),
}

impl Connections {
    pub(crate) async fn find(&self, id: &str) -> Result<Connection, ExecutorError> {
        let given = match self {
            Self::Nowhere => None,
            Self::Given(given) => given.iter().find(|known| known.id.as_str() == id).cloned(),
            Self::Source(source) => return source.find(id).await,
        };
        given.ok_or_else(|| unknown_connection(id))
    }

    /// Adds a connection to those that are given.
    pub(super) fn give(&mut self, connection: Connection) {
        match self {
            Self::Given(given) => given.push(connection),
            Self::Nowhere | Self::Source(_) => *self = Self::Given(vec![connection]),
        }
    }
}

pub(crate) fn unknown_connection(id: &str) -> ExecutorError {
    let id = crate::error::quote(id);
    ExecutorError::permanent(format!("no connection has the id {id}"))
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").finish_non_exhaustive()
    }
}
