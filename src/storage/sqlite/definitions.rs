//! The cache of definitions with their graphs, by the key of their row.
//!
//! A definition never changes under its key. Writing definitions is left to `put`.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension};

use super::store_error::StoreError;
use super::values::json;
use crate::graph::Graph;
use crate::model::{NodeId, NodeIndex, Pipeline};

/// One version of a pipeline.
#[derive(Debug)]
pub(super) struct Definition {
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) graph: Graph,
}

impl Definition {
    pub(super) fn new(pipeline: Arc<Pipeline>) -> Result<Self, StoreError> {
        let graph = Graph::new(&pipeline)
            .map_err(|error| StoreError::unreadable("a stored graph", error))?;
        Ok(Self { pipeline, graph })
    }

    /// The node at a place.
    pub(super) fn node(&self, node_index: NodeIndex) -> Result<&NodeId, StoreError> {
        self.graph
            .id(node_index)
            .ok_or_else(|| StoreError::unreadable("the place of a node", node_index))
    }
}

/// Definitions that are held at once; beyond it all are dropped and read again.
const HELD_MAX: usize = 512;

/// The definitions that a writer, or the readers together, have read.
#[derive(Debug, Default)]
pub(super) struct Definitions(
    // A lock held for a look-up: parsing happens outside it, at worst twice.
    Mutex<HashMap<i64, Arc<Definition>>>,
);

impl Definitions {
    /// The definition at a key.
    pub(super) fn find(&self, conn: &Connection, key: i64) -> Result<Arc<Definition>, StoreError> {
        if let Some(held) = self.0.lock().get(&key) {
            return Ok(Arc::clone(held));
        }
        let body: Option<String> = conn
            .prepare_cached("SELECT body FROM definitions WHERE key = ?")?
            .query_row([key], |row| row.get(0))
            .optional()?;
        let body = body.ok_or_else(|| StoreError::unreadable("a definition", "it is missing"))?;
        let definition = Definition::new(Arc::new(json("a definition", &body)?))?;
        Ok(self.hold(key, Arc::new(definition)))
    }

    /// Keeps a definition that is known already.
    pub(super) fn hold(&self, key: i64, definition: Arc<Definition>) -> Arc<Definition> {
        let mut held = self.0.lock();
        if held.len() >= HELD_MAX {
            held.clear();
        }
        held.insert(key, Arc::clone(&definition));
        definition
    }
}
