//! Cancels and reruns of many runs, of a list or of a filter.

use chrono::{DateTime, Utc};
use floret::storage::{CreateRuns, NewRun, Runs as _};
use floret::testing::{Fault, Gate, Method, Step};
use floret::{ErrorKind, Limits, PipelineId, Problem, Run, RunStatus, Trigger};
use serde_json::{Value, json};

use crate::wire::{Backend, Host, on_each_backend, with_key};

const RUN: &str = "/api/pipelines/daily/run";

async fn bulk(host: &Host, verb: &str, body: &Value) -> Value {
    let answer = host.post(&format!("/api/runs/{verb}"), Some(body)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

#[tokio::test]
async fn many_runs_are_cancelled_by_a_filter_or_by_their_ids() {
    on_each_backend(async |host: &Host| {
        let finished = host
            .finished_run_of(&json!({"labels": {"team": "data"}}))
            .await;
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
        assert!(host.find_run(&ids[0]).await.get("cancel").is_none());
        assert_eq!(bulk(host, "cancel", &filter).await, expected);
        assert_eq!(host.find_run(&ids[0]).await["cancel"]["reason"], "closed");
        assert!(host.find_run(&ids[3]).await.get("cancel").is_none());
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
            assert_eq!(host.find_run(id).await["status"], status);
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
            failed.push(host.finished_run_of(&json!({})).await);
        }
        host.finished_run_of(&json!({})).await;
        let body = json!({"filter": {"pipeline_id": "daily", "status": ["failed"]}});
        let path = "/api/runs/rerun";
        let keyed = |path: &str, body: &Value| with_key(path, "tuesday", Some(body));
        let first = host.send(keyed(path, &body)).await.json();
        assert_eq!((&first["matched"], &first["done"]), (&json!(3), &json!(3)));
        let created: Vec<_> = first["created"].as_array().unwrap().clone();
        for (id, original) in created.iter().zip(failed.iter().rev()) {
            let id = id.as_str().unwrap();
            host.wait_finished(id).await;
            assert_eq!(host.find_run(id).await["rerun_of"], *original);
        }
        let again = host.send(keyed(path, &body)).await.json();
        assert_eq!(again, first);
        // The key is that of each rerun, however the call has chosen the runs.
        let listed = json!({"run_ids": [failed[0]]});
        let again = host.send(keyed(path, &listed)).await.json();
        assert_eq!(again["created"], json!([created[2]]));
        let alone = format!("/api/runs/{}/rerun", failed[0]);
        let again = host.send(keyed(&alone, &json!({}))).await;
        assert_eq!(again.json()["id"], created[2], "{again:?}");
        let run = failed[0].parse().unwrap();
        let by_rust = host.floret.run_by_id(run).rerun().key("tuesday");
        assert_eq!(created[2], by_rust.await.unwrap().id().to_string());
        let mut other = listed.clone();
        other["definition"] = json!("current");
        let other = host.send(keyed(path, &other)).await.json();
        assert_eq!(other["skipped"][0]["reason"], "idempotency-key-reused");
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

/// Starts a host that executes no run and has this many.
async fn host_with_pending_runs(backend: Backend, count: u64) -> Host {
    let mut limits = Limits::default();
    limits.runs_max = 0;
    let host = Host::with_limits(backend, limits).await;
    let now: DateTime<Utc> = "2024-01-15T06:00:00Z".parse().unwrap();
    let daily = PipelineId::new("daily").unwrap();
    let runs = (0..count).map(|n| {
        let id = format!("018d0c5e-7a00-7000-8000-{n:012x}").parse().unwrap();
        let (daily, date) = (daily.clone(), now.date_naive());
        NewRun::new(Run::new(id, daily, 1, Trigger::Manual, date, now))
    });
    let create = CreateRuns::new(runs.collect());
    host.faults.create_runs(create).await.unwrap();
    host
}

/// What was done stays in the answer. The rest can be asked for again by its ids.
#[tokio::test]
async fn a_failure_of_storage_ends_a_call_and_hides_nothing_that_was_done() {
    for backend in [Backend::Memory, Backend::Sqlite] {
        let host = host_with_pending_runs(backend, 200).await;
        let body = json!({"filter": {"pipeline_id": "daily"}});
        let always = Fault::before(Method::RequestCancel, Problem::StorageBusy).times(u64::MAX);
        host.faults.fail(always);
        let refused = host.post("/api/runs/cancel", Some(&body)).await;
        refused.assert_problem(503, "storage-busy");
        let tried = host.faults.calls(Method::RequestCancel);
        assert!(tried < 200, "{tried} runs were tried");
        host.faults.heal();
        let once = Fault::before(Method::RequestCancel, Problem::StorageBusy);
        host.faults.fail(once.skip(3));
        let outcome = bulk(&host, "cancel", &body).await;
        let done = host.faults.calls(Method::RequestCancel) - tried - 1;
        assert!((3..200).contains(&done), "{done} runs were cancelled");
        let skipped = outcome["skipped"].as_array().unwrap();
        let count = usize::try_from(200 - done).unwrap();
        assert_eq!((&outcome["done"], skipped.len()), (&json!(done), count));
        for run in skipped {
            assert_eq!(run["reason"], "storage-busy");
        }
        let rest: Vec<_> = skipped.iter().map(|run| run["run_id"].clone()).collect();
        let outcome = bulk(&host, "cancel", &json!({"run_ids": rest})).await;
        assert_eq!(
            (&outcome["done"], &outcome["skipped"]),
            (&json!(count), &json!([]))
        );
    }
}

/// A command that panics refuses its own run.
#[tokio::test]
async fn a_panic_of_storage_is_the_reason_of_one_run() {
    let host = host_with_pending_runs(Backend::Memory, 3).await;
    let panics = Fault::before(Method::RequestCancel, Problem::StorageBusy).panics();
    host.faults.fail(panics);
    let outcome = bulk(&host, "cancel", &json!({"filter": {"trigger": "manual"}})).await;
    assert_eq!(
        (&outcome["matched"], &outcome["done"]),
        (&json!(3), &json!(2))
    );
    assert_eq!(outcome["skipped"][0]["reason"], "internal-error");
}

/// The list has shown the statuses.
#[tokio::test]
async fn a_preview_of_a_filter_reads_no_run_again() {
    let host = host_with_pending_runs(Backend::Memory, 100).await;
    let before = host.faults.total_calls();
    let body = json!({"filter": {"trigger": "manual"}, "preview": true});
    assert_eq!(bulk(&host, "cancel", &body).await["done"], 100);
    assert_eq!(host.faults.calls(Method::ListRuns), 1);
    let calls = host.faults.total_calls() - before;
    assert!(calls < 10, "{calls} calls");
}

#[tokio::test]
async fn a_reason_that_is_too_long_cancels_nothing() {
    let host = host_with_pending_runs(Backend::Memory, 2).await;
    let all = || host.floret.runs().cancel_all();
    let long = "x".repeat(501);
    let refused = all().reason(&long).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    let expected = "reason has at most 500 characters, this one has 501";
    assert_eq!(refused.to_string(), expected);
    let outcome = all().reason(&long[1..]).await.unwrap();
    assert_eq!((outcome.done, outcome.skipped), (2, Vec::new()));
}

/// A call has at most 1,000 runs, and names where the next one goes on.
#[tokio::test]
async fn a_call_goes_on_after_the_one_before() {
    for backend in [Backend::Memory, Backend::Sqlite] {
        let host = host_with_pending_runs(backend, 1_004).await;
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
        bad.assert_problem(422, "invalid-field");
    }
}

/// A client whose list of conditions is empty by accident means no run.
#[tokio::test]
async fn a_filter_of_empty_lists_is_refused_and_reaches_no_run() {
    on_each_backend(async |host: &Host| {
        let id = host.finished_run().await;
        for (filter, at) in [
            (json!({"label": []}), "/filter/label"),
            (json!({"status": []}), "/filter/status"),
            (
                json!({"status": [], "pipeline_id": "daily"}),
                "/filter/status",
            ),
            (
                json!({"from": "2024-01-02T00:00:00Z", "to": "2024-01-01T00:00:00Z"}),
                "/filter/from",
            ),
            (json!({"label": vec!["a:b"; 17]}), "/filter/label"),
        ] {
            for path in ["/api/runs/cancel", "/api/runs/rerun"] {
                let refused = host.post(path, Some(&json!({"filter": filter}))).await;
                refused.assert_problem(422, "invalid-field");
                let problem = refused.json();
                assert_eq!(problem["errors"][0]["pointer"], at, "{problem}");
            }
        }
        let body = json!({"filter": {"pipeline_id": "daily"}, "after": "no-cursor"});
        let refused = host.post("/api/runs/rerun", Some(&body)).await;
        refused.assert_problem(422, "invalid-field");
        let problem = refused.json();
        assert_eq!(problem["errors"][0]["pointer"], "/after", "{problem}");
        let runs = host.get("/api/runs").await.json();
        assert_eq!(runs.as_array().unwrap().len(), 1);
        assert_eq!(runs[0]["id"], id);
    })
    .await;
}

/// The reruns fit the filter that has found their runs.
#[tokio::test]
async fn a_repeated_rerun_by_a_filter_with_a_key_repeats_each_run_once() {
    on_each_backend(async |host: &Host| {
        for _ in 0..2 {
            host.finished_run().await;
        }
        let body = json!({"filter": {"pipeline_id": "daily", "status": ["success"]}});
        let mut created = Vec::new();
        for _ in 0..3 {
            let answer = host
                .send(with_key("/api/runs/rerun", "nightly", Some(&body)))
                .await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let outcome = answer.json();
            assert_eq!(
                (&outcome["matched"], &outcome["done"]),
                (&json!(2), &json!(2))
            );
            for run in outcome["created"].as_array().unwrap() {
                host.wait_finished(run.as_str().unwrap()).await;
            }
            created.push(outcome["created"].clone());
        }
        assert_eq!(created[0], created[1]);
        assert_eq!(created[0], created[2]);
        let runs = host.get("/api/runs").await.json();
        assert_eq!(runs.as_array().unwrap().len(), 4);
        // Another key is another call, for all four.
        let other = host
            .send(with_key("/api/runs/rerun", "weekly", Some(&body)))
            .await;
        assert_eq!(other.json()["done"], 4);
    })
    .await;
}
