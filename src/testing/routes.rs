//! The table of routes as a test sees it, so that what holds for each route can be asked of each.
//!
//! What a route does is left to the table itself.

use http::Method;

use crate::api::{self, Permission};

/// A route of the service.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path below the prefix, with its parameters in braces.
    pub path: &'static str,
    /// What a caller needs; none where everybody, or every caller that is let in, may ask.
    pub permission: Option<Permission>,
}

/// Every route that the service has.
#[must_use]
pub fn routes() -> Vec<Route> {
    api::routes()
        .map(|(method, path, permission)| Route {
            method,
            path,
            permission,
        })
        .collect()
}
