//! The cache of definitions with their graphs, by the key of their row.
//!
//! A definition never changes under its key. `put_pipeline` writes definitions.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::Connection;

use super::query::row;
use super::store_error::StoreError;
use super::values::json;
use crate::graph::Graph;
use crate::model::{NodeId, NodeIndex, Pipeline};

/// One version of a pipeline, with its graph.
#[derive(Debug)]
pub(super) struct Definition {
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) graph: Arc<Graph>,
}

impl Definition {
    pub(super) fn new(pipeline: Arc<Pipeline>) -> Result<Self, StoreError> {
        let graph = Graph::new(&pipeline)
            .map_err(|error| StoreError::unreadable("a stored graph", error))?;
        let graph = Arc::new(graph);
        Ok(Self { pipeline, graph })
    }

    /// Returns the id of the node with this index.
    pub(super) fn node(&self, node_index: NodeIndex) -> Result<&NodeId, StoreError> {
        self.graph
            .id(node_index)
            .ok_or_else(|| StoreError::unreadable("a node index", node_index))
    }
}

/// The maximum number of cached definitions. Beyond it, the cache is cleared.
const CACHED_MAX: usize = 512;

/// A cache of definitions. The writer has one, and the readers share one.
#[derive(Debug, Default)]
pub(super) struct Definitions(
    // The lock is held only for a lookup. Parsing happens outside it, at worst twice.
    Mutex<HashMap<i64, Arc<Definition>>>,
);

impl Definitions {
    /// Returns the definition with this key.
    pub(super) fn find(&self, conn: &Connection, key: i64) -> Result<Arc<Definition>, StoreError> {
        if let Some(cached) = self.0.lock().get(&key) {
            return Ok(Arc::clone(cached));
        }
        let sql = "SELECT body FROM definitions WHERE key = ?";
        let body: Option<String> = row(conn, sql, [key], |row| Ok(row.get(0)?))?;
        let body = body.ok_or_else(|| StoreError::unreadable("a definition", "it is missing"))?;
        let definition = Definition::new(Arc::new(json("a definition", &body)?))?;
        Ok(self.insert(key, Arc::new(definition)))
    }

    /// Adds a definition to the cache.
    pub(super) fn insert(&self, key: i64, definition: Arc<Definition>) -> Arc<Definition> {
        let mut cached = self.0.lock();
        if cached.len() >= CACHED_MAX {
            cached.clear();
        }
        cached.insert(key, Arc::clone(&definition));
        definition
    }
}
