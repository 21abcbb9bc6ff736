//! The state that all calls of a service share.
//!
//! `service` checks the requests.

use std::sync::OnceLock;

use http::request::Parts;

use super::access::Access;
use super::document::document_below;
use super::path;
use super::permission::Permission;
use crate::engine::Engine;
use crate::error::Result;
use crate::model::Scope;
use crate::views::{TaggedJson, Views};

/// The state that all calls of a service share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) engine: Engine,
    pub(super) views: Views,
    pub(super) access: Access,
    pub(super) prefix: String,
    // The path below which requests arrive, if a host strips a part of the prefix.
    pub(super) mount: Option<String>,
    pub(super) origins: Vec<String>,
    pub(super) hosts: Vec<String>,
    // The document for the prefix, once a caller has asked for it.
    pub(super) document: OnceLock<TaggedJson>,
}

impl Shared {
    /// Returns the path without the prefix, or without the part of the prefix that a host left.
    pub(super) fn below<'a>(&self, path: &'a str) -> &'a str {
        let below = path::below(&self.prefix, path);
        match &self.mount {
            Some(mount) if below.len() == path.len() => path::below(mount, path),
            Some(_) | None => below,
        }
    }

    /// Returns the OpenAPI document for the prefix.
    ///
    /// # Errors
    /// `Internal`. A test checks that it does not happen.
    pub(super) fn document(&self) -> Result<&TaggedJson> {
        if let Some(document) = self.document.get() {
            return Ok(document);
        }
        let json = document_below(&self.prefix)?.to_string();
        Ok(self.document.get_or_init(|| TaggedJson::new(json.into())))
    }

    /// Returns the scope of a caller that has this permission.
    pub(super) fn scope_of(&self, parts: &Parts, permission: Permission) -> Option<Scope> {
        let grant = self.access.check(parts, permission).ok()?;
        Some(grant.scope)
    }
}
