//! The table of everything that is served: it routes, says what a caller needs, and documents.
//!
//! A row without a permission does not compile. What a row does is left to its handler.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::OnceLock;

use http::{Method, Response};

use super::body::Body;
use super::call::Call;
use super::permission::Permission;
use super::query::Parameter::{self, Repeatable, Single};
use super::request::Payload;
use super::{health, logs, path, pipelines, preview, profile, runs};
use crate::error::Result;

/// A handler at work.
pub(super) type Handling = Pin<Box<dyn Future<Output = Result<Response<Body>>> + Send>>;

/// One row.
pub(super) struct Route {
    pub(super) method: Verb,
    pub(super) path: &'static str,
    pub(super) needs: Need,
    pub(super) query: &'static [Parameter],
    pub(super) payload: Payload,
    pub(super) handler: fn(Call) -> Handling,
    /// What it does, for whoever asks in the wrong way and for the documentation.
    pub(super) about: &'static str,
}

/// The methods that the table uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    Post,
    Put,
    Delete,
}

/// What a caller needs for a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing: everybody may ask.
    Nothing,
    /// A permission.
    Permission(Permission),
}

macro_rules! handler {
    ($handler:path) => {
        |call| Box::pin($handler(call))
    };
}

/// Every route.
pub(super) static ROUTES: &[Route] = &[
    Route {
        method: Verb::Get,
        path: "/health",
        needs: Need::Nothing,
        query: &[],
        payload: Payload::Ignored,
        handler: handler!(health::health),
        about: "tells whether the service works",
    },
    Route {
        method: Verb::Post,
        path: "/pipelines/{id}/run",
        needs: Need::Permission(Permission::PipelinesRun),
        query: &[],
        payload: Payload::Optional,
        handler: handler!(runs::trigger),
        about: "starts a run",
    },
    Route {
        method: Verb::Get,
        path: "/pipelines/{id}/runs",
        needs: Need::Permission(Permission::RunsView),
        query: &[
            Single("page"),
            Single("per_page"),
            Single("after"),
            Single("limit"),
            Repeatable("status"),
            Single("trigger"),
            Single("from"),
            Single("to"),
        ],
        payload: Payload::Ignored,
        handler: handler!(runs::list_of_pipeline),
        about: "lists the runs of a pipeline",
    },
    Route {
        method: Verb::Get,
        path: "/runs",
        needs: Need::Permission(Permission::RunsView),
        query: &[
            Single("page"),
            Single("per_page"),
            Single("after"),
            Single("limit"),
            Repeatable("status"),
            Single("trigger"),
            Single("from"),
            Single("to"),
            Single("pipeline_id"),
        ],
        payload: Payload::Ignored,
        handler: handler!(runs::list),
        about: "lists runs",
    },
    Route {
        method: Verb::Get,
        path: "/runs/{run_id}",
        needs: Need::Permission(Permission::RunsView),
        query: &[],
        payload: Payload::Ignored,
        handler: handler!(runs::find),
        about: "shows a run with its nodes",
    },
    Route {
        method: Verb::Post,
        path: "/runs/{run_id}/cancel",
        needs: Need::Permission(Permission::RunsCancel),
        query: &[Single("force")],
        payload: Payload::Optional,
        handler: handler!(runs::cancel),
        about: "cancels a run",
    },
    Route {
        method: Verb::Post,
        path: "/runs/{run_id}/resume",
        needs: Need::Permission(Permission::RunsResume),
        query: &[],
        payload: Payload::Optional,
        handler: handler!(runs::resume),
        about: "starts a run that goes on where a failed one ended",
    },
    Route {
        method: Verb::Get,
        path: "/runs/{run_id}/logs",
        needs: Need::Permission(Permission::RunsView),
        query: &[
            Single("node_id"),
            Single("level"),
            Single("after"),
            Single("limit"),
        ],
        payload: Payload::Ignored,
        handler: handler!(logs::list),
        about: "shows the log of a run",
    },
    Route {
        method: Verb::Get,
        path: "/runs/{run_id}/logs/export",
        needs: Need::Permission(Permission::RunsView),
        query: &[
            Single("node_id"),
            Single("level"),
            Single("after"),
            Single("format"),
        ],
        payload: Payload::Ignored,
        handler: handler!(logs::export),
        about: "gives the log of a run as a file",
    },
    Route {
        method: Verb::Get,
        path: "/runs/{run_id}/nodes/{node_id}/preview",
        needs: Need::Permission(Permission::RunsView),
        query: &[],
        payload: Payload::Ignored,
        handler: handler!(preview::find),
        about: "shows the first rows that a node handed on",
    },
    Route {
        method: Verb::Get,
        path: "/runs/{run_id}/nodes/{node_id}/profile",
        needs: Need::Permission(Permission::RunsView),
        query: &[],
        payload: Payload::Ignored,
        handler: handler!(profile::find),
        about: "shows statistics of what a node handed on",
    },
    Route {
        method: Verb::Get,
        path: "/pipelines",
        needs: Need::Permission(Permission::PipelinesView),
        query: &[
            Single("page"),
            Single("per_page"),
            Single("after"),
            Single("limit"),
            Single("tag"),
            Single("enabled"),
        ],
        payload: Payload::Ignored,
        handler: handler!(pipelines::list),
        about: "lists pipelines",
    },
    Route {
        method: Verb::Post,
        path: "/pipelines",
        needs: Need::Permission(Permission::PipelinesCreate),
        query: &[],
        payload: Payload::Required,
        handler: handler!(pipelines::create),
        about: "saves a pipeline that is not there yet",
    },
    Route {
        method: Verb::Get,
        path: "/pipelines/{id}",
        needs: Need::Permission(Permission::PipelinesView),
        query: &[],
        payload: Payload::Ignored,
        handler: handler!(pipelines::find),
        about: "shows a pipeline",
    },
    Route {
        method: Verb::Put,
        path: "/pipelines/{id}",
        needs: Need::Permission(Permission::PipelinesEdit),
        query: &[],
        payload: Payload::Required,
        handler: handler!(pipelines::replace),
        about: "replaces a pipeline",
    },
    Route {
        method: Verb::Delete,
        path: "/pipelines/{id}",
        needs: Need::Permission(Permission::PipelinesDelete),
        query: &[],
        payload: Payload::Ignored,
        handler: handler!(pipelines::delete),
        about: "deletes a pipeline",
    },
    Route {
        method: Verb::Get,
        path: "/pipelines/{id}/validate",
        needs: Need::Permission(Permission::PipelinesView),
        query: &[],
        payload: Payload::Ignored,
        handler: handler!(pipelines::validate),
        about: "checks a pipeline against the executors",
    },
];

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

/// The decoded parameters of a path.
#[derive(Debug, Default)]
pub(super) struct Params(Vec<(&'static str, String)>);

impl Params {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let own = self.0.iter().find(|(own, _)| *own == name);
        own.map(|(_, value)| value.as_str())
    }
}

/// Finds the route of a request. A path ends without a slash; a parameter is decoded after the match, so `%2F` makes no new part.
pub(super) fn find(method: &Method, path: &str) -> Match {
    let Ok(matched) = router().at(path) else {
        return Match::Nothing;
    };
    let route = Verb::of(method).and_then(|verb| matched.value.0[verb as usize]);
    let Some(route) = route else {
        return Match::OtherMethod(*matched.value);
    };
    let decoded = matched
        .params
        .iter()
        .map(|(name, value)| path::decode(value).map(|value| (name, value.into_owned())));
    match decoded.collect::<Option<Vec<_>>>() {
        Some(params) => Match::Route(route, Params(params)),
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

impl Verb {
    const COUNT: usize = 4;

    /// The verb under which a method stands in the table; HEAD is answered like GET.
    fn of(method: &Method) -> Option<Self> {
        match *method {
            Method::GET | Method::HEAD => Some(Self::Get),
            Method::POST => Some(Self::Post),
            Method::PUT => Some(Self::Put),
            Method::DELETE => Some(Self::Delete),
            _ => None,
        }
    }

    const fn names(self) -> &'static str {
        match self {
            Self::Get => "GET, HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
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
            .map(|route| format!("{} {}", route.method.names(), route.about))
            .collect();
        told.join("; ")
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {} ({})", self.method, self.path, self.about)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_is_found_by_its_own_method_and_path() {
        for row in ROUTES {
            let method = match row.method {
                Verb::Get => Method::GET,
                Verb::Post => Method::POST,
                Verb::Put => Method::PUT,
                Verb::Delete => Method::DELETE,
            };
            let path = row.path.replace('{', "").replace('}', "");
            let Match::Route(found, _) = find(&method, &path) else {
                panic!("{row:?} is not found");
            };
            assert!(std::ptr::eq(found, row), "{row:?} is not {found:?}");
        }
    }

    #[test]
    fn only_health_is_open_to_everybody() {
        let open = ROUTES.iter().filter(|row| row.needs == Need::Nothing);
        assert_eq!(open.map(|row| row.path).collect::<Vec<_>>(), ["/health"]);
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
                .starts_with("GET, HEAD shows a pipeline; PUT")
        );
        assert!(matches!(
            find(&Method::OPTIONS, "/runs"),
            Match::OtherMethod(_)
        ));
        assert!(matches!(find(&Method::HEAD, "/runs"), Match::Route(_, _)));
    }
}
