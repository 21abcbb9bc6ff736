//! Refusals at a limit, after a storage failure, during a shutdown, and after a panic.

use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use floret::executor::{Asset, Effect, Executor, ExecutorError, NodeCall, Output};
use floret::storage::{Purge, System};
use floret::testing::{Fault, Gate, Method as StorageCall, Step};
use floret::{Access, Decision, Issue, Limits, Node, Problem, Scope};
use http::Method;
use serde_json::{Map, Value, json};

use super::row::{BACKFILL, Coverage, DRY_RUN, RUN};
use crate::stream::{connect, open, upgrade};
use crate::wire::{Backend, Host, request, send};

pub(super) async fn set_ups(backend: Backend, coverage: &mut Coverage) {
    a_queue_that_is_full(backend, coverage).await;
    a_numbered_page_that_is_too_large(backend, coverage).await;
    too_many_concurrent_dry_runs(backend, coverage).await;
    streams_that_are_expired_purged_or_too_many(backend, coverage).await;
    a_storage_that_is_busy_full_or_broken(backend, coverage).await;
    a_shutdown(backend, coverage).await;
    a_panic_reveals_nothing_and_the_service_continues(backend, coverage).await;
}

async fn a_queue_that_is_full(backend: Backend, coverage: &mut Coverage) {
    let mut limits = Limits::default();
    limits.runs_max = 1;
    limits.queued_pipeline_max = 1;
    let host = Host::with_limits(backend, limits).await;
    let gate = Gate::new();
    host.executor.script("load", [Step::pass_on().at(&gate)]);
    let first = host.trigger().await;
    host.executor.started("load").await;
    let second = host.trigger().await;
    coverage.assert_problem(&host.post(RUN, None).await, 429, "too-many-requests");
    gate.open();
    host.wait_finished(&first).await;
    host.wait_finished(&second).await;
    host.finished_run().await;
}

async fn a_numbered_page_that_is_too_large(backend: Backend, coverage: &mut Coverage) {
    let mut limits = Limits::default();
    limits.page_bytes_max = 100;
    let host = Host::with_limits(backend, limits).await;
    let older = host.finished_run().await;
    let newer = host.finished_run().await;
    let page = host.get("/api/runs?per_page=2").await;
    coverage.assert_problem(&page, 400, "page-too-large");
    assert_eq!(host.get("/api/runs?per_page=1&page=2").await.status, 200);
    // The other two ways end early, and go on after the last run.
    let newest = host.get("/api/runs").await;
    assert_eq!(newest.json()[0]["id"], newer.as_str());
    let next = format!("</api/runs?after={newer}>; rel=\"next\"");
    assert_eq!(newest.headers["link"], next.as_str());
    let rest = host.get(&format!("/api/runs?after={newer}")).await.json();
    assert_eq!(rest["items"][0]["id"], older.as_str());
    let mut log = host
        .get(&format!("/api/runs/{older}/logs?limit=100"))
        .await
        .json();
    let mut line_count = 1;
    while log["has_next"] == true {
        assert_eq!(log["items"].as_array().unwrap().len(), 1);
        let cursor = log["cursor"].as_str().unwrap();
        let rest = format!("/api/runs/{older}/logs?after={cursor}");
        log = host.get(&rest).await.json();
        line_count += 1;
    }
    let exported = host.get(&format!("/api/runs/{older}/logs/export")).await;
    let exported = String::from_utf8(exported.body.to_vec()).unwrap();
    assert_eq!(exported.lines().count(), line_count);
}

async fn too_many_concurrent_dry_runs(backend: Backend, coverage: &mut Coverage) {
    let mut limits = Limits::default();
    limits.dry_runs_max = 1;
    let host = Host::with_limits(backend, limits).await;
    let gate = Gate::new();
    host.executor.script("load", [Step::nothing().at(&gate)]);
    let one_more = async {
        host.executor.started("load").await;
        coverage.assert_problem(&host.post(DRY_RUN, None).await, 429, "too-many-requests");
        gate.open();
    };
    let (first, ()) = tokio::join!(host.post(DRY_RUN, None), one_more);
    assert_eq!(first.status, 200, "{first:?}");
}

async fn streams_that_are_expired_purged_or_too_many(backend: Backend, coverage: &mut Coverage) {
    let mut limits = Limits::default();
    limits.streams_max = 1;
    let host = Host::with_limits(backend, limits).await;
    let gone = host.finished_run().await;
    let run = host.floret.run_by_id(gone.parse().unwrap());
    let later = run.finished().await.unwrap().run.created_at + TimeDelta::days(1);
    let purged = host.faults.purge(Purge::new(later, 100)).await.unwrap();
    assert_eq!(purged.deleted, 1);
    let _only = open(&host.service, "/api/ws").await;
    let of_run = format!("/api/ws?since=0&run_id={gone}");
    for (path, status, slug) in [
        ("/api/ws?since=0", 410, "events-expired"),
        (of_run.as_str(), 404, "run-not-found"),
        ("/api/ws", 503, "too-many-streams"),
    ] {
        let result = connect(&host.service, upgrade(path, &[])).await;
        coverage.assert_problem(&result.unwrap_err(), status, slug);
    }
}

async fn a_storage_that_is_busy_full_or_broken(backend: Backend, coverage: &mut Coverage) {
    let host = Host::start(backend).await;
    for (problem, status, slug) in [
        (Problem::StorageBusy, 503, "storage-busy"),
        (Problem::StorageFull, 507, "storage-full"),
        (Problem::InternalError, 500, "internal-error"),
    ] {
        host.faults
            .fail(Fault::before(StorageCall::CreateRuns, problem));
        coverage.assert_problem(&host.post(RUN, None).await, status, slug);
        host.faults
            .fail(Fault::before(StorageCall::ListRuns, problem));
        coverage.assert_problem(&host.get("/api/runs").await, status, slug);
    }
    host.finished_run().await;
}

async fn a_shutdown(backend: Backend, coverage: &mut Coverage) {
    let host = Host::start(backend).await;
    let id = host.finished_run().await;
    let gate = Gate::new();
    host.executor.script("load", [Step::pass_on().at(&gate)]);
    host.trigger().await;
    host.executor.started_times("load", 2).await;
    let requests = async {
        assert_no_commands(&host, &id, coverage).await;
        assert_eq!(host.get(&format!("/api/runs/{id}")).await.status, 200);
        gate.open();
    };
    let stopping = host.floret.shutdown(Duration::from_secs(3_600));
    let (stopped, ()) = tokio::join!(stopping, requests);
    stopped.unwrap();
    assert_no_commands(&host, &id, coverage).await;
}

async fn assert_no_commands(host: &Host, run: &str, coverage: &mut Coverage) {
    coverage.assert_problem(&host.get("/api/health").await, 503, "shutting-down");
    let pipeline = json!({"name": "x", "nodes": [{"id": "a", "type": "any"}]});
    let days = json!({"start_date": "2024-01-01", "end_date": "2024-01-02"});
    let cancel = format!("/api/runs/{run}/cancel");
    let resume = format!("/api/runs/{run}/resume");
    for (path, body) in [
        (RUN, None),
        (DRY_RUN, None),
        (cancel.as_str(), None),
        (resume.as_str(), None),
        ("/api/pipelines", Some(&pipeline)),
        (BACKFILL, Some(&days)),
        ("/api/system/purge", None),
    ] {
        coverage.assert_problem(&host.post(path, body).await, 503, "shutting-down");
    }
    let result = connect(&host.service, upgrade("/api/ws", &[])).await;
    coverage.assert_problem(&result.unwrap_err(), 503, "shutting-down");
}

/// An executor that panics when it validates a config.
#[derive(Debug)]
struct Panicking;

#[async_trait]
impl Executor for Panicking {
    async fn execute(&self, _: NodeCall) -> Result<Output, ExecutorError> {
        Ok(Output::Nothing)
    }

    fn effect(&self, _: &Node) -> Effect {
        Effect::Transform
    }

    fn validate(&self, _: &Map<String, Value>) -> Vec<Issue> {
        panic!("the secret of the host")
    }

    fn assets(&self, _: &Node) -> Vec<Asset> {
        Vec::new()
    }
}

async fn a_panic_reveals_nothing_and_the_service_continues(
    backend: Backend,
    coverage: &mut Coverage,
) {
    let host = Host::build(backend, |builder| builder.executor("panicking", Panicking)).await;
    let body = json!({"name": "x", "nodes": [{"id": "a", "type": "panicking"}]});
    let response = host.post("/api/pipelines", Some(&body)).await;
    coverage.assert_problem(&response, 500, "internal-error");
    assert!(!response.text().contains("secret"), "{}", response.text());

    let service = host.floret.service(Access::custom(|parts, _| {
        match parts.headers.get("x-panic") {
            Some(_) => panic!("the secret of the host"),
            None => Decision::Allow(Scope::All),
        }
    }));
    let mut get = request(Method::GET, "/api/runs", None);
    get.headers_mut().insert("x-panic", "1".parse().unwrap());
    let response = send(&service, get).await;
    coverage.assert_problem(&response, 500, "internal-error");
    assert!(!response.text().contains("secret"), "{}", response.text());
    let next = send(&service, request(Method::GET, "/api/runs", None)).await;
    assert_eq!(next.status, 200);
}
