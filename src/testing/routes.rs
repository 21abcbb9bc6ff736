//! The list of all routes, for tests that check a rule on every route.
//!
//! The table of routes and their handlers is left to `api`.

use http::Method;

use crate::api::{self, Permission};

/// A route of [`RunsService`](crate::RunsService).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Route {
    /// The HTTP method.
    pub method: Method,
    /// The path below the prefix, with parameters in braces.
    pub path: &'static str,
    /// The permission that a caller needs.
    ///
    /// `None` if the route is open to everyone, or to every caller that the access check admits.
    pub permission: Option<Permission>,
    /// The method of the crate that does the same, as `Type::method`.
    pub rust: &'static str,
}

/// Returns every route of the service.
///
/// ```
/// use floret::testing::routes;
///
/// let writes = routes().into_iter().filter(|route| !route.method.is_safe());
/// assert!(writes.count() > 0);
/// ```
#[must_use]
pub fn routes() -> Vec<Route> {
    api::routes()
        .map(|route| Route {
            method: route.method,
            path: route.path,
            permission: route.permission,
            rust: route.rust,
        })
        .collect()
}
