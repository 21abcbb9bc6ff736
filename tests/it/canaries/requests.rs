//! A request for every route of the service, with secrets in what is saved.
//!
//! What must not stand in the answers is told by the tests.

use bytes::Bytes;
use floret::testing::{Route, routes};
use http::{HeaderValue, Method, Request};
use http_body_util::Full;
use serde_json::{Value, json};

use super::{PASSWORD, TOKEN, VARIABLE};
use crate::wire::request;

/// What the requests of one round are about.
pub(super) struct Round {
    /// Given to no other round.
    pub(super) key: String,
    /// A run that can be resumed.
    pub(super) failed: String,
    /// A run that is under way.
    pub(super) active: String,
    /// A backfill that has not ended.
    pub(super) backfill: String,
}

/// One request a route, in the order of the table: what a round saves it deletes.
pub(super) fn every_request(round: &Round) -> Vec<(Route, Request<Full<Bytes>>)> {
    let asks = routes().into_iter().map(|route| {
        let path = format!("/api{}{}", path(&route, round), query(&route));
        let mut ask = request(route.method.clone(), &path, body(&route).as_ref());
        let is_keyed = matches!(
            route.path,
            "/pipelines/{id}/run" | "/pipelines/{id}/backfill" | "/runs/{run_id}/resume"
        );
        if is_keyed {
            let key = HeaderValue::try_from(&round.key).unwrap();
            ask.headers_mut().insert("idempotency-key", key);
        }
        (route, ask)
    });
    asks.collect()
}

fn path(route: &Route, round: &Round) -> String {
    let is_saved = matches!(route.method, Method::PUT | Method::DELETE);
    let own = |shared, spare| if is_saved { spare } else { shared };
    let run = match route.path {
        "/runs/{run_id}/cancel" => &round.active,
        _ => &round.failed,
    };
    let given = [
        ("{id}", own("fine", "spare")),
        ("{conn_id}", own("warehouse", "spare")),
        ("{key}", own("TOKEN", "SPARE")),
        ("{run_id}", run.as_str()),
        ("{node_id}", "load"),
        ("{backfill_id}", round.backfill.as_str()),
    ];
    let replace = |path: String, (name, value): (&str, &str)| path.replace(name, value);
    given.into_iter().fold(route.path.to_owned(), replace)
}

const fn query(route: &Route) -> &'static str {
    match route.path.as_bytes() {
        b"/search" => "?q=t",
        b"/runs/{run_id}/logs" => "?level=debug",
        _ => "",
    }
}

/// The body of a request to a route that takes one.
fn body(route: &Route) -> Option<Value> {
    let nodes = json!([{"id": "tells", "type": "tells", "config": {"token": "${var.TOKEN}"}}]);
    let extra = json!({"token": TOKEN});
    match (route.method.as_str(), route.path) {
        ("GET" | "DELETE", _) => None,
        ("POST", "/connections") => Some(
            json!({"conn_id": "spare", "type": "postgres", "password": PASSWORD, "extra": extra}),
        ),
        ("PUT", "/connections/{conn_id}") => {
            Some(json!({"type": "postgres", "password": PASSWORD, "extra": extra}))
        }
        ("POST", "/variables") => {
            Some(json!({"key": "SPARE", "value": VARIABLE, "type": "secret"}))
        }
        ("PUT", "/variables/{key}") => Some(json!({"value": VARIABLE, "type": "secret"})),
        ("POST", "/pipelines") => Some(json!({"id": "spare", "name": "spare", "nodes": nodes})),
        ("PUT", "/pipelines/{id}") => Some(json!({"name": "spare", "nodes": nodes})),
        ("POST", "/pipelines/{id}/backfill") => {
            Some(json!({"start_date": "2024-01-01", "end_date": "2024-01-01"}))
        }
        (
            "POST",
            "/pipelines/{id}/run"
            | "/pipelines/{id}/dry-run"
            | "/runs/{run_id}/cancel"
            | "/runs/{run_id}/resume"
            | "/backfills/{backfill_id}/cancel"
            | "/system/purge",
        ) => None,
        _ => panic!("no request is known for {route:?}"),
    }
}
