//! What the OpenAPI document says that each route takes: the service takes that, and nothing else.
//!
//! `wire` checks each response against the document.

use std::collections::BTreeSet;

use floret::Permissions;
use floret::testing::{Route, routes};
use http::Method;
use serde_json::{Value, json};

use super::cases::{Case, case};
use super::world::{World, tenant};
use crate::openapi::{Operation, operations, resolve};
use crate::wire::{Backend, TestResponse};

/// A name that is near to no other, so that a refusal lists the known names.
const UNKNOWN: &str = "~~~~";

#[tokio::test]
async fn every_route_takes_its_documented_input_in_memory() {
    send_documented_input(Backend::Memory).await;
}

#[tokio::test]
async fn every_route_takes_its_documented_input_in_sqlite() {
    send_documented_input(Backend::Sqlite).await;
}

async fn send_documented_input(backend: Backend) {
    let world = World::open(backend).await;
    for route in routes() {
        let operation = operation(&route);
        if let Some((schema, example)) = operation.body() {
            check_fields(&world, &route, resolve(schema)).await;
            check_example(backend, &route, example).await;
        }
        for parameter in operation.query() {
            check_parameter(&world, &route, parameter).await;
        }
    }
}

fn operation(route: &Route) -> Operation {
    let method = route.method.as_str().to_lowercase();
    let mut all = operations().into_iter();
    all.find(|own| own.path == route.path && own.method == method)
        .unwrap_or_else(|| panic!("{route:?} is not documented"))
}

async fn send(world: &World, route: &Route, body: Option<Value>, query: &str) -> TestResponse {
    let case = Case {
        body,
        ..case(route)
    };
    let own = Permissions::all().scope(tenant("acme"));
    world.call_with(route, &case, query, Some(own)).await
}

/// Asserts that the example of a body gets the answer of the route.
async fn check_example(backend: Backend, route: &Route, example: &Value) {
    let world = World::open(backend).await;
    let answer = send(&world, route, Some(example.clone()), "").await;
    assert_eq!(answer.status, case(route).own, "{route:?}: {answer:?}");
}

/// Asserts that a body has the documented fields only, and needs the required ones.
async fn check_fields(world: &World, route: &Route, schema: &'static Value) {
    let required = names(schema["required"].as_array().into_iter().flatten());
    if !required.is_empty() {
        let answer = send(world, route, Some(json!({})), "").await;
        answer.assert_problem(422, "invalid-field");
        let pointers = answer.json()["errors"].as_array().unwrap().clone();
        let missing = pointers
            .iter()
            .map(|error| error["pointer"].as_str().unwrap());
        let missing: BTreeSet<_> = missing.map(|at| at.trim_start_matches('/')).collect();
        assert!(
            missing
                .iter()
                .copied()
                .eq(required.iter().map(String::as_str)),
            "{missing:?}"
        );
    }
    if schema["additionalProperties"] == true {
        return;
    }
    let answer = send(world, route, Some(json!({UNKNOWN: 0})), "").await;
    answer.assert_problem(422, "unknown-field");
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    let known = detail
        .split_once("; known are ")
        .map_or("", |(_, known)| known);
    let known: BTreeSet<_> = known.split(", ").filter(|name| !name.is_empty()).collect();
    let documented = schema["properties"].as_object().unwrap().keys();
    let documented: BTreeSet<_> = documented.map(String::as_str).collect();
    assert_eq!(
        documented, known,
        "{route:?}: left: documented, right: known"
    );
}

fn names<'a>(names: impl Iterator<Item = &'a Value>) -> BTreeSet<String> {
    names
        .map(|name| name.as_str().unwrap().to_owned())
        .collect()
}

/// Asserts that a parameter of a query takes its documented values only.
async fn check_parameter(world: &World, route: &Route, parameter: &'static Value) {
    let name = parameter["name"].as_str().unwrap();
    let schema = resolve(&parameter["schema"]);
    let schema = schema.get("items").map_or(schema, resolve);
    let (mut good, bad) = values(schema);
    if let Some(cursor) = cursor(route).filter(|_| name == "after") {
        good = vec![cursor.to_owned()];
    }
    assert!(!good.is_empty(), "{name} of {route:?} has no value to try");
    let rest = match (route.path, name) {
        ("/search", "q") => "",
        ("/search", _) => "&q=acme",
        ("/runs", "idempotency_key") => "&pipeline_id=acme-daily",
        _ => "",
    };
    for (value, is_good) in good
        .iter()
        .map(|it| (it, true))
        .chain(bad.iter().map(|it| (it, false)))
    {
        let body = case(route).body;
        let body = body.filter(|_| route.method != Method::GET);
        let answer = send(world, route, body, &format!("?{name}={value}{rest}")).await;
        let is_refused = answer.status == 400;
        assert_ne!(
            is_refused, is_good,
            "{route:?} with {name}={value}: {answer:?}"
        );
        if is_refused {
            answer.assert_problem(400, "invalid-parameter");
        }
    }
}

/// Returns the cursor of an object in the list of a route, if only such a cursor is accepted.
fn cursor(route: &Route) -> Option<&'static str> {
    match route.path {
        "/pipelines" => Some("acme%2Facme-daily"),
        "/connections" => Some("acme%2Facme-db"),
        "/variables" => Some("acme%2Facme-key"),
        "/deliveries" => Some("acme-pager.1"),
        _ => None,
    }
}

/// Returns values that a schema allows, and values that it refuses.
fn values(schema: &Value) -> (Vec<String>, Vec<String>) {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    if let Some(words) = schema["enum"].as_array() {
        return (
            names(words.iter()).into_iter().collect(),
            texts(&["nonsense", ""]),
        );
    }
    match (schema["type"].as_str(), schema["format"].as_str()) {
        (Some("integer"), _) => {
            let bound = |name| {
                schema
                    .get(name)
                    .map(|bound| i128::from(bound.as_u64().unwrap()))
            };
            let (min, max) = (bound("minimum").unwrap(), bound("maximum"));
            let good = [Some(min), max].into_iter().flatten();
            let bad = [Some(min - 1), max.map(|max| max + 1)]
                .into_iter()
                .flatten();
            let other = ["x".to_owned(), String::new()];
            let bad = bad.map(|number| number.to_string()).chain(other);
            (
                good.map(|number| number.to_string()).collect(),
                bad.collect(),
            )
        }
        (Some("boolean"), _) => (texts(&["true", "false"]), texts(&["yes", "1", ""])),
        (_, Some("uuid")) => (
            texts(&["018d0c5e-7a00-7000-8000-000000000001"]),
            texts(&["018d0c5e", ""]),
        ),
        (_, Some("date-time")) => (texts(&["2024-01-15T06:00:00Z"]), texts(&["2024-01-15", ""])),
        (Some("string"), None)
            if schema["pattern"]
                .as_str()
                .is_some_and(|it| it.starts_with("^(system|")) =>
        {
            (
                texts(&["system", "pipeline:acme-daily", "delivery:acme.pager.7"]),
                texts(&["", "acme-daily", "run:7", "pipeline:a%20b", "node:a"]),
            )
        }
        (Some("string"), None) if schema["pattern"] == "^[^:]*:" => {
            (texts(&["team:data", ":", "a:b:c"]), texts(&["", "team"]))
        }
        (Some("string"), None) if schema["maxLength"] == 255 => {
            let (longest, longer) = ("a".repeat(255), "a".repeat(256));
            (
                texts(&["k/1", &longest]),
                texts(&["", "a%20b", "%C3%A4", &longer]),
            )
        }
        (Some("string"), None) if schema["maxLength"] == 200 => {
            let (longest, longer) = ("a".repeat(200), "a".repeat(201));
            (texts(&["a", &longest]), texts(&["", "%20", &longer]))
        }
        (Some("string"), None) if schema.get("pattern").is_some() => {
            let longest = "a".repeat(128);
            let longer = "a".repeat(129);
            (
                texts(&["acme-daily", &longest]),
                texts(&["-", "a%20b", &longer]),
            )
        }
        (Some("string"), None) => (texts(&["any%20text", ""]), Vec::new()),
        other => panic!("the schema of a parameter has the unknown type {other:?}"),
    }
}
