//! Requests that conflict with the current state: finished runs, active pipelines, taken ids, stale
//! tags, and secrets without a key.

use floret::testing::{FaultyStorage, Gate, ScriptedExecutor, Step, scratch};
use floret::{Access, Floret};
use http::Method;
use serde_json::json;

use super::row::{Coverage, Row, TestRequest, all, delete, get, post, put};
use crate::wire::{Backend, Host, daily, request, send};

const NODES: &str = r#""name":"x","nodes":[{"id":"a","type":"any"}]"#;

pub(super) fn rows() -> Vec<Row> {
    let cancels = [
        "runs/{finished}",
        "runs/{failed}",
        "backfills/{their_backfill}",
    ];
    let cancels = cancels.map(|target| post(format!("/api/{target}/cancel"), "{}"));
    let resumes =
        ["{finished}", "{orphan}"].map(|run| post(format!("/api/runs/{run}/resume"), "{}"));
    let waiting = [
        post("/api/deliveries/{waiting}/retry", "{}"),
        delete("/api/deliveries/{waiting}"),
    ];
    let stale = |bad: TestRequest| bad.header("if-match", "\"stale\"");
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
        all(409, "tenant-required", unclear()),
        all(409, "delivery-waiting", waiting),
        mismatched(),
    ];
    rows.concat()
}

/// Ids and slugs that another object of the same tenant has. `ann` is a tenant's own.
fn taken() -> Vec<Row> {
    let fields = [
        r#""id":"daily""#,
        r#""id":"x","pipeline_id":"daily""#,
        r#""id":"weekly""#,
        // An id that equals another pipeline's slug, a slug that is taken, and a slug that equals
        // another pipeline's id.
        r#""id":"each-week""#,
        r#""id":"x","pipeline_id":"each-week""#,
        r#""id":"x","pipeline_id":"weekly""#,
    ];
    let created = fields.map(|fields| post("/api/pipelines", format!("{{{fields},{NODES}}}")));
    let replaced = ["each-week", "weekly"].map(|slug| {
        let body = format!(r#"{{"pipeline_id":"{slug}",{NODES}}}"#);
        put("/api/pipelines/daily", body)
    });
    let theirs = post("/api/pipelines", format!(r#"{{"id":"ann",{NODES}}}"#)).by_tenant("ann");
    let objects = ["taken", "ann"].map(|name| {
        let connection = format!(r#"{{"conn_id":"{name}","type":"x"}}"#);
        let variable = format!(r#"{{"key":"{name}","value":"v"}}"#);
        let connection = post("/api/connections", connection);
        let variable = post("/api/variables", variable);
        match name {
            "ann" => [connection.by_tenant("ann"), variable.by_tenant("ann")],
            _ => [connection, variable],
        }
    });
    let bad = created.into_iter().chain(replaced).chain([theirs]);
    all(
        409,
        "already-exists",
        bad.chain(objects.into_iter().flatten()),
    )
}

/// Names that objects of several tenants have.
fn unclear() -> Vec<TestRequest> {
    let objects = ["pipelines", "connections", "variables"].map(|kind| {
        let path = format!("/api/{kind}/shared");
        [get(&path), delete(&path), put(&path, "{}")]
    });
    let begun = ["run", "backfill", "dry-run"]
        .map(|verb| post(format!("/api/pipelines/shared/{verb}"), "{}"));
    let lists = [
        "/api/pipelines/shared/runs",
        "/api/pipelines/shared/validate",
        "/api/pipelines/shared/backfills",
        "/api/runs?pipeline_id=shared",
        "/api/runs/calendar?pipeline_id=shared",
    ];
    let objects = objects.into_iter().flatten();
    objects.chain(begun).chain(lists.map(get)).collect()
}

/// Bodies whose id differs from the id in the path, or whose tenant is not that of the object.
fn mismatched() -> Vec<Row> {
    let pipeline = format!(r#"{{"id":"other",{NODES}}}"#);
    let bad = [
        put("/api/pipelines/daily", pipeline),
        put(
            "/api/connections/taken",
            r#"{"conn_id":"other","type":"x"}"#,
        ),
        put("/api/variables/taken", r#"{"key":"other","value":"v"}"#),
        put("/api/variables/taken", r#"{"tenant":"ann","value":"v"}"#),
    ];
    all(400, "id-mismatch", bad)
}

pub(super) async fn set_ups(backend: Backend, coverage: &mut Coverage) {
    an_active_run_is_not_resumed_again_and_its_pipeline_not_deleted(backend, coverage).await;
    a_run_whose_concurrency_key_is_taken(backend, coverage).await;
    secrets_without_a_configured_key(backend, coverage).await;
    a_pipeline_of_the_code_is_not_edited(backend, coverage).await;
}

async fn an_active_run_is_not_resumed_again_and_its_pipeline_not_deleted(
    backend: Backend,
    coverage: &mut Coverage,
) {
    let host = Host::start(backend).await;
    let gate = Gate::new();
    let steps = [Step::permanent("no"), Step::pass_on().at(&gate)];
    host.executor.script("load", steps);
    let resume = format!("/api/runs/{}/resume", host.finished_run().await);
    let resumed = host.post(&resume, None).await;
    assert_eq!(resumed.status, 202, "{resumed:?}");
    let again = host.post(&resume, None).await;
    coverage.assert_problem(&again, 409, "run-not-resumable");
    let active = resumed.json()["id"].as_str().unwrap().to_owned();
    let rerun = host.post(&format!("/api/runs/{active}/rerun"), None).await;
    coverage.assert_problem(&rerun, 409, "run-not-finished");
    let delete = request(Method::DELETE, "/api/pipelines/daily", None);
    coverage.assert_problem(&host.send(delete).await, 409, "pipeline-active");
    gate.open();
    host.wait_finished(resumed.json()["id"].as_str().unwrap())
        .await;
}

async fn a_run_whose_concurrency_key_is_taken(backend: Backend, coverage: &mut Coverage) {
    let host = Host::start(backend).await;
    let concurrency = json!({"key": "${run.date}", "on_conflict": "skip"});
    let nodes = json!([{"id": "a", "type": "any"}]);
    let single = json!({"name": "single", "nodes": nodes, "concurrency": concurrency});
    let saved = host.post("/api/pipelines", Some(&single)).await;
    assert_eq!(saved.status, 201, "{saved:?}");
    let paused = host.post("/api/pipelines/single/pause", None).await;
    assert_eq!(paused.status, 200, "{paused:?}");
    let run = "/api/pipelines/single/run";
    assert_eq!(host.post(run, None).await.status, 202);
    let taken = host.post(run, None).await;
    coverage.assert_problem(&taken, 409, "concurrency-key-taken");
}

async fn a_pipeline_of_the_code_is_not_edited(backend: Backend, coverage: &mut Coverage) {
    let folder = scratch();
    let storage = FaultyStorage::new(backend.open(folder.path()).await);
    let floret = Floret::builder(storage)
        .executor("any", ScriptedExecutor::new())
        .pipeline(daily())
        .start();
    let service = floret.await.unwrap().service(Access::allow_all());
    let edit = json!({"name": "x", "nodes": [{"id": "a", "type": "any"}]});
    for (method, body) in [(Method::PUT, Some(&edit)), (Method::DELETE, None)] {
        let refused = send(&service, request(method, "/api/pipelines/daily", body)).await;
        coverage.assert_problem(&refused, 409, "managed-by-code");
    }
}

async fn secrets_without_a_configured_key(backend: Backend, coverage: &mut Coverage) {
    let host = Host::build(backend, |builder| builder).await;
    let send = async |method, path, body: &str| {
        let body = serde_json::from_str(body).unwrap();
        host.send(request(method, path, Some(&body))).await
    };
    let (connections, variables) = ("/api/connections", "/api/variables");
    for (path, body) in [
        (connections, r#"{"conn_id":"c","type":"x"}"#),
        (variables, r#"{"key":"k","value":"v"}"#),
    ] {
        let created = send(Method::POST, path, body).await;
        assert_eq!(created.status, 201, "{created:?}");
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
        let refused = send(method, path, body).await;
        coverage.assert_problem(&refused, 409, "encryption-key-missing");
        assert!(refused.text().contains("FLORET_SECRET_KEY"), "{refused:?}");
    }
}
