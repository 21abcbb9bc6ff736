//! Shutdown: executing nodes get a grace period, and runs continue at the next start.
//!
//! `recovery` and `crash_points` cover what a crash leaves behind.

use std::time::Duration;

use floret::storage::Runs;
use floret::testing::{FaultyStorage, Gate, Step};
use floret::{ErrorKind, Event, EventKind, Floret, NodeStatus, RunId, RunStatus, Scope};

use crate::harness::{STEP, Store, World, assert_statuses, chain, node, until};

on_every_backend! {
    a_node_that_finishes_within_the_grace_period_does_not_run_again,
    a_node_that_exceeds_the_grace_period_runs_again_at_the_next_start,
    a_shutdown_does_not_count_as_a_crash,
    shutting_down_twice_is_harmless,
    a_run_claimed_during_a_shutdown_starts_no_node,
    a_shutdown_ends_subscriptions_and_refuses_commands,
    waiting_for_an_unfinished_run_fails_at_a_shutdown,
    a_dropped_floret_releases_its_runs,
    a_builder_calls_no_storage_and_spawns_no_task_before_its_start,
}

const GRACE: Duration = Duration::from_secs(10);

async fn a_node_that_finishes_within_the_grace_period_does_not_run_again(store: Store) {
    let world = World::new(store).pipeline(chain("p", &["a", "b"]));
    let gate = Gate::new();
    world.script.script("a", [Step::pass_on().at(&gate)]);
    let host = world.start().await;
    let run = host.trigger("p").await.id();
    world.script.started("a").await;
    let stop = host.floret.shutdown(GRACE);
    let finish = async {
        world.clock.sleeper_within(GRACE).await;
        gate.open();
    };
    let (stopped, ()) = tokio::join!(stop, finish);
    stopped.unwrap();
    host.crash().await;
    assert_eq!(world.calls().get("b"), None);
    let host = world.start().await;
    let finished = host.floret.run_by_id(run).finished().await.unwrap();
    let nodes = [("a", NodeStatus::Success), ("b", NodeStatus::Success)];
    assert_statuses(&finished, RunStatus::Success, &nodes);
    assert_eq!(world.calls()["a"], 1);
}

async fn a_node_that_exceeds_the_grace_period_runs_again_at_the_next_start(store: Store) {
    let mut world = World::new(store).pipeline(chain("p", &["a", "b"]));
    world.limits.lease = Duration::from_secs(7_200);
    let gate = Gate::new();
    let ignoring = Step::pass_on().at(&gate).ignores_cancel();
    world.script.script("a", [ignoring, Step::pass_on()]);
    let host = world.start().await;
    let run = host.trigger("p").await.id();
    world.script.started("a").await;
    let stop = host.floret.shutdown(GRACE);
    let (stopped, waited) = tokio::join!(stop, world.advance_within(GRACE));
    stopped.unwrap();
    assert_eq!(waited, GRACE);
    host.crash().await;
    let host = world.start().await;
    let finished = host.floret.run_by_id(run).finished().await.unwrap();
    assert_eq!(finished.run.status, RunStatus::Success);
    assert_eq!(node(&finished, "a").attempt, Some(1));
    assert_eq!(world.calls()["a"], 2);
}

async fn a_shutdown_does_not_count_as_a_crash(store: Store) {
    let world = World::new(store).pipeline(chain("p", &["a"]));
    let gate = Gate::new();
    world.script.script("a", [Step::pass_on().at(&gate)]);
    let mut host = world.start().await;
    let run = host.trigger("p").await.id();
    for round in 1..=5 {
        world.script.started_times("a", round).await;
        host.stop().await;
        host = world.start().await;
    }
    gate.open();
    let finished = host.floret.run_by_id(run).finished().await.unwrap();
    assert_eq!(finished.run.status, RunStatus::Success);
}

async fn shutting_down_twice_is_harmless(store: Store) {
    let world = World::new(store).pipeline(chain("p", &["a"]));
    let gate = Gate::new();
    world.script.script("a", [Step::pass_on().at(&gate)]);
    let host = world.start().await;
    let run = host.trigger("p").await;
    world.script.started("a").await;
    let finish = async {
        world.clock.sleepers(4).await;
        gate.open();
    };
    let (one, two, ()) = tokio::join!(
        host.floret.shutdown(GRACE),
        host.floret.shutdown(GRACE),
        finish
    );
    one.unwrap();
    two.unwrap();
    host.floret.shutdown(GRACE).await.unwrap();
    assert_eq!(world.calls()["a"], 1);
    assert_eq!(world.script.calls_of("a")[0].run_id, run.id());
}

async fn a_run_claimed_during_a_shutdown_starts_no_node(store: Store) {
    let mut world = World::new(store).pipeline(chain("p", &["a"]));
    let gate = Gate::new();
    let (host, run) = world.hold_claim("p", &gate).await;
    let finish = async {
        tokio::task::yield_now().await;
        gate.open();
    };
    let (stopped, ()) = tokio::join!(host.floret.shutdown(GRACE), finish);
    stopped.unwrap();
    let id = run.id();
    drop(run);
    host.crash().await;
    assert!(world.script.calls().is_empty());
    let host = world.start().await;
    let finished = host.floret.run_by_id(id).finished().await.unwrap();
    assert_eq!(finished.run.status, RunStatus::Success);
    assert_eq!(world.calls()["a"], 1);
}

async fn a_shutdown_ends_subscriptions_and_refuses_commands(store: Store) {
    let world = World::new(store).pipeline(chain("p", &["a"]));
    let host = world.start().await;
    let finished = host.run("p").await;
    let mut events = host.floret.events_after(0);
    let slow = host.floret.events_after(0);
    let is_completed = |event: &Event| event.kind == EventKind::RunCompleted;
    until(&mut events, is_completed).await.unwrap();
    let ((), stopped) = tokio::join!(
        async { assert!(events.next().await.is_none()) },
        host.floret.shutdown(GRACE)
    );
    stopped.unwrap();
    for mut events in [events, slow, host.floret.events()] {
        until(&mut events, |_| false).await.unwrap();
        assert!(events.next().await.is_none());
    }
    let id = finished.run.id;
    let floret = &host.floret;
    for refused in [
        floret.run("p").start().await.map(drop),
        floret.run_by_id(id).cancel().await.map(drop),
        floret.run_by_id(id).cancel().force().await.map(drop),
        floret.run_by_id(id).resume().await.map(drop),
    ] {
        let refused = refused.unwrap_err();
        assert_eq!(
            (refused.kind(), refused.slug()),
            (ErrorKind::ShuttingDown, "shutting-down")
        );
    }
}

async fn waiting_for_an_unfinished_run_fails_at_a_shutdown(store: Store) {
    let world = World::new(store).pipeline(chain("p", &["a"]));
    let gate = Gate::new();
    world.script.script("a", [Step::pass_on().at(&gate)]);
    let host = world.start().await;
    let run = host.trigger("p").await;
    world.script.started("a").await;
    let (outcome, stopped) = tokio::join!(run.finished(), host.floret.shutdown(Duration::ZERO));
    stopped.unwrap();
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::ShuttingDown);
}

async fn is_running(storage: &FaultyStorage, run: RunId) -> bool {
    let found = storage.find_run(run, &Scope::All).await.unwrap();
    node(&found.unwrap(), "a").status == NodeStatus::Running
}

async fn a_dropped_floret_releases_its_runs(store: Store) {
    let world = World::new(store).pipeline(chain("p", &["a"]));
    let gate = Gate::new();
    world
        .script
        .script("a", [Step::pass_on().at(&gate), Step::pass_on()]);
    let host = world.start().await;
    let run = host.trigger("p").await;
    let id = run.id();
    world.script.started("a").await;
    host.wait_for_events(EventKind::NodeStarted, 1).await;
    let mut events = host.floret.events();
    drop(run);
    let storage = host.storage.clone();
    let _runtime = host.drop_floret();
    until(&mut events, |_| false).await.unwrap();
    drop(events);
    // The run is released at once, so no lease has to expire first.
    while is_running(&storage, id).await {
        tokio::task::yield_now().await;
    }
    let next = world.start_on(storage, |builder| builder).await;
    let finished = next.floret.run_by_id(id).finished().await.unwrap();
    assert_eq!(finished.run.status, RunStatus::Success);
    assert_eq!(world.calls()["a"], 2);
}

async fn a_builder_calls_no_storage_and_spawns_no_task_before_its_start(store: Store) {
    let world = World::new(store);
    let storage = world.store.open().await;
    let builder = Floret::builder(storage.clone())
        .executor(STEP, world.script.clone())
        .pipeline(chain("p", &["a"]));
    assert_eq!(storage.total_calls(), 0);
    let metrics = tokio::runtime::Handle::current().metrics();
    assert_eq!(metrics.num_alive_tasks(), 0);
    drop(builder);
}
