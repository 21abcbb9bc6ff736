//! Dry runs over HTTP.
//!
//! `dry_runs` tests dry runs from the host's own code.

use floret::executor::{Ctx, Effect, ExecutorError};
use floret::testing::{Method, Step};
use floret::{Access, Decision, Limits, Permission, Pipeline, Scope};
use serde_json::json;

use crate::wire::{Backend, Host, on_each_backend, request, send};

const PATH: &str = "/api/pipelines/daily/dry-run";

/// Counts the calls of storage methods that write pipelines, runs or outputs.
///
/// The queue claims by itself, also some time after a run has finished. A dry run has nothing that
/// it could claim unless it creates a run.
fn write_calls(host: &Host) -> Vec<u64> {
    let writing = [
        Method::PutPipeline,
        Method::DeletePipeline,
        Method::CreateRuns,
        Method::RequestCancel,
        Method::Append,
        Method::PutOutputChunk,
        Method::Purge,
    ];
    writing.map(|method| host.faults.calls(method)).to_vec()
}

async fn odd(ctx: Ctx) -> Result<(), ExecutorError> {
    ctx.log.info("fine").await;
    for index in 0..10 {
        let warning = format!("odd {index} {}", "x".repeat(10_000));
        ctx.log.warning(warning).await;
    }
    Ok(())
}

#[tokio::test]
async fn the_first_warnings_of_a_node_are_returned() {
    let host = Host::build(Backend::Memory, |builder| {
        builder
            .node("odd", odd)
            .pipeline(Pipeline::new("odd").node("a", "odd").node("b", "any"))
    })
    .await;
    let nodes = host.post("/api/pipelines/odd/dry-run", None).await.json();
    let warnings = nodes["a"]["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 3);
    for (index, warning) in warnings.iter().enumerate() {
        let warning = warning.as_str().unwrap();
        assert!(warning.starts_with(&format!("odd {index} ")), "{warning}");
        assert!(warning.len() <= 512 && warning.ends_with("… (cut)"));
    }
    assert_eq!(nodes["b"].get("warnings"), None);
}

#[tokio::test]
async fn nodes_are_in_topological_order_with_ten_rows_each_and_nothing_is_stored() {
    on_each_backend(async |host: &Host| {
        let rows = (0..60).map(|n| json!({"id": n, "name": "x"}));
        host.executor.script("load", [Step::rows(rows)]);
        host.finished_run().await;
        let before = (write_calls(host), host.faults.calls(Method::Events));
        let response = host.post(PATH, None).await;
        assert_eq!(response.status, 200, "{response:?}");
        assert!(
            response
                .text()
                .starts_with(r#"{"load":{"node_id":"load","name":"load","status":"success","columns":["id","name"],"rows":[{"id":0,"name":"x"}"#),
            "{}",
            response.text()
        );
        let nodes = response.json();
        for node in ["load", "sum"] {
            assert_eq!(nodes[node]["rows"].as_array().unwrap().len(), 10);
            assert_eq!(nodes[node]["rows"][9], json!({"id": 9, "name": "x"}));
            assert!(nodes[node].get("error").is_none());
        }
        let input = host.executor.calls_of("sum")[1].inputs[0].clone().unwrap();
        assert_eq!(input.len(), 10, "rows are truncated before the next node receives them");
        assert_eq!((write_calls(host), host.faults.calls(Method::Events)), before);
        let runs = host.get("/api/runs").await.json();
        assert_eq!(runs.as_array().unwrap().len(), 1, "only the earlier run exists");
    })
    .await;
}

#[tokio::test]
async fn a_sink_is_skipped_and_shows_the_rows_that_it_would_receive() {
    on_each_backend(async |host: &Host| {
        host.executor
            .script("load", [Step::rows([json!({"id": 1}), json!({"id": 2})])]);
        host.executor.effect("sum", Effect::Sink);
        let nodes = host.post(PATH, None).await.json();
        let sink = json!({"node_id": "sum", "name": "sum", "status": "skipped",
            "columns": ["id"], "rows": [{"id": 1}, {"id": 2}]});
        assert_eq!(nodes["sum"], sink);
        assert!(host.executor.calls_of("sum").is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_failure_skips_only_the_nodes_downstream() {
    on_each_backend(async |host: &Host| {
        let pipeline = json!({"id": "wide", "name": "Wide", "nodes": [
            {"id": "good", "type": "any"}, {"id": "bad", "type": "any", "name": "Bad One"},
            {"id": "below", "type": "any"}, {"id": "beside", "type": "any"},
        ], "edges": [{"from": "bad", "to": "below"}, {"from": "good", "to": "beside"}]});
        assert_eq!(
            host.post("/api/pipelines", Some(&pipeline)).await.status,
            201
        );
        host.executor
            .script("bad", [Step::permanent("no such table")]);
        host.executor
            .script("good", [Step::rows([json!({"id": 1})])]);
        let nodes = host
            .post("/api/pipelines/wide/dry-run", Some(&json!({})))
            .await
            .json();
        let status = |node: &str| nodes[node]["status"].as_str().unwrap().to_owned();
        let all = ["good", "bad", "below", "beside"].map(status);
        assert_eq!(all, ["success", "failed", "skipped", "success"]);
        let bad = json!({"node_id": "bad", "name": "Bad One", "status": "failed",
            "columns": [], "rows": [], "error": "no such table"});
        assert_eq!(nodes["bad"], bad);
    })
    .await;
}

#[tokio::test]
async fn params_and_templates_resolve_as_in_a_run() {
    on_each_backend(async |host: &Host| {
        let pipeline = json!({"id": "by-day", "name": "By day", "params": {"region": "eu", "day": "none"},
            "nodes": [{"id": "a", "type": "any",
                "config": {"at": "${param.region}/${param.day}", "run": "${run.id}", "date": "${run.date}"}}]});
        assert_eq!(host.post("/api/pipelines", Some(&pipeline)).await.status, 201);
        let body = json!({"params": {"day": 7}});
        let response = host.post("/api/pipelines/by-day/dry-run", Some(&body)).await;
        assert_eq!(response.status, 200, "{response:?}");
        let call = host.executor.calls_of("a").remove(0);
        let config = &call.node.config;
        assert_eq!(config["at"], "eu/7");
        assert_eq!(config["run"], json!(call.run_id.to_string()));
        assert_eq!(config["date"].as_str().unwrap().len(), "2024-01-15".len());
        let path = format!("/api/runs/{}", call.run_id);
        host.get(&path).await.assert_problem(404, "run-not-found");
    })
    .await;
}

#[tokio::test]
async fn an_invalid_dry_run_is_refused() {
    on_each_backend(async |host: &Host| {
        let unknown =
            json!({"id": "unknown", "name": "S", "nodes": [{"id": "a", "type": "nothing"}]});
        assert_eq!(
            host.post("/api/pipelines", Some(&unknown)).await.status,
            201
        );
        let refused = host.post("/api/pipelines/unknown/dry-run", None).await;
        refused.assert_problem(422, "node-type-unknown");
        host.post("/api/pipelines/none/dry-run", Some(&json!({"x": 1})))
            .await
            .assert_problem(404, "pipeline-not-found");
        for (body, slug) in [
            (json!({"parms": {}}), "unknown-field"),
            (json!({"params": {"a": []}}), "invalid-field"),
            (json!([]), "invalid-field"),
        ] {
            host.post(PATH, Some(&body)).await.assert_problem(422, slug);
        }
        host.post(&format!("{PATH}?x=1"), None)
            .await
            .assert_problem(400, "invalid-parameter");
    })
    .await;
}

#[tokio::test]
async fn too_many_concurrent_dry_runs_are_refused() {
    let limits = Limits::default();
    assert_eq!(limits.dry_runs_max, 4);
    on_each_backend(async |host: &Host| {
        let gate = floret::testing::Gate::default();
        host.executor.script("load", [Step::nothing().at(&gate)]);
        let mut dry_runs = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let service = host.service.clone();
            dry_runs.spawn(
                async move { send(&service, request(http::Method::POST, PATH, None)).await },
            );
        }
        host.executor.started_times("load", 4).await;
        host.post(PATH, None)
            .await
            .assert_problem(429, "too-many-requests");
        gate.open();
        while let Some(response) = dry_runs.join_next().await {
            assert_eq!(response.unwrap().status, 200);
        }
        assert_eq!(host.post(PATH, None).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn a_scoped_caller_can_dry_run_only_its_own_pipelines() {
    let host = Host::start(Backend::Memory).await;
    let tenant = Scope::Tenant("acme".parse().unwrap());
    let access = Access::custom(move |_, permission| match permission {
        Permission::PipelinesRun => Decision::Allow(tenant.clone()),
        _ => Decision::Forbidden,
    });
    let service = host.floret.service(access);
    let response = send(&service, request(http::Method::POST, PATH, None)).await;
    response.assert_problem(404, "pipeline-not-found");
}
