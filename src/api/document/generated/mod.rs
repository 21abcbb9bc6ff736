//! Writes `docs/openapi.json` from the route table and from the types of bodies and answers.
//!
//! A test compares the file. After a change of the API, this command writes it again:
//!
//! ```text
//! FLORET_WRITE_OPENAPI=1 cargo test -p floret --lib --all-features -- document
//! ```
//!
//! Each noun has a file with its operations. `tests/it/openapi` checks the document against what
//! the service does.

mod answer;
mod audit;
mod backfills;
mod bodies;
mod connections;
mod deliveries;
mod operation;
mod parameters;
mod pipeline_schemas;
mod pipelines;
mod platform;
mod problems;
mod runs;
mod schemas;
mod variables;

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use self::operation::Operation;
use self::schemas::Schemas;
use crate::api::problem::ProblemBody;
use crate::api::route::{Need, Route};
use crate::api::routes::ROUTES;

/// Set to any value, this variable has the test write the file instead of comparing it.
const WRITE: &str = "FLORET_WRITE_OPENAPI";

const ABOUT: &str = "Triggers, watches and manages runs of pipelines. A host mounts this API and \
    decides who may call it. Every route takes the query parameter `tenant` and answers an error \
    with a problem (RFC 9457); `x-problem-types` lists the slugs that end the `type` of the \
    problems of a route.";

const TAGS: [(&str, &str); 8] = [
    ("runs", "Runs, their logs and the outputs of their nodes."),
    ("backfills", "Runs for each date in a range."),
    ("pipelines", "The definitions of pipelines."),
    (
        "connections",
        "Connections, with secrets that answers mask.",
    ),
    ("variables", "Variables and secrets that configs name."),
    (
        "platform",
        "The state of the system, and views across all pipelines.",
    ),
    ("events", "The stream of events."),
    (
        "deliveries",
        "Deliveries of events to notifiers that have not succeeded.",
    ),
];

/// Describes the operation of a route. A route without a description has none.
fn describe(route: &Route, schemas: &mut Schemas) -> Option<Operation> {
    let described = [
        runs::describe,
        backfills::describe,
        pipelines::describe,
        connections::describe,
        variables::describe,
        deliveries::describe,
        audit::describe,
        platform::describe,
    ];
    described
        .into_iter()
        .find_map(|describe| describe(route, schemas))
}

/// Returns the whole document.
fn document() -> Value {
    let mut schemas = Schemas::new();
    schemas.of::<ProblemBody<'static>>();
    let (mut paths, mut problems) = (Map::new(), Map::new());
    for route in ROUTES {
        let operation = describe(route, &mut schemas)
            .unwrap_or_else(|| panic!("{route:?} has no description of its types"));
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        let method = route.method.method().as_str().to_lowercase();
        path[method] = operation.into_json(route, &mut problems);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Floret Runs API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/api"}],
        "tags": TAGS.map(|(name, about)| json!({"name": name, "description": about})),
        "paths": paths,
        "components": {
            "schemas": schemas.finish(),
            "responses": problems,
            "parameters": {"tenant": parameters::tenant()},
            "securitySchemes": {"bearer": {
                "type": "http",
                "scheme": "bearer",
                "description": "The host decides how a caller proves who it is. The standalone \
                    server takes its API key as a bearer token. The names of a requirement are the \
                    permissions that the caller needs.",
            }, "webhookToken": {
                "type": "apiKey",
                "in": "header",
                "name": "X-Floret-Token",
                "description": "The token of the webhook of a pipeline. A bearer token in \
                    `Authorization` is read, too.",
            }},
        },
    })
}

/// Returns the name of the permission that a route needs, `any`, or none.
fn permission(needs: Need) -> Option<&'static str> {
    match needs {
        Need::Nothing | Need::Token => None,
        Need::Caller => Some("any"),
        Need::Permission(permission) => Some(permission.as_str()),
    }
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json")
}

/// Returns the JSON pointers at which two values differ.
fn differences(at: &str, known: &Value, found: &Value, all: &mut Vec<String>) {
    match (known, found) {
        (Value::Object(known), Value::Object(found)) => {
            for name in known
                .keys()
                .chain(found.keys().filter(|name| !known.contains_key(*name)))
            {
                let token = crate::error::reference_token(name);
                let at = format!("{at}/{token}");
                match (known.get(name), found.get(name)) {
                    (Some(known), Some(found)) => differences(&at, known, found, all),
                    (Some(_), None) => all.push(format!("- {at}")),
                    (None, _) => all.push(format!("+ {at}")),
                }
            }
        }
        _ if known != found => all.push(format!("! {at}: {known} is now {found}")),
        _ => {}
    }
}

#[test]
fn the_document_is_current() {
    let found = document();
    if std::env::var_os(WRITE).is_some() {
        let text = serde_json::to_string_pretty(&found).unwrap();
        std::fs::write(file(), text + "\n").unwrap();
    }
    let known = std::fs::read_to_string(file()).unwrap();
    let known = serde_json::from_str(&known).unwrap();
    let mut all = Vec::new();
    differences("", &known, &found, &mut all);
    assert!(
        all.is_empty(),
        "docs/openapi.json differs from the routes and their types; {WRITE}=1 writes it again. - \
         in the file only, + new:\n{}",
        all.join("\n")
    );
}

#[test]
fn every_operation_has_an_id_of_its_own() {
    let document = document();
    let paths = document["paths"].as_object().unwrap().values();
    let operations = paths.flat_map(|path| path.as_object().unwrap().values());
    let mut ids: Vec<_> = operations
        .map(|operation| &operation["operationId"])
        .collect();
    assert_eq!(ids.len(), ROUTES.len());
    ids.sort_unstable_by_key(|id| id.as_str());
    ids.dedup();
    assert_eq!(ids.len(), ROUTES.len(), "{ids:?}");
}

#[test]
fn a_host_gets_the_document_with_its_prefix_and_its_routes() {
    for (prefix, url) in [("/api", "/api"), ("v1/", "/v1"), ("/", "/"), ("", "/")] {
        let document = super::document_below(prefix).unwrap();
        assert_eq!(document["servers"], json!([{"url": url}]));
        let mut paths: Vec<_> = ROUTES.iter().map(|route| route.path).collect();
        paths.sort_unstable();
        paths.dedup();
        assert!(document["paths"].as_object().unwrap().keys().eq(paths));
    }
}
