//! Reruns of finished runs.

use floret::RunId;
use floret::testing::{Gate, Step};
use http::Method;
use serde_json::{Value, json};

use crate::wire::{Host, TestResponse, on_each_backend, request, with_key};

async fn rerun(host: &Host, id: &str, body: &Value) -> TestResponse {
    let path = format!("/api/runs/{id}/rerun?wait=60");
    host.post(&path, Some(body)).await
}

async fn keyed(host: &Host, path: &str, key: &str, body: &Value) -> TestResponse {
    host.send(with_key(path, key, Some(body))).await
}

#[tokio::test]
async fn a_rerun_repeats_a_finished_run_whatever_its_outcome() {
    on_each_backend(async |host: &Host| {
        host.executor
            .script("load", [Step::permanent("no"), Step::pass_on()]);
        let body = json!({"params": {"date": "2024-01-15", "n": "1"}, "labels": {"team": "data"}, "note": "x"});
        let failed = host.finished_run_of(&body).await;
        let once = rerun(host, &failed, &json!({})).await;
        assert_eq!(once.status, 200, "{once:?}");
        let once = once.json();
        assert_eq!((&once["status"], &once["rerun_of"]), (&json!("success"), &json!(failed)));
        assert_eq!((&once["trigger"], &once["labels"]), (&json!("manual"), &body["labels"]));
        assert_eq!(once["params"], json!({"date": "2024-01-15", "n": "1", "region": "eu"}));
        assert!(once.get("note").is_none() && once.get("resumed_from").is_none(), "{once}");
        // A success, too, with parameters over the earlier ones.
        let id = once["id"].as_str().unwrap();
        let twice = rerun(host, id, &json!({"params": {"n": 2, "date": "2024-01-16"}, "note": "y"})).await;
        let twice = twice.json();
        assert_eq!(twice["params"], json!({"date": "2024-01-16", "n": "2", "region": "eu"}));
        assert_eq!((&twice["note"], &twice["rerun_of"]), (&json!("y"), &once["id"]));
        // A chain of resumes is not blocked by a rerun, nor the other way around.
        let resumed = host.post(&format!("/api/runs/{failed}/resume"), None).await;
        assert_eq!(resumed.status, 202, "{resumed:?}");
    })
    .await;
}

#[tokio::test]
async fn a_rerun_executes_the_recorded_or_the_newest_definition() {
    on_each_backend(async |host: &Host| {
        let id = host.finished_run_of(&json!({})).await;
        let newer = json!({"name": "daily", "nodes": [{"id": "only", "type": "any"}], "params": {"added": "1"}});
        let put = request(Method::PUT, "/api/pipelines/daily", Some(&newer));
        assert_eq!(host.send(put).await.status, 200);
        let recorded = rerun(host, &id, &json!({"definition": "recorded"})).await.json();
        assert_eq!(recorded["pipeline_version"], 1);
        let current = rerun(host, &id, &json!({"definition": "current"})).await.json();
        assert_eq!(
            (&current["pipeline_version"], &current["params"]["added"], &current["node_runs"][0]["node_id"]),
            (&json!(2), &json!("1"), &json!("only"))
        );
    })
    .await;
}

/// The keys of reruns and of resumes of one run are different keys.
#[tokio::test]
async fn a_key_makes_a_rerun_happen_once() {
    on_each_backend(async |host: &Host| {
        host.executor.script("load", [Step::permanent("no")]);
        let failed = host.finished_run_of(&json!({})).await;
        let path = format!("/api/runs/{failed}/rerun");
        let first = keyed(host, &path, "once", &json!({})).await;
        let again = keyed(host, &path, "once", &json!({})).await;
        assert_eq!((first.status.as_u16(), first.text()), (202, again.text()));
        assert_eq!(again.header("idempotent-replayed"), "true");
        keyed(host, &path, "once", &json!({"note": "x"}))
            .await
            .assert_problem(422, "idempotency-key-reused");
        let resumed = keyed(
            host,
            &format!("/api/runs/{failed}/resume"),
            "once",
            &json!({}),
        )
        .await;
        assert_eq!(resumed.status, 202, "{resumed:?}");
        assert_ne!(resumed.json()["id"], first.json()["id"]);
        let run: RunId = failed.parse().unwrap();
        let repeated = host
            .floret
            .run_by_id(run)
            .rerun()
            .key("once")
            .await
            .unwrap();
        assert_eq!(first.json()["id"], repeated.id().to_string());
    })
    .await;
}

#[tokio::test]
async fn a_run_that_has_not_finished_is_not_rerun() {
    on_each_backend(async |host: &Host| {
        let gate = Gate::new();
        host.executor.script("load", [Step::pass_on().at(&gate)]);
        let id = host.trigger().await;
        let path = format!("/api/runs/{id}/rerun");
        host.post(&path, None)
            .await
            .assert_problem(409, "run-not-finished");
        gate.open();
        host.wait_finished(&id).await;
        assert_eq!(host.post(&path, None).await.status, 202);
    })
    .await;
}
