//! The state that all calls of a service share.
//!
//! `service` checks the requests.

use http::request::Parts;

use super::access::Access;
use super::path;
use super::permission::Permission;
use crate::engine::Engine;
use crate::model::Scope;
use crate::views::Views;

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

    /// Returns the scope of a caller that has this permission.
    pub(super) fn scope_of(&self, parts: &Parts, permission: Permission) -> Option<Scope> {
        let grant = self.access.check(parts, permission).ok()?;
        Some(grant.scope)
    }
}
