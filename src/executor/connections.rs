//! The handle by which an executor looks up connections.
//!
//! Finding and opening a stored connection is left to `engine/secret_resolver`.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::ExecutorError;
use crate::secret::Connection;

/// The source of a run's connections.
#[async_trait]
pub(crate) trait ConnectionSource: Send + Sync {
    /// Returns the connection of this id with its secrets opened.
    async fn find(&self, id: &str) -> Result<Connection, ExecutorError>;
}

/// The connections that a run may use.
#[derive(Clone, Default)]
pub(crate) enum Connections {
    /// No connections, as in a test of an executor.
    #[default]
    Empty,
    /// A fixed list, as in a test of an executor.
    Fixed(Vec<Connection>),
    /// The connections of a run's tenant.
    Source(Arc<dyn ConnectionSource>),
}

impl Connections {
    pub(crate) async fn find(&self, id: &str) -> Result<Connection, ExecutorError> {
        let found = match self {
            Self::Empty => None,
            Self::Fixed(list) => list
                .iter()
                .find(|connection| connection.id.as_str() == id)
                .cloned(),
            Self::Source(source) => return source.find(id).await,
        };
        found.ok_or_else(|| unknown_connection(id))
    }

    /// Adds a connection to the fixed list.
    pub(super) fn add(&mut self, connection: Connection) {
        match self {
            Self::Fixed(list) => list.push(connection),
            Self::Empty | Self::Source(_) => *self = Self::Fixed(vec![connection]),
        }
    }
}

pub(crate) fn unknown_connection(id: &str) -> ExecutorError {
    let id = crate::error::shown(id);
    ExecutorError::permanent(format!("no connection has the id {id}"))
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").finish_non_exhaustive()
    }
}
