//! The engine purges by itself what the host's retention does not keep.

use std::time::Duration;

use floret::testing::{Fault, Method};
use floret::{Problem, Retention, RunId, RunStatus};

use crate::harness::{Host, Store, World, chain};

on_every_backend! {
    old_runs_are_purged_at_the_start_and_every_hour,
    the_last_runs_of_each_pipeline_stay,
    a_run_that_finished_within_a_day_stays,
    a_purge_that_fails_is_tried_again_at_the_next_turn,
    without_a_retention_every_run_stays,
}

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

fn world(store: Store) -> World {
    let mut world = World::new(store);
    // Turning the clock by days must not make anybody lose a claim.
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

async fn finished(host: &Host, pipeline: &str) -> RunId {
    let run = host.run(pipeline).await.run;
    assert_eq!(run.status, RunStatus::Success);
    run.id
}

async fn left(host: &Host) -> Vec<RunId> {
    host.runs().await.iter().map(|run| run.id).collect()
}

/// Ends once the engine has purged so often and sleeps again.
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
    let first = finished(&host, "p").await;
    world.clock.advance(DAY);
    purged_times(&world, &host, 2).await;
    let second = finished(&host, "q").await;
    world.clock.advance(6 * DAY);
    purged_times(&world, &host, 3).await;
    assert_eq!(
        left(&host).await,
        [second, first],
        "seven days are not over"
    );
    world.clock.advance(HOUR);
    purged_times(&world, &host, 4).await;
    assert_eq!(left(&host).await, [second]);
    host.stop().await;
    world.clock.advance(DAY);
    let host = start(&world, Retention::keep_days(7)).await;
    purged_times(&world, &host, 1).await;
    assert_eq!(left(&host).await, []);
    host.stop().await;
}

async fn the_last_runs_of_each_pipeline_stay(store: Store) {
    let world = world(store);
    let host = world.start().await;
    let mut runs = Vec::new();
    for pipeline in ["p", "p", "p", "q"] {
        runs.push(finished(&host, pipeline).await);
    }
    host.stop().await;
    world.clock.advance(30 * DAY);
    let host = start(&world, Retention::keep_days(7).keep_last(2)).await;
    purged_times(&world, &host, 1).await;
    assert_eq!(left(&host).await, [runs[3], runs[2], runs[1]]);
    host.stop().await;
}

async fn a_run_that_finished_within_a_day_stays(store: Store) {
    let world = world(store);
    let host = start(&world, Retention::keep_days(0).keep_last(1)).await;
    purged_times(&world, &host, 1).await;
    let runs = [finished(&host, "p").await, finished(&host, "p").await];
    world.clock.advance(DAY);
    purged_times(&world, &host, 2).await;
    assert_eq!(left(&host).await, [runs[1], runs[0]]);
    world.clock.advance(HOUR);
    purged_times(&world, &host, 3).await;
    assert_eq!(left(&host).await, [runs[1]]);
    host.stop().await;
}

async fn a_purge_that_fails_is_tried_again_at_the_next_turn(store: Store) {
    let world = world(store);
    let host = start(&world, Retention::keep_days(1)).await;
    purged_times(&world, &host, 1).await;
    finished(&host, "p").await;
    host.storage
        .fail(Fault::before(Method::Purge, Problem::StorageBusy));
    world.clock.advance(2 * DAY);
    purged_times(&world, &host, 2).await;
    assert_eq!(left(&host).await.len(), 1);
    host.storage.heal();
    world.clock.advance(HOUR);
    purged_times(&world, &host, 3).await;
    assert_eq!(left(&host).await, []);
    host.stop().await;
}

async fn without_a_retention_every_run_stays(store: Store) {
    let world = world(store);
    let host = world.start().await;
    let run = finished(&host, "p").await;
    host.stop().await;
    world.clock.advance(300 * DAY);
    let host = world.start().await;
    let newer = finished(&host, "p").await;
    assert_eq!(left(&host).await, [newer, run]);
    assert_eq!(host.storage.calls(Method::Purge), 0);
    host.stop().await;
}
