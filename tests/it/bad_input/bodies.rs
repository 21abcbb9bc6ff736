//! Bodies that cannot be read, are of another type or size, have other fields, or do not arrive.
//!
//! The fields of a definition are `definitions`'.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use floret::Limits;
use http::Request;
use http_body::Frame;
use tower::ServiceExt;

use super::row::{BACKFILL, DRY_RUN, FORM, RUN, Row, Told, all, get, post, put};
use crate::wire::{Answer, Backend, Host};

const RESUME: &str = "/api/runs/{failed}/resume";
const CANCEL: &str = "/api/runs/{failed}/cancel";
const PIPELINES: &str = "/api/pipelines";
const CONNECTIONS: &str = "/api/connections";
const VARIABLES: &str = "/api/variables";
const PURGE: &str = "/api/system/purge";

/// Every route that takes a body and whether it must have one, but what is filled in a `PUT`.
const TAKING: [&str; 9] = [
    RUN,
    RESUME,
    CANCEL,
    PIPELINES,
    BACKFILL,
    DRY_RUN,
    CONNECTIONS,
    VARIABLES,
    PURGE,
];

pub(super) fn rows() -> Vec<Row> {
    let rows = [unreadable(), of_another_type(), too_large()];
    rows.into_iter()
        .chain([unknown(), unfit()])
        .flatten()
        .collect()
}

fn unreadable() -> Vec<Row> {
    let deep = format!("{{\"params\":{}{}}}", "[".repeat(200), "]".repeat(200));
    let mut rows = Vec::new();
    for path in TAKING {
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

fn of_another_type() -> Vec<Row> {
    let types = [
        None,
        Some("text/plain"),
        Some(FORM),
        Some("multipart/form-data; boundary=x"),
        Some("application/json; charset=utf-16"),
    ];
    let sent = TAKING.map(|path| types.map(|kind| post(path, "{}").typed(kind)));
    // A form on a route without a body, or whose run is not there.
    let asked = [
        "/api/health",
        "/api/runs",
        "/api/pipelines/daily",
        "/api/runs/{ended}/logs",
        "/api/runs/none",
    ];
    let asked = asked.map(|path| get(path).typed(Some(FORM)));
    let bad = sent.into_iter().flatten().chain(asked);
    all(415, "unsupported-media-type", bad)
}

fn too_large() -> Vec<Row> {
    let large = format!("{{\"params\":{{\"a\":\"{}\"}}}}", "x".repeat(4 << 20));
    let long = format!("/api/runs?status={}", "x".repeat(8 << 10));
    vec![
        (post(RUN, large), 413, "body-too-large"),
        (get(long), 414, "uri-too-long"),
    ]
}

fn unknown() -> Vec<Row> {
    let params = r#"did you mean "params"?"#;
    all(
        422,
        "unknown-field",
        [
            post(RUN, r#"{"parms":{}}"#).at("/parms").told(params),
            post(DRY_RUN, r#"{"parms":{}}"#).at("/parms").told(params),
            post(RESUME, r#"{"parms":{}}"#).at("/parms"),
            post(RESUME, r#"{"from_nod":"a"}"#).told(r#"did you mean "from_node"?"#),
            post(CANCEL, r#"{"parms":{}}"#).at("/parms"),
            post(PURGE, r#"{"day":1}"#)
                .at("/day")
                .told(r#"did you mean "days"?"#),
            post(CONNECTIONS, r#"{"conn_id":"c","type":"x","prot":1}"#)
                .told("did you mean \"port\"?"),
            post(VARIABLES, r#"{"key":"k","value":"v","typ":"string"}"#).at("/typ"),
        ],
    )
}

fn unfit() -> Vec<Row> {
    let whole = TAKING.map(|path| ["[]", "5", "null", "\"x\""].map(|body| post(path, body)));
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
    ];
    let fields = fields.map(|(path, body, at)| post(path, body).at(at));
    let bad = whole
        .into_iter()
        .flatten()
        .chain(params.into_iter().flatten());
    all(422, "invalid-field", bad.chain(fields))
}

pub(super) async fn set_ups(backend: Backend, told: &mut Told) {
    a_body_that_does_not_arrive_is_given_up(backend, told).await;
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

async fn a_body_that_does_not_arrive_is_given_up(backend: Backend, told: &mut Told) {
    let mut limits = Limits::default();
    limits.body_timeout = Duration::ZERO;
    let host = Host::with(backend, limits).await;
    for (path, status, slug) in [
        (RUN, 408, "request-timeout"),
        (BACKFILL, 408, "request-timeout"),
        (PIPELINES, 408, "request-timeout"),
        ("/api/pipelines/other/run", 404, "pipeline-not-found"),
    ] {
        let request = Request::post(path).header("content-type", "application/json");
        let request = request.body(Endless).unwrap();
        let answer = host.service.clone().oneshot(request).await.unwrap();
        told.refused(&Answer::read(answer).await, status, slug);
    }
}
