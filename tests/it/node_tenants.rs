//! Nodes and tenants: a node knows whose run it is, and a node type that is closed to a tenant
//! executes for it on no path.
//!
//! What a tenant reads is left to `tenants`.

use std::sync::Arc;
use std::time::Duration;

use floret::executor::{Ctx, ExecutorError};
use floret::testing::ManualClock;
use floret::{
    Access, Builder, EventKind, Node, NodeRun, Permissions, Pipeline, RunStatus, Scope, TenantId,
    Trigger,
};
use http::Method;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::harness::{Host, Store, World};
use crate::wire::{TestResponse, request, send};

on_every_backend! {
    a_node_knows_the_tenant_of_its_run_on_every_path,
    a_closed_node_type_is_refused_on_every_path,
    a_run_that_exists_fails_at_a_node_of_a_closed_type,
    a_type_that_is_open_to_some_tenants_is_closed_to_the_others,
}

fn acme() -> TenantId {
    TenantId::new("acme").unwrap()
}

/// Sends a request of a tenant, or of a caller that sees everything.
async fn ask(
    host: &Host,
    tenant: Option<&TenantId>,
    (method, path): (Method, &str),
    body: Option<&Value>,
) -> TestResponse {
    let scope = tenant.cloned().map_or(Scope::All, Scope::Tenant);
    let mut request = request(method, path, body);
    let permissions = Permissions::all().scope(scope);
    request.extensions_mut().insert(permissions);
    send(&host.floret.service(Access::from_extensions()), request).await
}

/// Returns the definition of a pipeline with one node, whose config names another tenant.
fn ledger(id: &str) -> Value {
    let node = json!({"id": "read", "type": "ledger", "config": {"tenant": "other"}});
    json!({"id": id, "name": id, "nodes": [node]})
}

/// What the node type `ledger` saw: the tenant of each attempt, whose first attempt fails.
#[derive(Debug, Clone, Default)]
struct Seen(Arc<Mutex<Vec<Option<TenantId>>>>);

impl Seen {
    fn register(&self, builder: Builder) -> Builder {
        let seen = self.clone();
        builder.node("ledger", move |ctx: Ctx| {
            let seen = seen.clone();
            async move {
                let mut seen = seen.0.lock();
                seen.push(ctx.tenant);
                match seen.len() {
                    1 => Err(ExecutorError::permanent("the first attempt fails")),
                    _ => Ok(()),
                }
            }
        })
    }

    fn take(&self) -> Vec<Option<TenantId>> {
        std::mem::take(&mut self.0.lock())
    }
}

async fn finish(host: &Host, id: &Value) -> RunStatus {
    let run = host.floret.run_by_id(id.as_str().unwrap().parse().unwrap());
    run.finished().await.unwrap().run.status
}

async fn a_node_knows_the_tenant_of_its_run_on_every_path(store: Store) {
    let mut world = World::quiet(store);
    world.clock = ManualClock::new("2024-01-15T06:30:00Z".parse().unwrap());
    let seen = Seen::default();
    let hourly = Pipeline::new("hourly")
        .node("read", "ledger")
        .schedule("0 * * * *");
    let build = |builder: Builder| {
        seen.register(builder)
            .pipeline(hourly.clone().tenant(acme()))
            .pipeline(Pipeline::new("own").node("read", "ledger"))
    };
    let host = world.start_with(build).await;
    let post = async |path: &str, body: Value| {
        let answer = ask(&host, Some(&acme()), (Method::POST, path), Some(&body)).await;
        assert!(answer.status.is_success(), "{path}: {answer:?}");
        answer.json()
    };
    post("/api/pipelines", ledger("posted")).await;
    let failed = post("/api/pipelines/posted/run", json!({})).await;
    assert_eq!(finish(&host, &failed["id"]).await, RunStatus::Failed);
    let resume = format!("/api/runs/{}/resume", failed["id"].as_str().unwrap());
    let resumed = post(&resume, json!({})).await;
    assert_eq!(finish(&host, &resumed["id"]).await, RunStatus::Success);
    let day = json!({"start_date": "2024-01-01", "end_date": "2024-01-01"});
    let backfilled = post("/api/pipelines/posted/backfill", day).await;
    assert_eq!(finish(&host, &backfilled[0]).await, RunStatus::Success);
    post("/api/pipelines/posted/dry-run", json!({})).await;
    assert_eq!(seen.take(), vec![Some(acme()); 4]);

    world.clock.sleeper_within(Duration::from_secs(60)).await;
    seen.0.lock().push(None);
    world.clock.advance(Duration::from_secs(30 * 60));
    host.wait_for_events(EventKind::RunCompleted, 3).await;
    assert_eq!(seen.take(), [None, Some(acme())]);

    seen.0.lock().push(None);
    let own = host.run("own").await;
    assert_eq!((own.run.tenant, seen.take()), (None, vec![None, None]));
}

/// Saves the pipeline `spy` of acme while the type is open, and returns the id of a failed run.
async fn save_and_fail(world: &World, seen: &Seen) -> String {
    let host = world.start_with(|builder| seen.register(builder)).await;
    let acme = acme();
    let save = (Method::POST, "/api/pipelines");
    let saved = ask(&host, Some(&acme), save, Some(&ledger("spy"))).await;
    assert_eq!(saved.status, 201, "{saved:?}");
    let run = host.run("spy").await.run;
    assert_eq!(run.status, RunStatus::Failed);
    assert_eq!(seen.take().len(), 1);
    host.stop().await;
    run.id.to_string()
}

async fn a_closed_node_type_is_refused_on_every_path(store: Store) {
    let world = World::new(store);
    let seen = Seen::default();
    let failed = save_and_fail(&world, &seen).await;
    let close = |builder| seen.register(builder).for_tenants("ledger", []);
    let host = world.start_with(close).await;
    let day = json!({"start_date": "2024-01-01", "end_date": "2024-01-01"});
    let mut preview = day.clone();
    preview["preview"] = json!(true);
    let resume = format!("/api/runs/{failed}/resume");
    let current = json!({"definition": "current"});
    let posts = [
        ("/api/pipelines", ledger("another")),
        ("/api/pipelines/spy/run", json!({})),
        ("/api/pipelines/spy/backfill", day),
        ("/api/pipelines/spy/backfill", preview),
        ("/api/pipelines/spy/dry-run", json!({})),
        (&resume, json!({})),
        (&resume, current),
    ];
    for (path, body) in posts {
        let answer = ask(&host, Some(&acme()), (Method::POST, path), Some(&body)).await;
        answer.assert_problem(422, "node-type-closed");
        let pointer = &answer.json()["errors"][0]["pointer"];
        assert_eq!(pointer, "/nodes/0/type", "{path}");
    }
    let replace = (Method::PUT, "/api/pipelines/spy");
    for tenant in [Some(acme()), None] {
        let answer = ask(
            &host,
            tenant.as_ref(),
            replace.clone(),
            Some(&ledger("spy")),
        )
        .await;
        answer.assert_problem(422, "node-type-closed");
    }
    let unscoped = ask(&host, None, (Method::POST, "/api/pipelines/spy/run"), None).await;
    unscoped.assert_problem(422, "node-type-closed");
    let validate = (Method::GET, "/api/pipelines/spy/validate");
    let report = ask(&host, Some(&acme()), validate, None).await.json();
    let error = report["errors"][0]["detail"].as_str().unwrap();
    assert!(error.contains("closed to the tenant acme"), "{error}");
    assert_eq!((seen.take().len(), host.runs().await.len()), (0, 1));
}

async fn a_run_that_exists_fails_at_a_node_of_a_closed_type(store: Store) {
    let mut world = World::quiet(store);
    world.clock = ManualClock::new("2024-01-15T06:30:00Z".parse().unwrap());
    let runs_max = std::mem::take(&mut world.limits.runs_max);
    let seen = Seen::default();
    let host = world.start_with(|builder| seen.register(builder)).await;
    let mut hourly = ledger("spy");
    hourly["schedule"] = json!("0 * * * *");
    let save = (Method::POST, "/api/pipelines");
    ask(&host, Some(&acme()), save, Some(&hourly)).await;
    let waiting = host.trigger("spy").await.id();
    host.stop().await;
    world.limits.runs_max = runs_max;
    let close = |builder| seen.register(builder).for_tenants("ledger", []);
    let host = world.start_with(close).await;
    let finished = host.floret.run_by_id(waiting).finished().await.unwrap();
    world.clock.sleeper_within(Duration::from_secs(60)).await;
    world.clock.advance(Duration::from_secs(30 * 60));
    host.wait_for_events(EventKind::RunFailed, 2).await;
    let tick = host.runs().await.remove(0);
    assert_eq!(tick.trigger, Trigger::Schedule);
    for run in [finished.run, tick] {
        assert_eq!(run.status, RunStatus::Failed);
        let error = run.error.unwrap();
        assert!(error.contains("closed to the tenant acme"), "{error}");
    }
    assert_eq!(seen.take().len(), 0);
}

async fn a_type_that_is_open_to_some_tenants_is_closed_to_the_others(store: Store) {
    let world = World::new(store);
    let seen = Seen::default();
    seen.0.lock().push(None);
    let build = |builder| {
        let own = Pipeline::new("own").with(Node::new("read", "ledger"));
        let builder = seen.register(builder).for_tenants("ledger", [acme()]);
        builder.pipeline(own)
    };
    let host = world.start_with(build).await;
    let other = TenantId::new("other").unwrap();
    let save = (Method::POST, "/api/pipelines");
    let refused = ask(&host, Some(&other), save.clone(), Some(&ledger("theirs"))).await;
    refused.assert_problem(422, "node-type-closed");
    let saved = ask(&host, Some(&acme()), save, Some(&ledger("ours"))).await;
    assert_eq!(saved.status, 201, "{saved:?}");
    for pipeline in ["ours", "own"] {
        let nodes: Vec<NodeRun> = host.run(pipeline).await.nodes;
        assert_eq!(nodes[0].error, None, "{pipeline}");
    }
    let capabilities = async |tenant: Option<&TenantId>| {
        let answer = ask(&host, tenant, (Method::GET, "/api/capabilities"), None).await;
        answer.json()["node_type_capabilities"].clone()
    };
    assert_eq!(capabilities(Some(&other)).await, json!({"step": []}));
    for sees_all in [None, Some(acme())] {
        let all = json!({"ledger": [], "step": []});
        assert_eq!(capabilities(sees_all.as_ref()).await, all);
    }
}

#[tokio::test]
async fn closing_a_type_that_is_not_registered_is_refused() {
    let started = floret::testing::memory().for_tenants("ledgr", []).start();
    let refused = started.await.unwrap_err();
    assert_eq!(refused.problem(), floret::Problem::NodeTypeUnknown);
    assert!(refused.to_string().contains("ledgr"), "{refused}");
}
