//! A request to every route of the service, with secrets in the bodies.
//!
//! What must not be in the responses is left to the tests.

use bytes::Bytes;
use floret::testing::{Route, routes};
use http::{HeaderValue, Method, Request};
use http_body_util::Full;
use serde_json::{Value, json};

use super::{HOOK_TOKEN, PASSWORD, TOKEN, VARIABLE};
use crate::harness::park_dead_letter;
use crate::wire::{Host, request};

/// The values that the requests of one round use.
pub(super) struct Round {
    /// An idempotency key that no other round uses.
    pub(super) key: String,
    /// A run that can be resumed.
    pub(super) failed: String,
    /// A run that executes.
    pub(super) active: String,
    /// A backfill that has not finished.
    pub(super) backfill: String,
    /// A backfill that is paused and goes on again.
    pub(super) paused_backfill: String,
    /// A backfill that has finished.
    pub(super) finished_backfill: String,
    /// Two dead letters.
    pub(super) dead: [String; 2],
}

/// Parks two events of a run as dead letters.
pub(super) async fn park_two(host: &Host, run: &str) -> [String; 2] {
    let (run, storage) = (run.parse().unwrap(), &host.faults);
    [
        park_dead_letter(storage, "pager", run, 0).await,
        park_dead_letter(storage, "pager", run, 1).await,
    ]
}

/// Returns one request per route, in table order, so that a round deletes what it saves.
pub(super) fn every_request(round: &Round) -> Vec<(Route, Request<Full<Bytes>>)> {
    let requests = routes().into_iter().map(|route| {
        let path = format!("/api{}{}", path(&route, round), query(&route));
        let mut request = request(route.method.clone(), &path, body(&route).as_ref());
        let is_keyed = matches!(
            route.path,
            "/pipelines/{id}/run"
                | "/pipelines/{id}/webhook"
                | "/pipelines/{id}/backfill"
                | "/runs/{run_id}/resume"
                | "/runs/{run_id}/rerun"
        );
        if is_keyed {
            let key = HeaderValue::try_from(&round.key).unwrap();
            request.headers_mut().insert("idempotency-key", key);
        }
        if route.path == "/pipelines/{id}/webhook" {
            let token = HeaderValue::from_static(HOOK_TOKEN);
            request.headers_mut().insert("x-floret-token", token);
        }
        (route, request)
    });
    requests.collect()
}

fn path(route: &Route, round: &Round) -> String {
    let is_saved = matches!(route.method, Method::PUT | Method::DELETE);
    let own = |shared, spare| -> &str { if is_saved { spare } else { shared } };
    let backfill = match route.path {
        "/backfills/{backfill_id}/rerun" => &round.finished_backfill,
        "/backfills/{backfill_id}/pause" | "/backfills/{backfill_id}/unpause" => {
            &round.paused_backfill
        }
        _ => &round.backfill,
    };
    let run = match route.path {
        "/runs/{run_id}/cancel" => &round.active,
        _ => &round.failed,
    };
    let node = if route.path.starts_with("/pipelines") {
        "leaky"
    } else {
        "load"
    };
    let parameters = [
        ("{id}", own("fine", "spare")),
        ("{conn_id}", own("warehouse", "spare")),
        ("{key}", own("TOKEN", "SPARE")),
        ("{run_id}", run.as_str()),
        ("{version}", "1"),
        ("{to}", "1"),
        ("{node_id}", node),
        ("{backfill_id}", backfill.as_str()),
        ("{delivery_id}", own(&round.dead[0], &round.dead[1])),
    ];
    let replace = |path: String, (name, value): (&str, &str)| path.replace(name, value);
    parameters.into_iter().fold(route.path.to_owned(), replace)
}

const fn query(route: &Route) -> &'static str {
    match route.path.as_bytes() {
        b"/search" => "?q=t",
        b"/events" => "?since=0",
        b"/runs/{run_id}/logs" => "?level=debug&before=1000000",
        _ => "",
    }
}

/// Returns the body of a request, if the route takes one.
fn body(route: &Route) -> Option<Value> {
    let nodes = json!([{"id": "leaky", "type": "leaky", "config": {"token": "${var.TOKEN}"}}]);
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
        ("POST", "/runs/cancel" | "/runs/rerun") => {
            Some(json!({"filter": {"pipeline_id": "fine", "label": ["none:none"]}}))
        }
        ("POST", "/backfills/{backfill_id}/rerun") => Some(json!({"only": "all"})),
        ("POST", "/pipelines/{id}/rollback") => Some(json!({"version": 1})),
        ("POST", "/pipelines/{id}/pause") => Some(json!({"reason": "seen"})),
        ("POST", "/pipelines/{id}/unpause") => Some(json!({})),
        ("POST", "/backfills/{backfill_id}/pause") => Some(json!({"reason": "seen"})),
        ("POST", "/backfills/{backfill_id}/unpause") => Some(json!({})),
        ("PATCH", "/runs/{run_id}") => Some(json!({"labels": {"team": "data"}, "note": "seen"})),
        ("PUT", "/variables/{key}") => Some(json!({"value": VARIABLE, "type": "secret"})),
        ("POST", "/pipelines") => Some(json!({"id": "spare", "name": "spare", "nodes": nodes})),
        ("PUT", "/pipelines/{id}") => Some(json!({"name": "spare", "nodes": nodes})),
        ("POST", "/pipelines/{id}/backfill") => {
            Some(json!({"start_date": "2024-01-01", "end_date": "2024-01-01"}))
        }
        (
            "POST",
            "/pipelines/{id}/run"
            | "/pipelines/{id}/webhook"
            | "/pipelines/{id}/dry-run"
            | "/runs/{run_id}/cancel"
            | "/runs/{run_id}/resume"
            | "/runs/{run_id}/rerun"
            | "/backfills/{backfill_id}/cancel"
            | "/deliveries/{delivery_id}/retry"
            | "/system/purge",
        ) => None,
        _ => panic!("no request covers {route:?}"),
    }
}
