//! What every call of a service uses, and where the paths of the service begin.
//!
//! The order in which a request is checked is `service`'s.

use http::request::Parts;

use super::access::Access;
use super::path;
use super::permission::Permission;
use crate::engine::Engine;
use crate::model::Scope;
use crate::views::Views;

/// What every call of a service uses.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) engine: Engine,
    pub(super) views: Views,
    pub(super) access: Access,
    pub(super) prefix: String,
    // Under which requests arrive where a host has taken a part of the prefix off.
    pub(super) mount: Option<String>,
    pub(super) origins: Vec<String>,
    pub(super) hosts: Vec<String>,
}

impl Shared {
    /// The path of the contract that a request's path is: without the prefix, or without what a host has left of it.
    pub(super) fn below<'a>(&self, path: &'a str) -> &'a str {
        let below = path::below(&self.prefix, path);
        match &self.mount {
            Some(mount) if below.len() == path.len() => path::below(mount, path),
            Some(_) | None => below,
        }
    }

    /// The scope of a caller that has this permission.
    pub(super) fn scope_of(&self, parts: &Parts, permission: Permission) -> Option<Scope> {
        self.access.check(parts, permission).ok()
    }
}
