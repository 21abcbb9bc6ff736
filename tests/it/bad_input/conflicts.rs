//! Acts that conflict with what is there: ended runs, active pipelines, taken ids, other states,
//! secrets without a key.

use floret::testing::{Gate, Step};
use http::Method;

use super::row::{Bad, Row, Told, all, delete, post, put};
use crate::wire::{Backend, Host, request};

const NODES: &str = r#""name":"x","nodes":[{"id":"a","type":"any"}]"#;

pub(super) fn rows() -> Vec<Row> {
    let cancels = [
        "runs/{ended}",
        "runs/{failed}",
        "backfills/{their_backfill}",
    ];
    let cancels = cancels.map(|place| post(format!("/api/{place}/cancel"), "{}"));
    let resumes = ["{ended}", "{orphan}"].map(|run| post(format!("/api/runs/{run}/resume"), "{}"));
    let stale = |bad: Bad| bad.header("if-match", "\"stale\"");
    let daily = "/api/pipelines/daily";
    let rows = [
        all(409, "run-finished", cancels),
        all(409, "run-not-resumable", resumes),
        taken(),
        all(
            412,
            "precondition-failed",
            [
                stale(put(daily, format!("{{{NODES}}}"))),
                stale(delete(daily)),
            ],
        ),
        others(),
    ];
    rows.concat()
}

/// Ids and slugs that are another's, whoever's that one is.
fn taken() -> Vec<Row> {
    let fields = [
        r#""id":"daily""#,
        r#""id":"x","pipeline_id":"daily""#,
        r#""id":"weekly""#,
        // An id that equals another's slug, a slug that is another's, and one that equals another's
        // id.
        r#""id":"each-week""#,
        r#""id":"x","pipeline_id":"each-week""#,
        r#""id":"x","pipeline_id":"weekly""#,
        r#""id":"ann""#,
    ];
    let made = fields.map(|fields| post("/api/pipelines", format!("{{{fields},{NODES}}}")));
    let replaced = ["each-week", "weekly", "ann"].map(|slug| {
        let body = format!(r#"{{"pipeline_id":"{slug}",{NODES}}}"#);
        put("/api/pipelines/daily", body)
    });
    let theirs = post("/api/pipelines", format!(r#"{{"id":"ann",{NODES}}}"#)).of("ben");
    let objects = ["taken", "ann"].map(|name| {
        let connection = format!(r#"{{"conn_id":"{name}","type":"x"}}"#);
        let variable = format!(r#"{{"key":"{name}","value":"v"}}"#);
        let connection = post("/api/connections", connection);
        let variable = post("/api/variables", variable);
        [
            connection.clone(),
            connection.of("ben"),
            variable.clone(),
            variable.of("ben"),
        ]
    });
    let bad = made.into_iter().chain(replaced).chain([theirs]);
    all(
        409,
        "already-exists",
        bad.chain(objects.into_iter().flatten()),
    )
}

/// Bodies whose id is not the one of the path.
fn others() -> Vec<Row> {
    let pipeline = format!(r#"{{"id":"other",{NODES}}}"#);
    let bad = [
        put("/api/pipelines/daily", pipeline),
        put(
            "/api/connections/taken",
            r#"{"conn_id":"other","type":"x"}"#,
        ),
        put("/api/variables/taken", r#"{"key":"other","value":"v"}"#),
    ];
    all(400, "id-mismatch", bad)
}

pub(super) async fn set_ups(backend: Backend, told: &mut Told) {
    what_is_active_is_neither_resumed_again_nor_deleted(backend, told).await;
    secrets_where_no_key_is_configured(backend, told).await;
}

async fn what_is_active_is_neither_resumed_again_nor_deleted(backend: Backend, told: &mut Told) {
    let host = Host::start(backend).await;
    let gate = Gate::new();
    let steps = [Step::permanent("no"), Step::pass_on().at(&gate)];
    host.executor.script("load", steps);
    let resume = format!("/api/runs/{}/resume", host.finished().await);
    let resumed = host.post(&resume, None).await;
    assert_eq!(resumed.status, 202, "{resumed:?}");
    let again = host.post(&resume, None).await;
    told.refused(&again, 409, "run-not-resumable");
    let delete = request(Method::DELETE, "/api/pipelines/daily", None);
    told.refused(&host.send(delete).await, 409, "pipeline-active");
    gate.open();
    host.finish(resumed.json()["id"].as_str().unwrap()).await;
}

async fn secrets_where_no_key_is_configured(backend: Backend, told: &mut Told) {
    let host = Host::built(backend, |builder| builder).await;
    let ask = async |method, path, body: &str| {
        let body = serde_json::from_str(body).unwrap();
        host.send(request(method, path, Some(&body))).await
    };
    let (connections, variables) = ("/api/connections", "/api/variables");
    for (path, body) in [
        (connections, r#"{"conn_id":"c","type":"x"}"#),
        (variables, r#"{"key":"k","value":"v"}"#),
    ] {
        let made = ask(Method::POST, path, body).await;
        assert_eq!(made.status, 201, "{made:?}");
    }
    for (method, path, body) in [
        (
            Method::POST,
            connections,
            r#"{"conn_id":"d","type":"x","password":"p"}"#,
        ),
        (
            Method::POST,
            connections,
            r#"{"conn_id":"d","type":"x","extra":"e"}"#,
        ),
        (
            Method::PUT,
            "/api/connections/c",
            r#"{"type":"x","password":"p"}"#,
        ),
        (
            Method::POST,
            variables,
            r#"{"key":"l","value":"v","type":"secret"}"#,
        ),
        (
            Method::PUT,
            "/api/variables/k",
            r#"{"value":"v","type":"secret"}"#,
        ),
    ] {
        let refused = ask(method, path, body).await;
        told.refused(&refused, 409, "encryption-key-missing");
        assert!(refused.text().contains("FLORET_SECRET_KEY"), "{refused:?}");
    }
}
