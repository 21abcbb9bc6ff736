//! The history of a node over HTTP.

use floret::testing::Step;
use http::Method;
use serde_json::{Value, json};

use crate::wire::{Host, on_each_backend, request};

async fn history(host: &Host, node: &str, query: &str) -> Value {
    let path = format!("/api/pipelines/daily/nodes/{node}/history{query}");
    let answer = host.get(&path).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

#[tokio::test]
async fn each_run_shows_what_its_node_did() {
    on_each_backend(async |host: &Host| {
        assert_eq!(history(host, "load", "").await, json!([]));
        let rows = [json!({"a": 1, "b": null}), json!({"a": 2, "b": null})];
        let steps = [Step::rows(rows), Step::permanent("broken"), Step::nothing()];
        host.executor.script("load", steps);
        let mut runs = Vec::new();
        for _ in 0..3 {
            runs.insert(0, host.finished_run().await);
        }
        let found = history(host, "load", "").await;
        let shown: Vec<_> = found.as_array().unwrap().iter().collect();
        let statuses = ["success", "failed", "success"];
        for ((row, id), status) in shown.iter().zip(&runs).zip(statuses) {
            let run = host.find_run(id).await;
            let node = &run["node_runs"][0];
            assert_eq!(
                (&row["run_id"], &row["status"]),
                (&json!(id), &json!(status))
            );
            for name in ["duration_ms", "queue_ms", "row_count"] {
                assert_eq!(row.get(name), node.get(name), "{name} of {row}");
            }
            let has_profile = *id == runs[2];
            assert_eq!(
                row.get("null_pct"),
                has_profile.then_some(&json!(50.0)),
                "{row}"
            );
        }
        let sums = history(host, "sum", "?runs=2").await;
        let statuses: Vec<_> = sums.as_array().unwrap().iter().collect();
        assert_eq!(statuses.len(), 2);
        assert_eq!(
            *statuses[1],
            json!({"run_id": runs[1], "status": "skipped"})
        );
    })
    .await;
}

#[tokio::test]
async fn a_node_without_runs_is_found_by_its_definition() {
    on_each_backend(async |host: &Host| {
        let id = host.finished_run().await;
        let pipeline = json!({"id": "daily", "name": "daily",
            "nodes": [{"id": "save", "type": "any"}]});
        let put = request(Method::PUT, "/api/pipelines/daily", Some(&pipeline));
        assert_eq!(host.send(put).await.status, 200);
        assert_eq!(history(host, "save", "").await, json!([]));
        assert_eq!(history(host, "load", "").await[0]["run_id"], id);
        let missing = host.get("/api/pipelines/daily/nodes/none/history").await;
        missing.assert_problem(404, "node-not-found");
        let missing = host
            .get("/api/pipelines/daily/nodes/none/history?runs=0")
            .await;
        missing.assert_problem(404, "node-not-found");
        let known = host
            .get("/api/pipelines/daily/nodes/save/history?runs=0")
            .await;
        known.assert_problem(400, "invalid-parameter");
    })
    .await;
}
