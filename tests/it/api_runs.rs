//! Runs over HTTP: start, get, cancel and resume.

use floret::testing::{Gate, Step};
use http::Method;
use serde_json::json;

use crate::wire::{Host, on_each_backend, request};

#[tokio::test]
async fn a_run_is_accepted_executed_and_returned_with_its_nodes() {
    on_each_backend(async |host: &Host| {
        let rows = [json!({"n": 1}), json!({"n": 2})];
        host.executor.script("load", [Step::rows(rows)]);
        let body = json!({"params": {"date": "2024-01-15", "n": 5, "flag": true}});
        let response = host.post("/api/pipelines/daily/run", Some(&body)).await;
        assert_eq!(response.status, 202);
        let id = response.json()["id"].as_str().unwrap().to_owned();
        assert_eq!(
            response.text(),
            format!(r#"{{"id":"{id}","pipeline_id":"daily","status":"pending"}}"#)
        );
        assert_eq!(response.header("location"), format!("/api/runs/{id}"));
        host.wait_finished(&id).await;

        let response = host.get(&format!("/api/runs/{id}")).await;
        assert_eq!(response.status, 200);
        assert_eq!(response.header("content-type"), "application/json");
        let run = response.json();
        assert_eq!(run["id"], id);
        assert_eq!(run["pipeline_id"], "daily");
        assert_eq!(run["pipeline_version"], 1);
        assert_eq!(run["status"], "success");
        assert_eq!(run["trigger"], "manual");
        let params = json!({"date": "2024-01-15", "n": "5", "flag": "true", "region": "eu"});
        assert_eq!(run["params"], params);
        for time in ["created_at", "started_at", "finished_at"] {
            assert!(run[time].as_str().unwrap().ends_with('Z'), "{run}");
        }
        for absent in ["cancelling", "error", "resumed_from", "backfill_id"] {
            assert!(run.get(absent).is_none(), "{run}");
        }
        let nodes = run["node_runs"].as_array().unwrap();
        let statuses: Vec<_> = nodes
            .iter()
            .map(|node| (&node["node_id"], &node["status"]))
            .collect();
        assert_eq!(
            statuses,
            [
                (&json!("load"), &json!("success")),
                (&json!("sum"), &json!("success"))
            ]
        );
        assert_eq!(nodes[0]["id"], format!("{id}.0"));
        assert_eq!(nodes[0]["row_count"], 2);
        assert_eq!(nodes[0]["attempt"], 1);
        for field in ["duration_ms", "queue_ms"] {
            assert!(nodes[0][field].is_u64(), "{run}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_members_of_a_run_are_in_the_documented_order() {
    on_each_backend(async |host: &Host| {
        let id = host.finished_run().await;
        let response = host.get(&format!("/api/runs/{id}")).await;
        let text = response.text();
        let members = [
            "\"id\"",
            "\"pipeline_id\"",
            "\"pipeline_version\"",
            "\"status\"",
            "\"trigger\"",
            "\"params\"",
            "\"created_at\"",
            "\"started_at\"",
            "\"finished_at\"",
            "\"node_runs\"",
        ];
        let offsets: Vec<_> = members
            .iter()
            .map(|member| text.find(member).unwrap())
            .collect();
        assert!(offsets.is_sorted(), "{text}");
    })
    .await;
}

#[tokio::test]
async fn every_node_is_listed_before_it_starts() {
    on_each_backend(async |host: &Host| {
        let gate = Gate::new();
        host.executor.script("load", [Step::pass_on().at(&gate)]);
        let id = host.trigger().await;
        host.executor.started("load").await;
        let run = host.get(&format!("/api/runs/{id}")).await.json();
        assert_eq!(run["status"], "running");
        assert_eq!(run["node_runs"][1]["node_id"], "sum");
        let waiting = json!({"id": format!("{id}.1"), "node_id": "sum", "status": "pending"});
        assert_eq!(run["node_runs"][1], waiting);
        gate.open();
        host.wait_finished(&id).await;
    })
    .await;
}

#[tokio::test]
async fn a_failed_run_reports_its_error_and_its_skipped_nodes() {
    on_each_backend(async |host: &Host| {
        host.executor
            .script("load", [Step::permanent("no such table")]);
        let id = host.finished_run().await;
        let run = host.get(&format!("/api/runs/{id}")).await.json();
        assert_eq!(run["status"], "failed");
        assert!(
            run["error"].as_str().unwrap().contains("no such table"),
            "{run}"
        );
        assert_eq!(run["node_runs"][0]["status"], "failed");
        assert_eq!(run["node_runs"][0]["error"], "no such table");
        assert_eq!(run["node_runs"][1]["status"], "skipped");
    })
    .await;
}

#[tokio::test]
async fn cancelling_a_running_run_lets_its_node_finish_and_can_be_repeated() {
    on_each_backend(async |host: &Host| {
        let gate = Gate::new();
        host.executor.script("load", [Step::pass_on().at(&gate)]);
        let id = host.trigger().await;
        host.executor.started("load").await;
        let path = format!("/api/runs/{id}/cancel");
        for _ in 0..2 {
            let response = host.post(&path, None).await;
            assert_eq!(response.status, 200);
            assert_eq!(
                response.text(),
                format!(r#"{{"id":"{id}","status":"running","cancelling":true}}"#)
            );
        }
        assert_eq!(
            host.get(&format!("/api/runs/{id}")).await.json()["cancelling"],
            true
        );
        gate.open();
        host.wait_finished(&id).await;
        let run = host.get(&format!("/api/runs/{id}")).await.json();
        assert_eq!(run["status"], "cancelled");
        assert_eq!(run["node_runs"][0]["status"], "success");
        assert_eq!(run["node_runs"][1]["status"], "cancelled");
        let response = host.post(&path, Some(&json!({}))).await;
        assert_eq!(
            response.text(),
            format!(r#"{{"id":"{id}","status":"cancelled"}}"#)
        );
    })
    .await;
}

#[tokio::test]
async fn a_forced_cancel_stops_executing_nodes() {
    on_each_backend(async |host: &Host| {
        let closed = Gate::new();
        host.executor.script("load", [Step::pass_on().at(&closed)]);
        let id = host.trigger().await;
        host.executor.started("load").await;
        let response = host
            .post(&format!("/api/runs/{id}/cancel?force=true"), None)
            .await;
        assert_eq!(response.status, 200);
        host.wait_finished(&id).await;
        let run = host.get(&format!("/api/runs/{id}")).await.json();
        assert_eq!(run["status"], "cancelled");
    })
    .await;
}

#[tokio::test]
async fn a_failed_run_is_resumed_by_a_new_one() {
    on_each_backend(async |host: &Host| {
        host.executor.script("load", [Step::rows([json!({"n": 1})])]);
        host.executor.script("sum", [Step::permanent("no"), Step::pass_on()]);
        let failed = host.finished_run().await;
        let response = host.post(&format!("/api/runs/{failed}/resume"), None).await;
        assert_eq!(response.status, 202, "{response:?}");
        let id = response.json()["id"].as_str().unwrap().to_owned();
        assert_eq!(
            response.text(),
            format!(
                r#"{{"id":"{id}","pipeline_id":"daily","status":"pending","resumed_from":"{failed}"}}"#
            )
        );
        assert_eq!(response.header("location"), format!("/api/runs/{id}"));
        host.wait_finished(&id).await;
        let run = host.get(&format!("/api/runs/{id}")).await.json();
        assert_eq!(run["status"], "success", "{run}");
        assert_eq!(run["trigger"], "resume");
        assert_eq!(run["resumed_from"], failed);
        assert_eq!(run["node_runs"][0]["status"], "skipped");
        assert_eq!(run["node_runs"][0]["reused_from"], failed);
        assert_eq!(run["node_runs"][0]["row_count"], 1);
        assert_eq!(run["node_runs"][1]["row_count"], 1);
    })
    .await;
}

#[tokio::test]
async fn a_disabled_pipeline_can_be_started_manually() {
    on_each_backend(async |host: &Host| {
        let mut pipeline = host.get("/api/pipelines/daily").await.json();
        pipeline["enabled"] = json!(false);
        let put = request(Method::PUT, "/api/pipelines/daily", Some(&pipeline));
        assert_eq!(host.send(put).await.json()["enabled"], false);
        host.finished_run().await;
    })
    .await;
}
