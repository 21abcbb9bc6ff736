//! A dry run over HTTP.

use floret::executor::Effect;
use floret::testing::{Method, Step};
use floret::{Access, Decision, Limits, Permission, Scope};
use serde_json::json;

use crate::wire::{Backend, Host, on_each, request, send};

const PATH: &str = "/api/pipelines/daily/dry-run";

/// Calls of storage that leave something behind.
fn writes(host: &Host) -> Vec<u64> {
    let writing = [
        Method::PutPipeline,
        Method::DeletePipeline,
        Method::CreateRuns,
        Method::RequestCancel,
        Method::Claim,
        Method::Append,
        Method::PutOutputChunk,
        Method::Purge,
    ];
    writing.map(|method| host.faults.calls(method)).to_vec()
}

#[tokio::test]
async fn each_node_shows_ten_rows_in_topological_order_and_nothing_stays() {
    on_each(async |host: &Host| {
        let rows = (0..60).map(|n| json!({"id": n, "name": "x"}));
        host.executor.script("load", [Step::rows(rows)]);
        host.finished().await;
        let before = (writes(host), host.faults.calls(Method::Events));
        let answer = host.post(PATH, None).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(
            answer
                .text()
                .starts_with(r#"{"load":{"node_id":"load","name":"load","status":"success","columns":["id","name"],"rows":[{"id":0,"name":"x"}"#),
            "{}",
            answer.text()
        );
        let told = answer.json();
        for node in ["load", "sum"] {
            assert_eq!(told[node]["rows"].as_array().unwrap().len(), 10);
            assert_eq!(told[node]["rows"][9], json!({"id": 9, "name": "x"}));
            assert!(told[node].get("error").is_none());
        }
        let handed_on = host.executor.calls_of("sum")[1].inputs[0].clone().unwrap();
        assert_eq!(handed_on.len(), 10, "cut before it feeds the next node");
        assert_eq!((writes(host), host.faults.calls(Method::Events)), before);
        let runs = host.get("/api/runs").await.json();
        assert_eq!(runs.as_array().unwrap().len(), 1, "the run of before alone");
    })
    .await;
}

#[tokio::test]
async fn a_sink_is_skipped_and_shows_what_it_would_have_received() {
    on_each(async |host: &Host| {
        host.executor
            .script("load", [Step::rows([json!({"id": 1}), json!({"id": 2})])]);
        host.executor.effect("sum", Effect::Sink);
        let told = host.post(PATH, None).await.json();
        let sink = json!({"node_id": "sum", "name": "sum", "status": "skipped",
            "columns": ["id"], "rows": [{"id": 1}, {"id": 2}]});
        assert_eq!(told["sum"], sink);
        assert!(host.executor.calls_of("sum").is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_failure_skips_what_is_below_it_and_nothing_else() {
    on_each(async |host: &Host| {
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
        let told = host
            .post("/api/pipelines/wide/dry-run", Some(&json!({})))
            .await
            .json();
        let status = |node: &str| told[node]["status"].as_str().unwrap().to_owned();
        let all = ["good", "bad", "below", "beside"].map(status);
        assert_eq!(all, ["success", "failed", "skipped", "success"]);
        let bad = json!({"node_id": "bad", "name": "Bad One", "status": "failed",
            "columns": [], "rows": [], "error": "no such table"});
        assert_eq!(told["bad"], bad);
    })
    .await;
}

#[tokio::test]
async fn params_and_templates_are_those_of_a_run() {
    on_each(async |host: &Host| {
        let pipeline = json!({"id": "by-day", "name": "By day", "params": {"region": "eu", "day": "none"},
            "nodes": [{"id": "a", "type": "any",
                "config": {"at": "${param.region}/${param.day}", "run": "${run.id}", "date": "${run.date}"}}]});
        assert_eq!(host.post("/api/pipelines", Some(&pipeline)).await.status, 201);
        let body = json!({"params": {"day": 7}});
        let told = host.post("/api/pipelines/by-day/dry-run", Some(&body)).await;
        assert_eq!(told.status, 200, "{told:?}");
        let call = host.executor.calls_of("a").remove(0);
        let config = &call.node.config;
        assert_eq!(config["at"], "eu/7");
        assert_eq!(config["run"], json!(call.run_id.to_string()));
        assert_eq!(config["date"].as_str().unwrap().len(), "2024-01-15".len());
        let path = format!("/api/runs/{}", call.run_id);
        host.get(&path).await.refused(404, "run-not-found");
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_executed_is_refused() {
    on_each(async |host: &Host| {
        let strange =
            json!({"id": "strange", "name": "S", "nodes": [{"id": "a", "type": "nothing"}]});
        assert_eq!(
            host.post("/api/pipelines", Some(&strange)).await.status,
            201
        );
        let refused = host.post("/api/pipelines/strange/dry-run", None).await;
        refused.refused(422, "node-type-unknown");
        host.post("/api/pipelines/none/dry-run", Some(&json!({"x": 1})))
            .await
            .refused(404, "pipeline-not-found");
        for (body, slug) in [
            (json!({"parms": {}}), "unknown-field"),
            (json!({"params": {"a": []}}), "invalid-field"),
            (json!([]), "invalid-field"),
        ] {
            host.post(PATH, Some(&body)).await.refused(422, slug);
        }
        host.post(&format!("{PATH}?x=1"), None)
            .await
            .refused(400, "invalid-parameter");
    })
    .await;
}

#[tokio::test]
async fn more_than_may_be_at_once_are_told_to_come_again() {
    let limits = Limits::default();
    assert_eq!(limits.dry_runs_max, 4);
    on_each(async |host: &Host| {
        let gate = floret::testing::Gate::default();
        host.executor.script("load", [Step::nothing().at(&gate)]);
        let mut under_way = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let service = host.service.clone();
            under_way.spawn(async move {
                send(&service, request(http::Method::POST, PATH, None)).await
            });
        }
        host.executor.started_times("load", 4).await;
        host.post(PATH, None)
            .await
            .refused(429, "too-many-requests");
        gate.open();
        while let Some(answer) = under_way.join_next().await {
            assert_eq!(answer.unwrap().status, 200);
        }
        assert_eq!(host.post(PATH, None).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn a_scoped_caller_runs_its_own_pipelines_alone() {
    let host = Host::start(Backend::Memory).await;
    let tenant = Scope::Tenant("acme".parse().unwrap());
    let access = Access::custom(move |_, permission| match permission {
        Permission::PipelinesRun => Decision::Allow(tenant.clone()),
        _ => Decision::Forbidden,
    });
    let service = host.floret.service(access);
    let answer = send(&service, request(http::Method::POST, PATH, None)).await;
    answer.refused(404, "pipeline-not-found");
}
