//! The OpenAPI 3.1 document of the routes: a checked-in text, adapted to the host that serves it.
//!
//! A test in `generated` writes the text from the route table and from the types of the answers,
//! so a host does not compile what describes them. `openapi` serves the document.

#[cfg(test)]
mod generated;

use bytes::Bytes;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::path;
use crate::error::{Error, Result};

/// The document of all routes, below the default prefix.
const TEXT: &str = include_str!("../../../docs/openapi.json");

/// The document as a service serves it. Clones share its bytes.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    pub(super) json: Bytes,
    /// A strong entity tag in its quotes: the same for the same bytes only.
    pub(super) tag: Bytes,
}

impl Document {
    /// Returns the document of a service with this prefix.
    ///
    /// # Errors
    /// `Internal` if the checked-in text is not JSON.
    pub(super) fn below(prefix: &str) -> Result<Self> {
        let json = Bytes::from(Self::value(prefix)?.to_string());
        let hash: [u8; 32] = Sha256::digest(&json).into();
        // Half of it suffices: a tag is compared with those of this document only.
        let start = u128::from_be_bytes(hash.first_chunk().copied().unwrap_or_default());
        Ok(Self {
            json,
            tag: format!("\"{start:032x}\"").into(),
        })
    }

    /// Returns the document of a service with this prefix, as JSON: it has the routes that this
    /// build has.
    ///
    /// # Errors
    /// `Internal` if the checked-in text is not JSON.
    pub(crate) fn value(prefix: &str) -> Result<Value> {
        let mut document: Value = serde_json::from_str(TEXT).map_err(|error| {
            Error::internal("the OpenAPI document is not JSON").with_source(error)
        })?;
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
}
