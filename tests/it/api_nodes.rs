//! Previews and profiles of node outputs over HTTP.

use floret::testing::Step;
use serde_json::{Value, json};

use crate::wire::{Host, on_each_backend};

#[tokio::test]
async fn a_preview_contains_the_first_rows_and_the_total_row_count() {
    on_each_backend(async |host: &Host| {
        let rows = (0..60).map(|n| json!({"n": n, "name": "x"}));
        host.executor.script("load", [Step::rows(rows)]);
        let id = host.finished_run().await;
        let response = host
            .get(&format!("/api/runs/{id}/nodes/load/preview"))
            .await;
        assert_eq!(response.status, 200);
        assert!(
            response
                .text()
                .starts_with(r#"{"node_id":"load","columns":["#),
            "{}",
            response.text()
        );
        let preview = response.json();
        assert_eq!(preview["columns"], json!(["n", "name"]));
        let rows = preview["rows"].as_array().unwrap();
        assert_eq!(
            (rows.len(), &rows[49]),
            (50, &json!({"n": 49, "name": "x"}))
        );
        assert_eq!(
            (&preview["row_count"], &preview["truncated"]),
            (&json!(60), &json!(true))
        );
    })
    .await;
}

#[tokio::test]
async fn the_attempts_of_a_node_tell_what_each_of_them_did() {
    on_each_backend(async |host: &Host| {
        let failing = Step::retryable("try later");
        host.executor
            .script("load", [failing, Step::rows([json!({"n": 1})])]);
        let pipeline = json!({"id": "retried", "name": "retried",
            "nodes": [{"id": "load", "type": "any", "config": {"max_retries": 1, "retry_delay": 0}},
                {"id": "sum", "type": "any"}],
            "edges": [{"from": "load", "to": "sum"}]});
        let created = host.post("/api/pipelines", Some(&pipeline)).await;
        assert_eq!(created.status, 201, "{created:?}");
        let run = host.post("/api/pipelines/retried/run", None).await;
        assert_eq!(run.status, 202, "{run:?}");
        let run = run.json();
        let id = run["id"].as_str().unwrap();
        host.wait_finished(id).await;
        let attempts = format!("/api/runs/{id}/nodes/load/attempts");
        let all = host.get(&attempts).await.json();
        let [first, second] = all.as_array().unwrap().as_slice() else {
            panic!("two attempts, got {all}");
        };
        assert_eq!(
            (&first["attempt"], &first["status"], &first["error"]),
            (&json!(1), &json!("failed"), &json!("try later"))
        );
        assert_eq!(
            (&second["attempt"], &second["status"], second.get("error")),
            (&json!(2), &json!("success"), None)
        );
        for attempt in [first, second] {
            assert!(attempt["duration_ms"].is_u64(), "{attempt}");
            assert!(attempt["finished_at"].is_string(), "{attempt}");
        }
        let missing = host
            .get(&format!("/api/runs/{id}/nodes/none/attempts"))
            .await;
        missing.assert_problem(404, "node-not-found");
        let run = "018d0c5e-7a00-7000-8000-000000000001";
        let missing = host
            .get(&format!("/api/runs/{run}/nodes/load/attempts"))
            .await;
        missing.assert_problem(404, "run-not-found");
    })
    .await;
}

#[tokio::test]
async fn an_empty_output_has_an_empty_preview_and_a_node_without_output_has_none() {
    on_each_backend(async |host: &Host| {
        host.executor.script("load", [Step::rows([])]);
        host.executor.script("sum", [Step::nothing()]);
        let id = host.finished_run().await;
        let empty = host.get(&format!("/api/runs/{id}/nodes/load/preview")).await.json();
        let expected = json!({"node_id": "load", "columns": [], "rows": [], "row_count": 0, "truncated": false});
        assert_eq!(empty, expected);
        for (kind, slug) in [("preview", "preview-not-found"), ("profile", "profile-not-found")] {
            let response = host.get(&format!("/api/runs/{id}/nodes/sum/{kind}")).await;
            response.assert_problem(404, slug);
        }
    })
    .await;
}

#[tokio::test]
async fn a_profile_response_includes_the_schema_of_the_output() {
    on_each_backend(async |host: &Host| {
        let rows = [json!({"n": 1, "s": "a"}), json!({"n": 3, "s": null})];
        host.executor.script("load", [Step::rows(rows)]);
        let id = host.finished_run().await;
        let profile = host
            .get(&format!("/api/runs/{id}/nodes/load/profile"))
            .await
            .json();
        assert_eq!(profile["node_id"], "load");
        assert_eq!(profile["profile"]["row_count"], 2);
        assert_eq!(profile["profile"]["column_count"], 2);
        assert!(profile["profile"]["profiling_ms"].is_u64(), "{profile}");
        let columns: Vec<&Value> = profile["profile"]["columns"]
            .as_array()
            .unwrap()
            .iter()
            .collect();
        assert_eq!(
            (&columns[0]["name"], &columns[0]["type"]),
            (&json!("n"), &json!("integer"))
        );
        assert_eq!(
            (&columns[0]["min_val"], &columns[0]["max_val"]),
            (&json!(1), &json!(3))
        );
        assert_eq!(columns[1]["null_pct"], 50.0);
        let schema = json!({"columns": [
            {"name": "n", "type": "integer", "null_pct": 0.0},
            {"name": "s", "type": "string", "null_pct": 50.0},
        ]});
        assert_eq!(profile["schema"], schema);
    })
    .await;
}

#[tokio::test]
async fn a_reused_node_has_the_preview_and_profile_of_the_failed_run() {
    on_each_backend(async |host: &Host| {
        host.executor
            .script("load", [Step::rows([json!({"n": 1})])]);
        host.executor
            .script("sum", [Step::permanent("no"), Step::pass_on()]);
        let failed = host.finished_run().await;
        let resumed = host
            .post(&format!("/api/runs/{failed}/resume"), None)
            .await
            .json();
        let id = resumed["id"].as_str().unwrap();
        host.wait_finished(id).await;
        let preview = host
            .get(&format!("/api/runs/{id}/nodes/load/preview"))
            .await;
        assert_eq!(preview.json()["rows"], json!([{"n": 1}]));
        let profile = host
            .get(&format!("/api/runs/{id}/nodes/load/profile"))
            .await;
        assert_eq!(profile.json()["profile"]["row_count"], 1);
    })
    .await;
}

#[tokio::test]
async fn a_profile_reports_its_drift_from_the_previous_successful_run() {
    on_each_backend(async |host: &Host| {
        host.executor.script(
            "load",
            [
                Step::rows([json!({"id": 1, "name": "a", "old": true})]),
                Step::permanent("broken"),
                Step::rows([json!({"id": "x", "name": null, "new": 1.5})]),
            ],
        );
        let first = host.finished_run().await;
        host.finished_run().await;
        let last = host.finished_run().await;
        let path = |id: &str| format!("/api/runs/{id}/nodes/load/profile");
        let profile = host.get(&path(&first)).await.json();
        assert!(profile.get("drift").is_none(), "{profile}");
        let profile = host.get(&path(&last)).await.json();
        let drift = json!([
            {"column": "id", "kind": "type_changed", "before": "integer", "after": "string"},
            {"column": "name", "kind": "type_changed", "before": "string", "after": "null"},
            {"column": "name", "kind": "null_pct", "before": 0.0, "after": 100.0},
            {"column": "new", "kind": "added", "after": "float"},
            {"column": "old", "kind": "removed", "before": "boolean"},
        ]);
        assert_eq!(profile["drift"], drift);
        let again = host.finished_run().await;
        let profile = host.get(&path(&again)).await.json();
        assert_eq!(profile["drift"], json!([]));
    })
    .await;
}
