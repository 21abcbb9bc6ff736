//! What happens to a new run while its concurrency key is taken: it is skipped.
//!
//! `concurrency` tests the runs that wait for their key, `replaced_runs` those that others replace.

use std::time::Duration;

use floret::storage::Dependencies as _;
use floret::testing::{Gate, ManualClock, Step};
use floret::{
    Access, Concurrency, DependencyRule, EventKind, OnConflict, Pipeline, Problem, RunHandle,
    RunStatus, Trigger,
};
use http::Method;
use serde_json::{Value, json};

use crate::harness::{Host, Store, World, chain};
use crate::wire::{TestResponse, request, send, with_key};

on_every_backend! {
    a_caller_gets_no_run_while_its_key_is_taken,
    a_backfill_leaves_out_the_dates_whose_key_is_taken,
    a_tick_and_an_end_create_no_run_while_their_key_is_taken,
}

/// Returns a pipeline whose runs are skipped while one of the same customer is unfinished.
fn skipping() -> Pipeline {
    let by_customer = Concurrency::new("${param.customer}").on_conflict(OnConflict::Skip);
    let pipeline = chain("p", &["a"]).param("customer", "acme");
    pipeline.concurrency(by_customer)
}

async fn call(host: &Host, path: &str, body: Option<Value>) -> TestResponse {
    let service = host.floret.service(Access::allow_all());
    let method = body.as_ref().map_or(Method::GET, |_| Method::POST);
    send(&service, request(method, path, body.as_ref())).await
}

/// Starts a run that waits at the gate in its node.
async fn start_at(world: &World, host: &Host) -> RunHandle {
    let run = host.trigger("p").await;
    world.script.started("a").await;
    run
}

async fn a_caller_gets_no_run_while_its_key_is_taken(store: Store) {
    let world = World::quiet(store).pipeline(skipping());
    let gate = Gate::new();
    let steps = [
        Step::permanent("broken"),
        Step::nothing().at(&gate),
        Step::nothing(),
        Step::nothing(),
    ];
    world.script.script("a", steps);
    let host = world.start().await;
    let failed = host.run("p").await.run.id;
    let service = host.floret.service(Access::allow_all());
    let keyed = || send(&service, with_key("/api/pipelines/p/run", "k", None));
    let first = keyed().await;
    assert_eq!(first.status, 202, "{first:?}");
    let id = first.json()["id"].as_str().unwrap().to_owned();
    world.script.started_times("a", 2).await;
    for path in [
        "/api/pipelines/p/run".to_owned(),
        format!("/api/runs/{failed}/resume"),
        format!("/api/runs/{failed}/rerun"),
    ] {
        let refused = call(&host, &path, Some(json!({}))).await;
        assert_eq!(refused.status, 409, "{path}");
        let problem = refused.json();
        assert_eq!(problem["type"], "urn:floret:problem:concurrency-key-taken");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(&id) && detail.contains("acme"), "{detail}");
    }
    let refused = host.floret.run("p").await.unwrap_err();
    assert_eq!(refused.problem(), Problem::ConcurrencyKeyTaken);
    let many = json!({"run_ids": [failed]});
    let rerun = call(&host, "/api/runs/rerun", Some(many)).await.json();
    assert_eq!(rerun["skipped"][0]["reason"], "concurrency-key-taken");
    let repeated = keyed().await;
    assert_eq!(
        repeated.json()["id"],
        json!(id),
        "a repeat gets the first run"
    );
    let other = host.floret.run("p").param("customer", "umbrella");
    let other = other.await.unwrap().finished().await.unwrap();
    assert_eq!(other.run.status, RunStatus::Success);
    gate.open();
    let first = host.floret.run_by_id(id.parse().unwrap());
    first.finished().await.unwrap();
    assert_eq!(host.run("p").await.run.status, RunStatus::Success);
    assert_eq!(host.runs().await.len(), 4);
}

async fn a_backfill_leaves_out_the_dates_whose_key_is_taken(store: Store) {
    let world = World::quiet(store).pipeline(skipping());
    let host = world.start().await;
    let days = |preview: bool| json!({"start_date": "2024-01-01", "end_date": "2024-01-03", "preview": preview});
    let path = "/api/pipelines/p/backfill";
    let preview = call(&host, path, Some(days(true))).await.json();
    assert_eq!(
        (&preview["dates"], &preview["skipped"]),
        (&json!(["2024-01-01"]), &json!(["2024-01-02", "2024-01-03"]))
    );
    let started = call(&host, path, Some(days(false))).await;
    assert_eq!(started.status, 202, "{started:?}");
    assert_eq!(started.json().as_array().unwrap().len(), 1);
    host.wait_for_events(EventKind::RunCompleted, 1).await;
    let run = host.runs().await.remove(0);
    assert_eq!(run.date.to_string(), "2024-01-01");
}

async fn a_tick_and_an_end_create_no_run_while_their_key_is_taken(store: Store) {
    let started = skipping()
        .schedule("0 * * * *")
        .dependency(DependencyRule::any("up"));
    let mut world = World::quiet(store)
        .pipeline(started)
        .pipeline(chain("up", &["b"]));
    world.clock = ManualClock::new("2024-01-15T06:30:00Z".parse().unwrap());
    let gate = Gate::new();
    world
        .script
        .script("a", [Step::nothing().at(&gate), Step::nothing()]);
    let host = world.start().await;
    let first = start_at(&world, &host).await;
    assert_eq!(host.run("up").await.run.status, RunStatus::Success);
    // The end of that run is answered without a run.
    while !host.storage.waiting_ends().await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    // The tick of seven o'clock. The scheduler sleeps for at most a minute.
    world.clock.sleeper_within(Duration::from_secs(60)).await;
    world.clock.advance(Duration::from_secs(1_800));
    world.clock.sleeper_within(Duration::from_secs(60)).await;
    let status = call(&host, "/api/scheduler/status", None).await.json();
    assert_eq!(status[0]["skipped_reason"], "concurrency_key", "{status}");
    gate.open();
    first.finished().await.unwrap();
    // The end of the next run of the upstream starts one.
    host.run("up").await;
    host.wait_for_events(EventKind::RunCompleted, 4).await;
    let runs = host.runs().await;
    let of_p = runs
        .iter()
        .rev()
        .filter(|run| run.pipeline_id.as_str() == "p");
    let triggers: Vec<_> = of_p.map(|run| run.trigger).collect();
    assert_eq!(triggers, [Trigger::Manual, Trigger::Dependency]);
}
