//! Resumes over HTTP, with the choices in their bodies.

use floret::testing::Step;
use http::Method;
use serde_json::{Value, json};

use crate::wire::{Host, on_each_backend, request};

/// Executes a run of `daily` whose node `sum` fails, and returns the path that resumes it.
async fn failed_run(host: &Host) -> String {
    host.executor
        .script("load", [Step::rows([json!({"n": 1})])]);
    host.executor
        .script("sum", [Step::permanent("broken"), Step::pass_on()]);
    format!("/api/runs/{}/resume", host.finished_run().await)
}

async fn resume(host: &Host, path: &str, body: &Value) -> Value {
    let response = host.post(path, Some(body)).await;
    assert_eq!(response.status, 202, "{response:?}");
    let id = response.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(response.header("location"), format!("/api/runs/{id}"));
    host.wait_finished(&id).await;
    host.get(&format!("/api/runs/{id}")).await.json()
}

fn statuses(run: &Value) -> Vec<&str> {
    let nodes = run["node_runs"].as_array().unwrap().iter();
    nodes.map(|node| node["status"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_body_chooses_the_node_to_start_from() {
    on_each_backend(async |host: &Host| {
        let path = failed_run(host).await;
        let run = resume(host, &path, &json!({"from_node": "load"})).await;
        assert_eq!(statuses(&run), ["success", "success"]);
        assert_eq!(host.executor.calls_of("load").len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_body_chooses_the_recorded_definition() {
    on_each_backend(async |host: &Host| {
        let path = failed_run(host).await;
        let run = resume(host, &path, &json!({"definition": "recorded"})).await;
        assert_eq!(statuses(&run), ["skipped", "success"]);
        assert_eq!(run["pipeline_version"], 1);
    })
    .await;
}

#[tokio::test]
async fn a_body_chooses_the_newest_definition() {
    on_each_backend(async |host: &Host| {
        let path = failed_run(host).await;
        let newest = json!({"name": "daily", "nodes": [
            {"id": "load", "type": "any"},
            {"id": "sum", "type": "any", "config": {"table": "other"}},
            {"id": "report", "type": "any"},
        ], "edges": [{"from": "load", "to": "sum"}, {"from": "sum", "to": "report"}]});
        let put = request(Method::PUT, "/api/pipelines/daily", Some(&newest));
        assert_eq!(host.send(put).await.status, 200);
        let body = json!({"definition": "current"});
        let run = resume(host, &path, &body).await;
        assert_eq!(statuses(&run), ["skipped", "success", "success"]);
        assert_eq!(run["pipeline_version"], 2);
        let call = host.executor.calls_of("sum").remove(1);
        assert_eq!(call.node.config["table"], "other");
    })
    .await;
}

#[tokio::test]
async fn an_invalid_choice_is_refused_and_creates_nothing() {
    on_each_backend(async |host: &Host| {
        let path = failed_run(host).await;
        for (body, slug, pointer) in [
            (
                json!({"from_node": "nothing"}),
                "invalid-field",
                "/from_node",
            ),
            (json!({"from_node": 5}), "invalid-field", "/from_node"),
            (json!({"from_node": null}), "invalid-field", "/from_node"),
            (
                json!({"definition": "newest"}),
                "invalid-field",
                "/definition",
            ),
            (json!({"from": "load"}), "unknown-field", "/from"),
        ] {
            let refused = host.post(&path, Some(&body)).await;
            refused.assert_problem(422, slug);
            assert_eq!(refused.json()["errors"][0]["pointer"], pointer);
        }
        let runs = host.get("/api/runs").await.json();
        assert_eq!(runs.as_array().unwrap().len(), 1);
    })
    .await;
}
