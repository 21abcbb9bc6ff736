//! What is refused for want of room or of a storage that answers, while Floret shuts down, and
//! after a panic.

use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use floret::executor::{Asset, Effect, Executor, ExecutorError, NodeCall, Output};
use floret::storage::{Purge, System};
use floret::testing::{Fault, Gate, Method as Call, Step};
use floret::{Access, Decision, Issue, Limits, Node, Problem, Scope};
use http::Method;
use serde_json::{Map, Value, json};

use super::row::{BACKFILL, DRY_RUN, RUN, Told};
use crate::stream::{ask, open, upgrade};
use crate::wire::{Backend, Host, request, send};

pub(super) async fn set_ups(backend: Backend, told: &mut Told) {
    a_queue_that_is_full(backend, told).await;
    more_dry_runs_than_may_be_at_once(backend, told).await;
    streams_that_cannot_be_had(backend, told).await;
    a_storage_that_is_busy_or_full_or_broken(backend, told).await;
    a_floret_that_shuts_down(backend, told).await;
    a_panic_tells_nothing_and_the_service_goes_on(backend, told).await;
}

async fn a_queue_that_is_full(backend: Backend, told: &mut Told) {
    let mut limits = Limits::default();
    limits.runs_max = 1;
    limits.queued_pipeline_max = 1;
    let host = Host::with(backend, limits).await;
    let gate = Gate::new();
    host.executor.script("load", [Step::pass_on().at(&gate)]);
    let first = host.trigger().await;
    host.executor.started("load").await;
    let second = host.trigger().await;
    told.refused(&host.post(RUN, None).await, 429, "too-many-requests");
    gate.open();
    host.finish(&first).await;
    host.finish(&second).await;
    host.finished().await;
}

async fn more_dry_runs_than_may_be_at_once(backend: Backend, told: &mut Told) {
    let mut limits = Limits::default();
    limits.dry_runs_max = 1;
    let host = Host::with(backend, limits).await;
    let gate = Gate::new();
    host.executor.script("load", [Step::nothing().at(&gate)]);
    let one_more = async {
        host.executor.started("load").await;
        told.refused(&host.post(DRY_RUN, None).await, 429, "too-many-requests");
        gate.open();
    };
    let (first, ()) = tokio::join!(host.post(DRY_RUN, None), one_more);
    assert_eq!(first.status, 200, "{first:?}");
}

async fn streams_that_cannot_be_had(backend: Backend, told: &mut Told) {
    let mut limits = Limits::default();
    limits.streams_max = 1;
    let host = Host::with(backend, limits).await;
    let gone = host.finished().await;
    let run = host.floret.handle(gone.parse().unwrap());
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
        let asked = ask(&host.service, upgrade(path, &[])).await;
        told.refused(&asked.unwrap_err(), status, slug);
    }
}

async fn a_storage_that_is_busy_or_full_or_broken(backend: Backend, told: &mut Told) {
    let host = Host::start(backend).await;
    for (problem, status, slug) in [
        (Problem::StorageBusy, 503, "storage-busy"),
        (Problem::StorageFull, 507, "storage-full"),
        (Problem::InternalError, 500, "internal-error"),
    ] {
        host.faults.fail(Fault::before(Call::CreateRuns, problem));
        told.refused(&host.post(RUN, None).await, status, slug);
        host.faults.fail(Fault::before(Call::ListRuns, problem));
        told.refused(&host.get("/api/runs").await, status, slug);
    }
    host.finished().await;
}

async fn a_floret_that_shuts_down(backend: Backend, told: &mut Told) {
    let host = Host::start(backend).await;
    let id = host.finished().await;
    let gate = Gate::new();
    host.executor.script("load", [Step::pass_on().at(&gate)]);
    host.trigger().await;
    host.executor.started_times("load", 2).await;
    let asking = async {
        takes_no_commands(&host, &id, told).await;
        assert_eq!(host.get(&format!("/api/runs/{id}")).await.status, 200);
        gate.open();
    };
    let stopping = host.floret.shutdown(Duration::from_secs(3_600));
    let (stopped, ()) = tokio::join!(stopping, asking);
    stopped.unwrap();
    takes_no_commands(&host, &id, told).await;
}

async fn takes_no_commands(host: &Host, run: &str, told: &mut Told) {
    told.refused(&host.get("/api/health").await, 503, "shutting-down");
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
        told.refused(&host.post(path, body).await, 503, "shutting-down");
    }
    let asked = ask(&host.service, upgrade("/api/ws", &[])).await;
    told.refused(&asked.unwrap_err(), 503, "shutting-down");
}

/// An executor that panics when a definition is checked.
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

async fn a_panic_tells_nothing_and_the_service_goes_on(backend: Backend, told: &mut Told) {
    let host = Host::built(backend, |builder| builder.executor("panicking", Panicking)).await;
    let body = json!({"name": "x", "nodes": [{"id": "a", "type": "panicking"}]});
    let answer = host.post("/api/pipelines", Some(&body)).await;
    told.refused(&answer, 500, "internal-error");
    assert!(!answer.text().contains("secret"), "{}", answer.text());

    let service = host.floret.service(Access::custom(|parts, _| {
        match parts.headers.get("x-panic") {
            Some(_) => panic!("the secret of the host"),
            None => Decision::Allow(Scope::All),
        }
    }));
    let mut get = request(Method::GET, "/api/runs", None);
    get.headers_mut().insert("x-panic", "1".parse().unwrap());
    let answer = send(&service, get).await;
    told.refused(&answer, 500, "internal-error");
    assert!(!answer.text().contains("secret"), "{}", answer.text());
    let calm = send(&service, request(Method::GET, "/api/runs", None)).await;
    assert_eq!(calm.status, 200);
}
