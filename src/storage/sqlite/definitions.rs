//! The cache of definitions with their graphs, by the key of their row.
//!
//! A definition never changes under its key. `put_pipeline` writes definitions.

use std::sync::Arc;

use parking_lot::Mutex;
use quick_cache::Weighter;
use quick_cache::unsync::Cache;
use rusqlite::Connection;
use serde_json::{Map, Value};

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
    /// The bytes of its row. In memory it has a few times as many.
    pub(super) bytes: u64,
}

impl Definition {
    /// Creates a definition whose row has this many bytes.
    pub(super) fn new(pipeline: Arc<Pipeline>, bytes: usize) -> Result<Self, StoreError> {
        let graph = Graph::new(&pipeline)
            .map_err(|error| StoreError::unreadable("a stored graph", error))?;
        Ok(Self {
            pipeline,
            graph: Arc::new(graph),
            bytes: bytes as u64,
        })
    }

    /// Returns the id of the node with this index.
    pub(super) fn node(&self, node_index: NodeIndex) -> Result<&NodeId, StoreError> {
        self.graph
            .id(node_index)
            .ok_or_else(|| StoreError::unreadable("a node index", node_index))
    }
}

/// The bytes of the rows of all cached definitions. Beyond it, those go that were not used lately.
const BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A cache of definitions. The writer has one, and the readers share one.
#[derive(Debug)]
pub(super) struct Definitions(
    // The lock is held only for a lookup. Parsing happens outside it, at worst twice.
    Mutex<Cache<i64, Arc<Definition>, Bytes>>,
);

#[derive(Debug, Clone)]
struct Bytes;

impl Weighter<i64, Arc<Definition>> for Bytes {
    fn weight(&self, _: &i64, definition: &Arc<Definition>) -> u64 {
        definition.bytes
    }
}

impl Default for Definitions {
    fn default() -> Self {
        Self(Mutex::new(Cache::with_weighter(64, BYTES_MAX, Bytes)))
    }
}

/// The fields that earlier versions kept like every field that Floret does not know.
const ONCE_UNKNOWN: [&str; 6] = [
    "concurrency",
    "param_defs",
    "depends_on",
    "dependency_rules",
    "hooks",
    "webhook_token",
];

/// Reads a stored definition.
///
/// A field that has got a meaning since, and does not have it here, stays what it was when it was
/// saved: a field without effect, which comes back. A caller can still replace or delete the
/// pipeline.
fn read_definition(body: &str) -> Result<Pipeline, StoreError> {
    const WHAT: &str = "a definition";
    let unreadable = |error| StoreError::unreadable(WHAT, error);
    json(WHAT, body).or_else(|error| {
        let mut fields: Map<String, Value> = json(WHAT, body)?;
        let kept = take_meaningless(&mut fields);
        if kept.is_empty() {
            return Err(error);
        }
        let rest = serde_json::from_value(Value::Object(fields));
        let mut pipeline: Pipeline = rest.map_err(unreadable)?;
        pipeline.extra.extend(kept);
        Ok(pipeline)
    })
}

/// Takes the fields that cannot be read by themselves.
fn take_meaningless(fields: &mut Map<String, Value>) -> Map<String, Value> {
    let mut kept = Map::new();
    for name in ONCE_UNKNOWN {
        let Some(value) = fields.get(name) else {
            continue;
        };
        let alone = Map::from_iter([(name.to_owned(), value.clone())]);
        if serde_json::from_value::<Pipeline>(Value::Object(alone)).is_err() {
            kept.extend(fields.remove_entry(name));
        }
    }
    kept
}

impl Definitions {
    /// Returns the definition with this key.
    pub(super) fn find(&self, conn: &Connection, key: i64) -> Result<Arc<Definition>, StoreError> {
        if let Some(cached) = self.0.lock().get(&key) {
            return Ok(Arc::clone(cached));
        }
        let sql = "SELECT body FROM definitions WHERE key = ?";
        let body: Option<String> = row(conn, sql, [key], |row| Ok(row.get(0)?))?;
        let body = body.ok_or_else(|| StoreError::unreadable("a definition", "it is missing"))?;
        let definition = Definition::new(Arc::new(read_definition(&body)?), body.len())?;
        Ok(self.insert(key, Arc::new(definition)))
    }

    /// Adds a definition to the cache.
    pub(super) fn insert(&self, key: i64, definition: Arc<Definition>) -> Arc<Definition> {
        self.0.lock().insert(key, Arc::clone(&definition));
        definition
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Reads a stored definition with a field.
    fn stored(name: &str, value: &Value) -> Result<Pipeline, StoreError> {
        let mut body = serde_json::to_value(Pipeline::new("daily").node("load", "any")).unwrap();
        body[name] = value.clone();
        read_definition(&body.to_string())
    }

    #[test]
    fn a_field_with_another_meaning_is_kept_without_effect() {
        let defs = json!([{"name": "rows", "type": "integer", "min": 1}]);
        assert_eq!(stored("param_defs", &defs).unwrap().param_defs.len(), 1);
        let ids = json!(["load"]);
        assert_eq!(stored("depends_on", &ids).unwrap().depends_on, ["load"]);
        for (name, kept) in [
            ("param_defs", json!([{"name": "rows", "type": "int"}])),
            (
                "param_defs",
                json!([{"name": "rows", "type": "integer", "hidden": true}]),
            ),
            ("param_defs", json!([{"name": "rows"}])),
            ("param_defs", json!({"rows": "integer"})),
            ("param_defs", json!("rows")),
            ("param_defs", json!([5])),
            ("param_defs", Value::Null),
            ("depends_on", json!("load")),
            ("depends_on", json!([1])),
            (
                "dependency_rules",
                json!([{"pipeline_id": "load", "mode": "soon"}]),
            ),
            (
                "dependency_rules",
                json!([{"pipeline_id": "load", "since": 1}]),
            ),
            ("dependency_rules", json!({"load": 1})),
            ("concurrency", json!(4)),
            ("concurrency", json!({"max": 2})),
            ("concurrency", json!({"key": "${param.a}", "limit": 2})),
            ("hooks", json!({"on_start": "https://example.com"})),
            ("hooks", json!({"on_start": {"type": "email", "url": "a"}})),
            ("hooks", json!({"on_end": {"type": "webhook", "url": "a"}})),
            ("hooks", json!([])),
            ("webhook_token", json!(5)),
            ("webhook_token", json!({"load": 1})),
        ] {
            let read = stored(name, &kept).unwrap();
            assert_eq!(read.extra[name], kept);
            assert_eq!(read.param_defs, []);
            assert_eq!((read.webhook_token, read.concurrency), (None, None));
            assert!(read.hooks.is_empty());
            assert_eq!((read.depends_on.len(), read.dependency_rules.len()), (0, 0));
            assert_eq!(read.nodes.len(), 1);
        }
        assert!(read_definition("{").is_err());
        assert!(read_definition(r#"{"id": 5, "param_defs": 5}"#).is_err());
    }
}
