//! The OpenAPI 3.1 document of the routes: a checked-in text, adapted to the host that serves it.
//!
//! A test in `generated` writes the text from the route table and from the types of the answers,
//! so a host does not compile what describes them. `openapi` serves the document.

#[cfg(test)]
mod generated;

use serde_json::{Value, json};

use super::path;
use crate::error::{Error, Result};

/// The document of all routes, below the default prefix.
const TEXT: &str = include_str!("../../../docs/openapi.json");

/// Returns the document of a service with this prefix, as JSON: it has the routes that this
/// build has.
///
/// # Errors
/// `Internal` if the checked-in text is not JSON.
pub(crate) fn document_below(prefix: &str) -> Result<Value> {
    let mut document: Value = serde_json::from_str(TEXT)
        .map_err(|error| Error::internal("the OpenAPI document is not JSON").with_source(error))?;
    let prefix = path::prefix(prefix);
    let url = if prefix.is_empty() { "/" } else { &prefix };
    if let Some(fields) = document.as_object_mut() {
        fields.insert("servers".to_owned(), json!([{"url": url}]));
    }
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    if let Some(paths) = paths.filter(|_| !cfg!(feature = "websocket")) {
        paths.remove("/ws");
    }
    Ok(document)
}
