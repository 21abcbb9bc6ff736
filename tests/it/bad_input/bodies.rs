//! Bodies that are unreadable, too large, of the wrong type, have invalid fields, or do not arrive.
//!
//! `definitions` covers the fields of a definition.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use floret::Limits;
use http::Request;
use http_body::Frame;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::row::{
    BACKFILL, Coverage, DRY_RUN, FORM, RUN, Row, TestRequest, all, get, patch, post, put,
};
use crate::wire::{Backend, Host, TestResponse};

const RESUME: &str = "/api/runs/{failed}/resume";
const CANCEL: &str = "/api/runs/{failed}/cancel";
const PIPELINES: &str = "/api/pipelines";
const CONNECTIONS: &str = "/api/connections";
const VARIABLES: &str = "/api/variables";
const ROLLBACK: &str = "/api/pipelines/daily/rollback";
const PAUSE: &str = "/api/pipelines/daily/pause";
const UNPAUSE: &str = "/api/pipelines/daily/unpause";
const PAUSE_BACKFILL: &str = "/api/backfills/{backfill}/pause";
const UNPAUSE_BACKFILL: &str = "/api/backfills/{backfill}/unpause";
const RERUN: &str = "/api/runs/{failed}/rerun";
const CANCEL_MANY: &str = "/api/runs/cancel";
const RERUN_MANY: &str = "/api/runs/rerun";
const PURGE: &str = "/api/system/purge";
const RETRY: &str = "/api/deliveries/{waiting}/retry";

/// The `POST` routes that take a body.
const WITH_BODY: [&str; 18] = [
    PAUSE,
    UNPAUSE,
    PAUSE_BACKFILL,
    UNPAUSE_BACKFILL,
    RERUN,
    CANCEL_MANY,
    RERUN_MANY,
    ROLLBACK,
    RUN,
    RESUME,
    CANCEL,
    PIPELINES,
    BACKFILL,
    DRY_RUN,
    CONNECTIONS,
    VARIABLES,
    PURGE,
    RETRY,
];

pub(super) fn rows() -> Vec<Row> {
    let rows = [unreadable(), wrong_type(), too_large()];
    rows.into_iter()
        .chain([unknown_fields(), invalid_fields()])
        .flatten()
        .collect()
}

fn unreadable() -> Vec<Row> {
    let deep = format!("{{\"params\":{}{}}}", "[".repeat(200), "]".repeat(200));
    let mut rows = Vec::new();
    for path in WITH_BODY {
        rows.extend(all(
            400,
            "invalid-json",
            [
                post(path, "{nonsense"),
                post(path, "{\"params\":{\"a\":"),
                post(path, "{} {}"),
                post(path, b"{\"a\":\"\xff\"}"),
                post(path, "\u{feff}{}"),
            ],
        ));
        rows.push((post(path, deep.as_str()), 400, "json-too-deep"));
        rows.push((post(path, "{\"a\":1,\"a\":2}"), 400, "duplicate-key"));
    }
    let required = [PIPELINES, BACKFILL, CONNECTIONS, VARIABLES].map(|path| post(path, ""));
    let replacing = ["pipelines/daily", "connections/taken", "variables/taken"];
    let replacing = replacing.map(|path| put(format!("/api/{path}"), ""));
    rows.extend(all(400, "invalid-json", required));
    rows.extend(all(400, "invalid-json", replacing));
    let numbers = [r#"{"days":"#, r#"{"days":1e400}"#].map(|body| post(PURGE, body));
    rows.extend(all(400, "invalid-json", numbers));
    rows
}

fn wrong_type() -> Vec<Row> {
    let types = [
        None,
        Some("text/plain"),
        Some(FORM),
        Some("multipart/form-data; boundary=x"),
        Some("application/json; charset=utf-16"),
    ];
    let sent = WITH_BODY.map(|path| types.map(|kind| post(path, "{}").content_type(kind)));
    // A form on a route that takes no body, or for a run that does not exist.
    let without_body = [
        "/api/health",
        "/api/runs",
        "/api/pipelines/daily",
        "/api/runs/{finished}/logs",
        "/api/runs/none",
    ];
    let without_body = without_body.map(|path| get(path).content_type(Some(FORM)));
    let bad = sent.into_iter().flatten().chain(without_body);
    all(415, "unsupported-media-type", bad)
}

fn too_large() -> Vec<Row> {
    let body = format!("{{\"params\":{{\"a\":\"{}\"}}}}", "x".repeat(4 << 20));
    let path = format!("/api/runs?status={}", "x".repeat(8 << 10));
    vec![
        (post(RUN, body), 413, "body-too-large"),
        (get(path), 414, "uri-too-long"),
    ]
}

fn unknown_fields() -> Vec<Row> {
    let params = r#"did you mean "params"?"#;
    all(
        422,
        "unknown-field",
        [
            post(RUN, r#"{"parms":{}}"#)
                .at("/parms")
                .with_detail(params),
            post(DRY_RUN, r#"{"parms":{}}"#)
                .at("/parms")
                .with_detail(params),
            post(RESUME, r#"{"parms":{}}"#).at("/parms"),
            post(RESUME, r#"{"from_nod":"a"}"#).with_detail(r#"did you mean "from_node"?"#),
            post(CANCEL, r#"{"parms":{}}"#).at("/parms"),
            post(RETRY, r#"{"parms":{}}"#).at("/parms"),
            post(PAUSE, r#"{"reson":"x"}"#).with_detail(r#"did you mean "reason"?"#),
            post(UNPAUSE, r#"{"reson":"x"}"#).with_detail(r#"did you mean "reason"?"#),
            post(PAUSE_BACKFILL, r#"{"reson":"x"}"#).with_detail(r#"did you mean "reason"?"#),
            post(PURGE, r#"{"day":1}"#)
                .at("/day")
                .with_detail(r#"did you mean "days"?"#),
            post(CONNECTIONS, r#"{"conn_id":"c","type":"x","prot":1}"#)
                .with_detail("did you mean \"port\"?"),
            post(VARIABLES, r#"{"key":"k","value":"v","typ":"string"}"#).at("/typ"),
        ],
    )
}

fn invalid_fields() -> Vec<Row> {
    let whole = WITH_BODY.map(|path| ["[]", "5", "null", "\"x\""].map(|body| post(path, body)));
    let params = [RUN, DRY_RUN].map(|path| {
        [
            (r#"{"params":[]}"#, "/params"),
            (r#"{"params":{"a":[]}}"#, "/params/a"),
            (r#"{"params":{"a":{}}}"#, "/params/a"),
            (r#"{"params":{"a":null}}"#, "/params/a"),
        ]
        .map(|(body, at)| post(path, body).at(at))
    });
    let fields = [
        (
            CONNECTIONS,
            r#"{"conn_id":"c","type":"x","port":0}"#,
            "/port",
        ),
        (
            CONNECTIONS,
            r#"{"conn_id":"c","type":"x","port":65536}"#,
            "/port",
        ),
        (CONNECTIONS, r#"{"conn_id":"a b","type":"x"}"#, "/conn_id"),
        (VARIABLES, r#"{"key":"k","value":5}"#, "/value"),
        (
            VARIABLES,
            r#"{"key":"k","value":"v","type":"text"}"#,
            "/type",
        ),
        (PURGE, r#"{"days":0}"#, "/days"),
        (PURGE, r#"{"days":36501}"#, "/days"),
        (PURGE, r#"{"days":1e300}"#, "/days"),
        (PURGE, r#"{"days":18446744073709551616}"#, "/days"),
        (RESUME, r#"{"from_node":"none"}"#, "/from_node"),
        (RESUME, r#"{"definition":"newest"}"#, "/definition"),
        (RUN, r#"{"definition":"newest"}"#, "/definition"),
        (RUN, r#"{"definition":0}"#, "/definition"),
        (RUN, r#"{"definition":99}"#, "/definition"),
        (RERUN, r#"{"definition":"newest"}"#, "/definition"),
        (RERUN, r#"{"params":{"a":[]}}"#, "/params/a"),
        (RERUN, r#"{"params":{"date":"x"}}"#, "/params/date"),
        (ROLLBACK, "{}", "/version"),
        (ROLLBACK, r#"{"version":0}"#, "/version"),
        (ROLLBACK, r#"{"version":99}"#, "/version"),
    ];
    let fields = fields.map(|(path, body, at)| post(path, body).at(at));
    let bad = whole
        .into_iter()
        .flatten()
        .chain(params.into_iter().flatten());
    all(
        422,
        "invalid-field",
        bad.chain(fields)
            .chain(annotations())
            .chain(queue_places())
            .chain(choices()),
    )
}

/// Choices of many runs that say nothing, too much or something wrong.
fn choices() -> impl Iterator<Item = TestRequest> {
    let many: Vec<_> = (0..1_001).map(|n| n.to_string()).collect();
    let id = "018d0c5e-7a00-7000-8000-000000000001";
    let bodies = [
        (json!({}), ""),
        (json!({"filter": {}}), "/filter"),
        (json!({"filter": []}), "/filter"),
        (json!({"filter": {"status": "failed"}}), "/filter/status"),
        (json!({"filter": {"status": ["done"]}}), "/filter/status/0"),
        (
            json!({"filter": {"trigger": ["manual"]}}),
            "/filter/trigger",
        ),
        (
            json!({"filter": {"pipeline_id": "a b"}}),
            "/filter/pipeline_id",
        ),
        (
            json!({"filter": {"backfill_id": "daily"}}),
            "/filter/backfill_id",
        ),
        (
            json!({"filter": {"backfill_id": [id]}}),
            "/filter/backfill_id",
        ),
        (json!({"filter": {"from": "yesterday"}}), "/filter/from"),
        (json!({"filter": {"label": ["team"]}}), "/filter/label/0"),
        (
            json!({"filter": {"label": vec!["a:b"; 17]}}),
            "/filter/label",
        ),
        (json!({"filter": {"label": []}}), "/filter/label"),
        (json!({"filter": {"status": []}}), "/filter/status"),
        (
            json!({"filter": {"trigger": "manual"}, "after": "x"}),
            "/after",
        ),
        (
            json!({"filter": {"from": "2024-01-02T00:00:00Z", "to": "2024-01-01T00:00:00Z"}}),
            "/filter/from",
        ),
        (json!({"run_ids": "x"}), "/run_ids"),
        (json!({"run_ids": [5]}), "/run_ids/0"),
        (json!({"run_ids": [id, "x"]}), "/run_ids/1"),
        (json!({"run_ids": many}), "/run_ids"),
        (
            json!({"run_ids": [id], "filter": {"trigger": "manual"}}),
            "/filter",
        ),
        (json!({"run_ids": [id], "after": id}), "/after"),
        (
            json!({"filter": {"trigger": "manual"}, "preview": 1}),
            "/preview",
        ),
    ];
    bodies.into_iter().flat_map(|(body, at)| {
        [CANCEL_MANY, RERUN_MANY].map(|path| post(path, body.to_string()).at(at))
    })
}

/// Priorities and times that a run cannot have.
fn queue_places() -> impl Iterator<Item = TestRequest> {
    let bodies = [
        (json!({"priority": "urgent"}), "/priority"),
        (json!({"priority": 1}), "/priority"),
        (json!({"priority": null}), "/priority"),
        (json!({"run_after": "tomorrow"}), "/run_after"),
        (json!({"run_after": 1_705_298_400}), "/run_after"),
        (json!({"run_after": "2024-01-15T06:00:00"}), "/run_after"),
        (json!({"run_after": "2999-01-01T00:00:00Z"}), "/run_after"),
        (json!({"run_after": "9999-12-31T23:59:60Z"}), "/run_after"),
        (
            json!({"run_after": "0000-01-01T00:00:00+23:59"}),
            "/run_after",
        ),
        (json!({"run_after": "2024-01-15 06:00:00Z"}), "/run_after"),
    ];
    bodies
        .into_iter()
        .map(|(body, at)| post(RUN, body.to_string()).at(at))
}

/// Labels, notes and reasons that are out of bounds.
fn annotations() -> impl Iterator<Item = TestRequest> {
    let long = |max: usize| "x".repeat(max + 1);
    let many: serde_json::Map<_, _> = (0..17).map(|n| (n.to_string(), "x".into())).collect();
    let bodies = [
        (json!({"labels": []}), "/labels"),
        (json!({"labels": {"a": 5}}), "/labels/a"),
        (json!({"labels": {"": "x"}}), "/labels/"),
        (json!({"labels": {"a:b": "x"}}), "/labels/a:b"),
        (json!({"labels": {"a/b": "x\ny"}}), "/labels/a~1b"),
        (json!({"labels": {"a": long(128)}}), "/labels/a"),
        (json!({"labels": many}), "/labels"),
        (json!({"note": 5}), "/note"),
        (json!({"note": long(2_000)}), "/note"),
    ];
    let on_both = bodies.into_iter().flat_map(|(body, at)| {
        let body = body.to_string();
        [post(RUN, body.as_str()), patch("/api/runs/{failed}", body)].map(|bad| bad.at(at))
    });
    let reasons = [json!({"reason": 5}), json!({"reason": long(500)})];
    let reasons = reasons.into_iter().flat_map(|mut body| {
        let with = |path, body: &Value| post(path, body.to_string()).at("/reason");
        let of_one = [
            CANCEL,
            RESUME,
            RERUN,
            PAUSE,
            UNPAUSE,
            PAUSE_BACKFILL,
            UNPAUSE_BACKFILL,
            PURGE,
        ];
        let of_one = of_one.map(|path| with(path, &body));
        body["filter"] = json!({"trigger": "manual"});
        let of_many = [CANCEL_MANY, RERUN_MANY].map(|path| with(path, &body));
        of_one.into_iter().chain(of_many)
    });
    let null = post(RUN, r#"{"labels":{"a":null}}"#).at("/labels/a");
    on_both.chain(reasons).chain([null])
}

pub(super) async fn set_ups(backend: Backend, coverage: &mut Coverage) {
    a_body_that_does_not_arrive_times_out(backend, coverage).await;
}

/// A body that never ends.
struct Endless;

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Pending
    }
}

async fn a_body_that_does_not_arrive_times_out(backend: Backend, coverage: &mut Coverage) {
    let mut limits = Limits::default();
    limits.body_timeout = Duration::ZERO;
    let host = Host::with_limits(backend, limits).await;
    for (path, status, slug) in [
        (RUN, 408, "request-timeout"),
        (BACKFILL, 408, "request-timeout"),
        (PIPELINES, 408, "request-timeout"),
        ("/api/pipelines/other/run", 404, "pipeline-not-found"),
    ] {
        let request = Request::post(path).header("content-type", "application/json");
        let request = request.body(Endless).unwrap();
        let response = host.service.clone().oneshot(request).await.unwrap();
        coverage.assert_problem(&TestResponse::read(response).await, status, slug);
    }
}
