//! `enabled` and deploys: what an operator has disabled stays disabled when the host starts again,
//! and a pipeline that the code no longer has does not fire where the host asks for it.
//!
//! The rule for `enabled` is left to the contract, ticks to `schedules`.

use std::time::Duration;

use floret::testing::ManualClock;
use floret::{Access, Builder, EventKind, Pipeline, RunStatus};
use http::Method;
use serde_json::{Value, json};

use crate::harness::{Host, Store, World, chain};
use crate::wire::{request, send};

on_every_backend! {
    what_is_disabled_stays_so_after_a_deploy,
    a_pipeline_that_the_code_no_longer_has_is_not_scheduled,
    without_schedules_a_host_executes_what_it_is_asked_for,
}

fn world(store: Store) -> World {
    let mut world = World::quiet(store);
    world.clock = ManualClock::new("2024-01-15T06:30:00Z".parse().unwrap());
    world
}

fn hourly(id: &str) -> Pipeline {
    chain(id, &["a"]).schedule("0 * * * *")
}

async fn get(host: &Host, path: &str) -> Value {
    let service = host.floret.service(Access::allow_all());
    send(&service, request(Method::GET, path, None))
        .await
        .json()
}

/// Sets `enabled` of a pipeline as an operator does: reads the definition and sends it back.
async fn set_enabled(host: &Host, id: &str, enabled: bool) {
    let path = format!("/api/pipelines/{id}");
    let mut definition = get(host, &path).await;
    definition["enabled"] = json!(enabled);
    let service = host.floret.service(Access::allow_all());
    let answer = send(&service, request(Method::PUT, &path, Some(&definition))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// Advances the clock to the next full hour, whose ticks the scheduler handles.
async fn reach_the_hour(world: &World) {
    let check = Duration::from_secs(60);
    world.clock.sleeper_within(check).await;
    world.clock.advance(Duration::from_secs(30 * 60));
    world.clock.sleeper_within(check).await;
}

async fn what_is_disabled_stays_so_after_a_deploy(store: Store) {
    let world = world(store)
        .pipeline(hourly("paused"))
        .pipeline(hourly("fires"));
    let host = world.start().await;
    set_enabled(&host, "paused", false).await;
    host.stop().await;
    let mut deployed = world;
    deployed.pipelines = vec![
        hourly("paused").param("region", "eu"),
        hourly("fires").param("region", "eu"),
    ];
    let host = deployed.start().await;
    let paused = get(&host, "/api/pipelines/paused").await;
    assert_eq!(paused["enabled"], false);
    assert_eq!(paused["params"]["region"], "eu", "the rest is replaced");
    reach_the_hour(&deployed).await;
    host.wait_for_events(EventKind::RunCompleted, 1).await;
    let runs = host.runs().await;
    let pipelines: Vec<_> = runs.iter().map(|run| run.pipeline_id.as_str()).collect();
    assert_eq!(pipelines, ["fires"]);
    set_enabled(&host, "paused", true).await;
    host.stop().await;
    let host = deployed.start().await;
    let paused = get(&host, "/api/pipelines/paused").await;
    assert_eq!(paused["enabled"], true);
}

async fn a_pipeline_that_the_code_no_longer_has_is_not_scheduled(store: Store) {
    let world = world(store)
        .pipeline(hourly("stays"))
        .pipeline(hourly("removed"));
    world.start().await.stop().await;
    let mut deployed = world;
    deployed.pipelines = vec![hourly("stays")];
    let host = deployed.start_with(Builder::only_these_pipelines).await;
    reach_the_hour(&deployed).await;
    host.wait_for_events(EventKind::RunCompleted, 1).await;
    let runs = host.runs().await;
    let pipelines: Vec<_> = runs.iter().map(|run| run.pipeline_id.as_str()).collect();
    assert_eq!(pipelines, ["stays"]);
    let status = get(&host, "/api/scheduler/status").await;
    let shown = status.as_array().unwrap().iter();
    let shown: Vec<_> = shown
        .map(|row| {
            (
                &row["pipeline_id"],
                &row["enabled"],
                row.get("next_run").is_some(),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            (&json!("removed"), &json!(false), false),
            (&json!("stays"), &json!(true), true)
        ]
    );
    assert_eq!(host.run("removed").await.run.status, RunStatus::Success);
    host.stop().await;
    deployed.clock.advance(Duration::from_secs(30 * 60));
    let host = deployed.start().await;
    reach_the_hour(&deployed).await;
    host.wait_for_events(EventKind::RunCompleted, 4).await;
    assert_eq!(host.runs().await.len(), 4, "without the request both fire");
}

async fn without_schedules_a_host_executes_what_it_is_asked_for(store: Store) {
    let world = world(store)
        .pipeline(hourly("one"))
        .pipeline(hourly("other"));
    let host = world.start_with(Builder::no_schedules).await;
    world.clock.advance(Duration::from_secs(60 * 60));
    let status = get(&host, "/api/scheduler/status").await;
    for row in status.as_array().unwrap() {
        assert_eq!(
            (&row["enabled"], row.get("next_run")),
            (&json!(false), None)
        );
    }
    assert_eq!(host.run("one").await.run.status, RunStatus::Success);
    let runs = host.runs().await;
    assert_eq!(runs.len(), 1, "{runs:?}");
    host.stop().await;
    let host = world.start().await;
    reach_the_hour(&world).await;
    host.wait_for_events(EventKind::RunCompleted, 3).await;
    assert_eq!(host.runs().await.len(), 3, "both fire again");
}
