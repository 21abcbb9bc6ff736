//! Many schedules that fire at the same minute, on a slow disk.
//!
//! Single schedules are in `schedules`.

use std::time::Duration;

use floret::Trigger;
use floret::testing::{Gate, ManualClock, Method};

use crate::harness::{Store, World, chain, with_timeout};

const COUNT: usize = 5_000;

/// How long a commit takes.
const DISK: Duration = Duration::from_secs(5);

/// Longer than the sleep of the scheduler, and shorter than all other sleeps in a quiet world.
const CHECK: Duration = Duration::from_secs(60);

#[tokio::test]
async fn schedules_of_the_same_minute_share_commits_and_skip_no_tick() {
    with_timeout("the tick of 5,000 schedules", Box::pin(fire_together())).await;
}

async fn fire_together() {
    let mut world = World::quiet(Store::memory());
    world.clock = ManualClock::new("2024-01-15T06:59:30Z".parse().unwrap());
    world.limits.runs_max = 0;
    for n in 0..COUNT {
        world = world.pipeline(chain(&format!("p{n}"), &["a"]).schedule("0 7 * * *"));
    }
    let storage = world.store.open().await;
    let gates: Vec<_> = (0..COUNT).map(|_| Gate::new()).collect();
    for gate in &gates {
        storage.hold(Method::Advance, gate);
    }
    let host = world.start_on(storage.clone(), |builder| builder).await;
    world.clock.sleeper_within(CHECK).await;
    world.clock.advance(Duration::from_secs(30));
    let together = world.limits.ticks_parallel_max;
    let mut answered = 0;
    let mut commits: u32 = 0;
    while answered < COUNT {
        let next = (answered + together).min(COUNT);
        while storage.calls(Method::Advance) < next as u64 {
            tokio::task::yield_now().await;
        }
        world.clock.advance(DISK);
        gates[answered..next].iter().for_each(Gate::open);
        (answered, commits) = (next, commits + 1);
    }
    // The last ticks are decided long after the grace, and are on time all the same.
    assert!(DISK * commits > world.limits.tick_grace);
    while host.runs().await.len() < COUNT {
        tokio::task::yield_now().await;
    }
    let runs = host.runs().await;
    assert!(runs.iter().all(|run| run.trigger == Trigger::Schedule));
    let pipelines: std::collections::BTreeSet<_> =
        runs.iter().map(|run| run.pipeline_id.to_string()).collect();
    assert_eq!(pipelines.len(), COUNT);
}
