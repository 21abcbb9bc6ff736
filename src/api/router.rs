//! Finds the route of a method and a path.
//!
//! `routes` is the table of all routes.

use std::sync::OnceLock;

use http::Method;

use super::path::Params;
use super::route::{Route, Verb};
use super::routes::ROUTES;

/// The result of a look-up.
pub(super) enum Match {
    Route(&'static Route, Params),
    /// The path exists, but not with this method.
    MethodNotAllowed(AllowedMethods),
    NotFound,
}

/// The routes of one path, one per method.
#[derive(Clone, Copy, Default)]
pub(super) struct AllowedMethods([Option<&'static Route>; Verb::COUNT]);

/// Finds the route of a request.
///
/// A path with a trailing slash matches nothing. Parameters are decoded after the match, so `%2F`
/// does not separate segments.
pub(super) fn find(method: &Method, path: &str) -> Match {
    let Ok(matched) = router().at(path) else {
        return Match::NotFound;
    };
    let route = Verb::of(method).and_then(|verb| matched.value.0[verb as usize]);
    let Some(route) = route else {
        return Match::MethodNotAllowed(*matched.value);
    };
    match Params::decoded(matched.params.iter()) {
        Some(params) => Match::Route(route, params),
        None => Match::NotFound,
    }
}

/// Returns the router, which is built once.
fn router() -> &'static matchit::Router<AllowedMethods> {
    static ROUTER: OnceLock<matchit::Router<AllowedMethods>> = OnceLock::new();
    ROUTER.get_or_init(|| {
        let mut router = matchit::Router::new();
        for first in ROUTES {
            let same_path = ROUTES.iter().filter(|route| route.path == first.path);
            let mut allowed = AllowedMethods::default();
            for route in same_path {
                allowed.0[route.method as usize] = Some(route);
            }
            // A second insert of the same path fails; `allowed` already has all of its routes.
            let _taken = router.insert(first.path, allowed);
        }
        router
    })
}

impl AllowedMethods {
    fn routes(&self) -> impl Iterator<Item = &'static Route> {
        self.0.iter().flatten().copied()
    }

    /// Returns the value of the header `Allow`.
    pub(super) fn methods(&self) -> String {
        let names: Vec<_> = self.routes().map(|route| route.method.names()).collect();
        names.join(", ")
    }

    /// Describes what each method does.
    pub(super) fn about(&self) -> String {
        let routes = self.routes();
        let described: Vec<_> = routes
            .map(|route| format!("{} ({})", route.method.names(), route.about))
            .collect();
        described.join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_found_by_its_method_and_path() {
        for row in ROUTES {
            let method = row.method.method();
            let path = row.path.replace(['{', '}'], "");
            let Match::Route(found, _) = find(&method, &path) else {
                panic!("{row:?} is not found");
            };
            assert!(std::ptr::eq(found, row), "{row:?} is not {found:?}");
        }
    }

    #[test]
    fn parameters_are_decoded_after_the_match() {
        let Match::Route(route, params) = find(&Method::GET, "/pipelines/a%2Fb%20") else {
            panic!("not found");
        };
        assert_eq!(route.path, "/pipelines/{id}");
        assert_eq!(params.get("id"), Some("a/b "));
        assert!(matches!(
            find(&Method::GET, "/pipelines/%ff"),
            Match::NotFound
        ));
    }

    #[test]
    fn a_path_that_is_not_in_the_table_is_not_found() {
        for path in [
            "",
            "/",
            "*",
            "/runs/",
            "//runs",
            "/runs/x/",
            "/pipelines//run",
            "/api/runs",
            "/runs/x/y",
        ] {
            assert!(
                matches!(find(&Method::GET, path), Match::NotFound),
                "{path}"
            );
        }
    }

    #[test]
    fn a_wrong_method_gets_the_list_of_allowed_methods() {
        let Match::MethodNotAllowed(allowed) = find(&Method::PATCH, "/pipelines/x") else {
            panic!("not found");
        };
        assert_eq!(allowed.methods(), "GET, HEAD, PUT, DELETE");
        assert!(
            allowed
                .about()
                .starts_with("GET, HEAD (returns a pipeline); PUT")
        );
        assert!(matches!(
            find(&Method::OPTIONS, "/runs"),
            Match::MethodNotAllowed(_)
        ));
        assert!(matches!(find(&Method::HEAD, "/runs"), Match::Route(_, _)));
    }
}
