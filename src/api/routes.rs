//! The table of everything that is served: it routes, says what a caller needs, and documents.
//!
//! A row without a permission does not compile. Finding a row is left to `router`, what it does to its handler.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use http::{Method, Response};

use super::body::Body;
use super::call::Call;
use super::permission::Permission;
use super::query::Parameter::{self, Repeatable, Single};
use super::request::Payload;
use super::{health, logs, pipelines, preview, profile, runs};
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

impl Verb {
    pub(super) const COUNT: usize = 4;

    /// The verb under which a method stands in the table; HEAD is answered like GET.
    pub(super) fn of(method: &Method) -> Option<Self> {
        match *method {
            Method::GET | Method::HEAD => Some(Self::Get),
            Method::POST => Some(Self::Post),
            Method::PUT => Some(Self::Put),
            Method::DELETE => Some(Self::Delete),
            _ => None,
        }
    }

    pub(super) const fn names(self) -> &'static str {
        match self {
            Self::Get => "GET, HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
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

    /// A row in short: method, path and permission, which is `-` where none is needed.
    fn row(route: &Route) -> String {
        let needs = match route.needs {
            Need::Nothing => "-",
            Need::Permission(permission) => permission.as_str(),
        };
        format!("{} {} {needs}", route.method.names(), route.path)
    }

    #[test]
    fn each_route_needs_the_permission_of_the_contract() {
        let expected = [
            "GET, HEAD /health -",
            "POST /pipelines/{id}/run pipelines.run",
            "GET, HEAD /pipelines/{id}/runs runs.view",
            "GET, HEAD /runs runs.view",
            "GET, HEAD /runs/{run_id} runs.view",
            "POST /runs/{run_id}/cancel runs.cancel",
            "POST /runs/{run_id}/resume runs.resume",
            "GET, HEAD /runs/{run_id}/logs runs.view",
            "GET, HEAD /runs/{run_id}/logs/export runs.view",
            "GET, HEAD /runs/{run_id}/nodes/{node_id}/preview runs.view",
            "GET, HEAD /runs/{run_id}/nodes/{node_id}/profile runs.view",
            "GET, HEAD /pipelines pipelines.view",
            "POST /pipelines pipelines.create",
            "GET, HEAD /pipelines/{id} pipelines.view",
            "PUT /pipelines/{id} pipelines.edit",
            "DELETE /pipelines/{id} pipelines.delete",
            "GET, HEAD /pipelines/{id}/validate pipelines.view",
        ];
        assert_eq!(ROUTES.iter().map(row).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn only_reading_lets_a_body_be_ignored() {
        for route in ROUTES {
            let is_read = matches!(route.method, Verb::Post | Verb::Put);
            let has_payload = route.payload != Payload::Ignored;
            assert_eq!(has_payload, is_read, "{route:?}");
        }
    }
}
