//! Reruns of one run and of many, and cancels of many.

use chrono::{DateTime, Utc};
use floret::storage::{CreateRuns, NewRun, Runs as _};
use floret::testing::{Gate, Step};
use floret::{Limits, PipelineId, Run, RunId, RunStatus, Trigger};
use http::Method;
use serde_json::{Value, json};

use crate::wire::{Backend, Host, TestResponse, on_each_backend, request};

const RUN: &str = "/api/pipelines/daily/run";

async fn start(host: &Host, body: &Value) -> String {
    let started = host.post(RUN, Some(body)).await;
    assert_eq!(started.status, 202, "{started:?}");
    let id = started.json()["id"].as_str().unwrap().to_owned();
    host.wait_finished(&id).await;
    id
}

async fn find(host: &Host, id: &str) -> Value {
    host.get(&format!("/api/runs/{id}")).await.json()
}

async fn rerun(host: &Host, id: &str, body: &Value) -> TestResponse {
    let path = format!("/api/runs/{id}/rerun?wait=60");
    host.post(&path, Some(body)).await
}

async fn keyed(host: &Host, path: &str, key: &str, body: &Value) -> TestResponse {
    let mut request = request(Method::POST, path, Some(body));
    request
        .headers_mut()
        .insert("idempotency-key", key.parse().unwrap());
    host.send(request).await
}

#[tokio::test]
async fn a_rerun_repeats_a_finished_run_whatever_its_outcome() {
    on_each_backend(async |host: &Host| {
        host.executor
            .script("load", [Step::permanent("no"), Step::pass_on()]);
        let body = json!({"params": {"date": "2024-01-15", "n": "1"}, "labels": {"team": "data"}, "note": "x"});
        let failed = start(host, &body).await;
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
        let id = start(host, &json!({})).await;
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
        let failed = start(host, &json!({})).await;
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

async fn bulk(host: &Host, verb: &str, body: &Value) -> Value {
    let answer = host.post(&format!("/api/runs/{verb}"), Some(body)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

#[tokio::test]
async fn many_runs_are_cancelled_by_a_filter_or_by_their_ids() {
    on_each_backend(async |host: &Host| {
        let finished = start(host, &json!({"labels": {"team": "data"}})).await;
        let gate = Gate::new();
        let held = Step::pass_on().at(&gate);
        host.executor.script("load", vec![held; 9]);
        let mut ids = Vec::new();
        for n in 0..5 {
            let label = if n < 3 { "data" } else { "sales" };
            let body = json!({"labels": {"team": label}});
            let started = host.post(RUN, Some(&body)).await.json();
            ids.push(started["id"].as_str().unwrap().to_owned());
        }
        let filter = json!({"filter": {"label": ["team:data"]}, "reason": "closed"});
        let mut preview = filter.clone();
        preview["preview"] = json!(true);
        let expected = json!({"matched": 3, "done": 3, "skipped": []});
        assert_eq!(bulk(host, "cancel", &preview).await, expected);
        assert!(find(host, &ids[0]).await.get("cancel").is_none());
        assert_eq!(bulk(host, "cancel", &filter).await, expected);
        assert_eq!(find(host, &ids[0]).await["cancel"]["reason"], "closed");
        assert!(find(host, &ids[3]).await.get("cancel").is_none());
        let unknown = "018d0c5e-7a00-7000-8000-000000000001";
        let listed = json!({"run_ids": [ids[3], finished, unknown, ids[3]], "force": true});
        let outcome = bulk(host, "cancel", &listed).await;
        let skipped = json!([
            {"run_id": finished, "reason": "run-finished"},
            {"run_id": unknown, "reason": "run-not-found"},
        ]);
        assert_eq!(
            outcome,
            json!({"matched": 3, "done": 1, "skipped": skipped})
        );
        gate.open();
        for (id, status) in [
            (&ids[0], "cancelled"),
            (&ids[3], "cancelled"),
            (&ids[4], "success"),
        ] {
            host.wait_finished(id).await;
            assert_eq!(find(host, id).await["status"], status);
        }
    })
    .await;
}

#[tokio::test]
async fn many_runs_are_rerun_once_for_each_key() {
    on_each_backend(async |host: &Host| {
        let mut steps = vec![Step::permanent("no"); 3];
        steps.push(Step::pass_on());
        host.executor.script("load", steps);
        let mut failed = Vec::new();
        for _ in 0..3 {
            failed.push(start(host, &json!({})).await);
        }
        start(host, &json!({})).await;
        let body = json!({"filter": {"pipeline_id": "daily", "status": ["failed"]}});
        let path = "/api/runs/rerun";
        let first = keyed(host, path, "tuesday", &body).await.json();
        assert_eq!((&first["matched"], &first["done"]), (&json!(3), &json!(3)));
        let created: Vec<_> = first["created"].as_array().unwrap().clone();
        for (id, original) in created.iter().zip(failed.iter().rev()) {
            let id = id.as_str().unwrap();
            host.wait_finished(id).await;
            assert_eq!(find(host, id).await["rerun_of"], *original);
        }
        let again = keyed(host, path, "tuesday", &body).await.json();
        assert_eq!(again, first);
        assert_eq!(host.get("/api/runs?page=1").await.json()["total"], 7);
        let repeated = json!({"filter": {"status": vec!["failed"; 40_000]}, "preview": true});
        assert_eq!(bulk(host, "rerun", &repeated).await["matched"], 3);
        let preview = bulk(
            host,
            "rerun",
            &json!({"filter": {"pipeline_id": "daily"}, "preview": true}),
        )
        .await;
        assert_eq!(
            preview["matched"], 7,
            "without a status, all finished runs: {preview}"
        );
        let by_rust = host.floret.runs().of("daily").status(RunStatus::Failed);
        let by_rust = by_rust.rerun_all().preview().await.unwrap();
        assert_eq!((by_rust.matched, by_rust.done), (3, 3));
    })
    .await;
}

/// A call has at most 1,000 runs, and names where the next one goes on.
#[tokio::test]
async fn a_call_goes_on_after_the_one_before() {
    for backend in [Backend::Memory, Backend::Sqlite] {
        let mut limits = Limits::default();
        limits.runs_max = 0;
        let host = Host::with_limits(backend, limits).await;
        let runs = (0..1_004).map(|n| {
            let id = format!("018d0c5e-7a00-7000-8000-{n:012x}").parse().unwrap();
            let now = "2024-01-15T06:00:00Z".parse::<DateTime<Utc>>().unwrap();
            let daily = PipelineId::new("daily").unwrap();
            NewRun::new(Run::new(
                id,
                daily,
                1,
                Trigger::Manual,
                now.date_naive(),
                now,
            ))
        });
        let create = CreateRuns::new(runs.collect());
        host.faults.create_runs(create).await.unwrap();
        let mut body = json!({"filter": {"pipeline_id": "daily"}, "preview": true});
        let outcome = bulk(&host, "cancel", &body).await;
        assert_eq!(
            (&outcome["matched"], &outcome["done"]),
            (&json!(1_000), &json!(1_000))
        );
        body["after"] = outcome["next"].clone();
        let rest = bulk(&host, "cancel", &body).await;
        assert_eq!(rest, json!({"matched": 4, "done": 4, "skipped": []}));
        body["after"] = json!("x");
        let bad = host.post("/api/runs/cancel", Some(&body)).await;
        bad.assert_problem(400, "invalid-parameter");
    }
}
