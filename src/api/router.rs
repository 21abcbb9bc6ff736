//! From a method and a path to the row of the table.
//!
//! What rows there are stands in `routes`.

use std::sync::OnceLock;

use http::Method;

use super::path::Params;
use super::route::{Route, Verb};
use super::routes::ROUTES;

/// What a method and a path lead to.
pub(super) enum Match {
    Route(&'static Route, Params),
    /// The path is known and not with this method.
    OtherMethod(Allowed),
    Nothing,
}

/// The routes of one path, one a method.
#[derive(Clone, Copy, Default)]
pub(super) struct Allowed([Option<&'static Route>; Verb::COUNT]);

/// Finds the route of a request. A path ends without a slash; a parameter is decoded after the match, so `%2F` makes no new part.
pub(super) fn find(method: &Method, path: &str) -> Match {
    let Ok(matched) = router().at(path) else {
        return Match::Nothing;
    };
    let route = Verb::of(method).and_then(|verb| matched.value.0[verb as usize]);
    let Some(route) = route else {
        return Match::OtherMethod(*matched.value);
    };
    match Params::decoded(matched.params.iter()) {
        Some(params) => Match::Route(route, params),
        None => Match::Nothing,
    }
}

/// Built once: the table never changes.
fn router() -> &'static matchit::Router<Allowed> {
    static ROUTER: OnceLock<matchit::Router<Allowed>> = OnceLock::new();
    ROUTER.get_or_init(|| {
        let mut router = matchit::Router::new();
        for first in ROUTES {
            let same_path = ROUTES.iter().filter(|route| route.path == first.path);
            let mut allowed = Allowed::default();
            for route in same_path {
                allowed.0[route.method as usize] = Some(route);
            }
            // Every other route of the path finds it taken, and is in it already.
            let _taken = router.insert(first.path, allowed);
        }
        router
    })
}

impl Allowed {
    fn routes(&self) -> impl Iterator<Item = &'static Route> {
        self.0.iter().flatten().copied()
    }

    /// The methods as the header `Allow` lists them.
    pub(super) fn methods(&self) -> String {
        let names: Vec<_> = self.routes().map(|route| route.method.names()).collect();
        names.join(", ")
    }

    /// The methods with what they do.
    pub(super) fn about(&self) -> String {
        let routes = self.routes();
        let told: Vec<_> = routes
            .map(|route| format!("{} ({})", route.method.names(), route.about))
            .collect();
        told.join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_is_found_by_its_own_method_and_path() {
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
            Match::Nothing
        ));
    }

    #[test]
    fn a_path_that_is_not_in_the_table_is_nothing() {
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
            assert!(matches!(find(&Method::GET, path), Match::Nothing), "{path}");
        }
    }

    #[test]
    fn other_methods_are_told_which_there_are() {
        let Match::OtherMethod(allowed) = find(&Method::PATCH, "/pipelines/x") else {
            panic!("not found");
        };
        assert_eq!(allowed.methods(), "GET, HEAD, PUT, DELETE");
        assert!(
            allowed
                .about()
                .starts_with("GET, HEAD (shows a pipeline); PUT")
        );
        assert!(matches!(
            find(&Method::OPTIONS, "/runs"),
            Match::OtherMethod(_)
        ));
        assert!(matches!(find(&Method::HEAD, "/runs"), Match::Route(_, _)));
    }
}
