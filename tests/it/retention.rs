//! Retention: the engine purges old runs without a request.
//!
//! The storage contract states what a purge deletes.

use std::time::Duration;

use floret::testing::{Fault, Method};
use floret::{Problem, Retention, RunId, RunStatus};

use crate::harness::{Host, Store, World, chain};

on_every_backend! {
    old_runs_are_purged_at_the_start_and_every_hour,
    the_newest_runs_of_each_pipeline_are_retained,
    a_run_is_retained_for_a_day_after_it_finished,
    a_failed_purge_is_retried_an_hour_later,
    without_retention_every_run_is_retained,
    the_audit_is_trimmed_at_the_start_and_every_hour,
    the_audit_is_kept_for_90_days_by_default,
}

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

fn world(store: Store) -> World {
    let mut world = World::new(store);
    world.limits.retention_pause = HOUR;
    // No lease may expire while the clock advances by days.
    world.limits.lease = 400 * DAY;
    world
        .pipeline(chain("p", &["a"]))
        .pipeline(chain("q", &["b"]))
}

async fn start(world: &World, retention: Retention) -> Host {
    world
        .start_with(|builder| builder.retention(retention))
        .await
}

async fn successful_run(host: &Host, pipeline: &str) -> RunId {
    let run = host.run(pipeline).await.run;
    assert_eq!(run.status, RunStatus::Success);
    run.id
}

async fn remaining(host: &Host) -> Vec<RunId> {
    host.runs().await.iter().map(|run| run.id).collect()
}

/// Waits until the engine has purged `times` times and sleeps again.
async fn purged_times(world: &World, host: &Host, times: u64) {
    while host.storage.calls(Method::Purge) < times {
        tokio::task::yield_now().await;
    }
    world.clock.sleeper_within(HOUR).await;
}

async fn old_runs_are_purged_at_the_start_and_every_hour(store: Store) {
    let world = world(store);
    let host = start(&world, Retention::keep_days(7)).await;
    purged_times(&world, &host, 1).await;
    let first = successful_run(&host, "p").await;
    world.clock.advance(DAY);
    purged_times(&world, &host, 2).await;
    let second = successful_run(&host, "q").await;
    world.clock.advance(6 * DAY);
    purged_times(&world, &host, 3).await;
    assert_eq!(
        remaining(&host).await,
        [second, first],
        "seven days have not passed"
    );
    world.clock.advance(HOUR);
    purged_times(&world, &host, 4).await;
    assert_eq!(remaining(&host).await, [second]);
    host.stop().await;
    world.clock.advance(DAY);
    let host = start(&world, Retention::keep_days(7)).await;
    purged_times(&world, &host, 1).await;
    assert_eq!(remaining(&host).await, []);
    host.stop().await;
}

async fn the_newest_runs_of_each_pipeline_are_retained(store: Store) {
    let world = world(store);
    let host = world.start().await;
    let mut runs = Vec::new();
    for pipeline in ["p", "p", "p", "q"] {
        runs.push(successful_run(&host, pipeline).await);
    }
    host.stop().await;
    world.clock.advance(30 * DAY);
    let host = start(&world, Retention::keep_days(7).keep_last(2)).await;
    purged_times(&world, &host, 1).await;
    assert_eq!(remaining(&host).await, [runs[3], runs[2], runs[1]]);
    host.stop().await;
}

async fn a_run_is_retained_for_a_day_after_it_finished(store: Store) {
    let world = world(store);
    let host = start(&world, Retention::keep_days(0).keep_last(1)).await;
    purged_times(&world, &host, 1).await;
    let runs = [
        successful_run(&host, "p").await,
        successful_run(&host, "p").await,
    ];
    world.clock.advance(DAY);
    purged_times(&world, &host, 2).await;
    assert_eq!(remaining(&host).await, [runs[1], runs[0]]);
    world.clock.advance(HOUR);
    purged_times(&world, &host, 3).await;
    assert_eq!(remaining(&host).await, [runs[1]]);
    host.stop().await;
}

async fn a_failed_purge_is_retried_an_hour_later(store: Store) {
    let world = world(store);
    let host = start(&world, Retention::keep_days(1)).await;
    purged_times(&world, &host, 1).await;
    successful_run(&host, "p").await;
    host.storage
        .fail(Fault::before(Method::Purge, Problem::StorageBusy));
    world.clock.advance(2 * DAY);
    purged_times(&world, &host, 2).await;
    assert_eq!(remaining(&host).await.len(), 1);
    host.storage.heal();
    world.clock.advance(HOUR);
    purged_times(&world, &host, 3).await;
    assert_eq!(remaining(&host).await, []);
    host.stop().await;
}

async fn without_retention_every_run_is_retained(store: Store) {
    let world = world(store);
    let host = world.start().await;
    let run = successful_run(&host, "p").await;
    host.stop().await;
    world.clock.advance(300 * DAY);
    let host = world.start().await;
    let newer = successful_run(&host, "p").await;
    assert_eq!(remaining(&host).await, [newer, run]);
    assert_eq!(host.storage.calls(Method::Purge), 0);
    host.stop().await;
}

/// Waits until the engine has trimmed the audit `times` times and sleeps again.
async fn trimmed_times(world: &World, host: &Host, times: u64) {
    while host.storage.calls(Method::TrimAudit) < times {
        tokio::task::yield_now().await;
    }
    world.clock.sleeper_within(HOUR).await;
}

async fn audit_count(host: &Host) -> usize {
    host.floret.audit().await.unwrap().items.len()
}

async fn the_audit_is_trimmed_at_the_start_and_every_hour(store: Store) {
    let world = world(store);
    let host = start(&world, Retention::keep_all().audit(2)).await;
    trimmed_times(&world, &host, 1).await;
    host.floret.pipelines().pause("p").await.unwrap();
    world.clock.advance(2 * DAY);
    trimmed_times(&world, &host, 2).await;
    assert_eq!(audit_count(&host).await, 1, "two days have not passed");
    host.floret.pipelines().unpause("p").await.unwrap();
    world.clock.advance(HOUR);
    trimmed_times(&world, &host, 3).await;
    assert_eq!(audit_count(&host).await, 1);
    host.stop().await;
    world.clock.advance(3 * DAY);
    let host = start(&world, Retention::keep_all().audit(0)).await;
    trimmed_times(&world, &host, 1).await;
    assert_eq!(audit_count(&host).await, 0);
    host.stop().await;
}

async fn the_audit_is_kept_for_90_days_by_default(store: Store) {
    let world = world(store);
    let host = world.start().await;
    trimmed_times(&world, &host, 1).await;
    host.floret.pipelines().pause("p").await.unwrap();
    world.clock.advance(90 * DAY);
    trimmed_times(&world, &host, 2).await;
    assert_eq!(audit_count(&host).await, 1);
    world.clock.advance(HOUR);
    trimmed_times(&world, &host, 3).await;
    assert_eq!(audit_count(&host).await, 0);
    host.stop().await;
}
