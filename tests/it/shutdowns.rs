//! Shutdown: a grace for what executes, the rest goes on at the next start.

use std::time::Duration;

use floret::storage::Runs;
use floret::testing::{FaultyStorage, Gate, Step};
use floret::{ErrorKind, Event, EventKind, Floret, NodeStatus, RunId, RunStatus, Scope};

use crate::harness::{STEP, Store, World, assert_ended, chain, node, until};

on_every_backend! {
    what_ends_within_the_grace_is_recorded_and_the_rest_goes_on_at_the_next_start,
    what_executes_after_the_grace_is_executed_again_at_the_next_start,
    a_shutdown_is_no_crash,
    shutting_down_twice_is_harmless,
    a_run_claimed_during_a_shutdown_starts_no_node,
    subscriptions_end_and_commands_are_refused,
    whoever_waits_for_a_run_that_does_not_end_is_told,
    a_dropped_floret_gives_its_runs_back,
    nothing_is_asked_or_spawned_before_the_start,
}

const GRACE: Duration = Duration::from_secs(10);

async fn what_ends_within_the_grace_is_recorded_and_the_rest_goes_on_at_the_next_start(
    store: Store,
) {
    let world = World::new(store).pipeline(chain("p", &["a", "b"]));
    let gate = Gate::new();
    world.script.script("a", [Step::pass_on().at(&gate)]);
    let host = world.start().await;
    let run = host.trigger("p").await.id();
    world.script.started("a").await;
    let stop = host.floret.shutdown(GRACE);
    let end = async {
        world.clock.sleeper_within(GRACE).await;
        gate.open();
    };
    let (stopped, ()) = tokio::join!(stop, end);
    stopped.unwrap();
    host.crash().await;
    assert_eq!(world.calls().get("b"), None);
    let host = world.start().await;
    let ended = host.floret.handle(run).finished().await.unwrap();
    let nodes = [("a", NodeStatus::Success), ("b", NodeStatus::Success)];
    assert_ended(&ended, RunStatus::Success, &nodes);
    assert_eq!(world.calls()["a"], 1);
}

async fn what_executes_after_the_grace_is_executed_again_at_the_next_start(store: Store) {
    let mut world = World::new(store).pipeline(chain("p", &["a", "b"]));
    world.limits.lease = Duration::from_secs(7_200);
    let gate = Gate::new();
    let deaf = Step::pass_on().at(&gate).ignores_cancel();
    world.script.script("a", [deaf, Step::pass_on()]);
    let host = world.start().await;
    let run = host.trigger("p").await.id();
    world.script.started("a").await;
    let stop = host.floret.shutdown(GRACE);
    let (stopped, left) = tokio::join!(stop, world.turn_within(GRACE));
    stopped.unwrap();
    assert_eq!(left, GRACE);
    host.crash().await;
    let host = world.start().await;
    let ended = host.floret.handle(run).finished().await.unwrap();
    assert_eq!(ended.run.status, RunStatus::Success);
    assert_eq!(node(&ended, "a").attempt, Some(1));
    assert_eq!(world.calls()["a"], 2);
}

async fn a_shutdown_is_no_crash(store: Store) {
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
    let ended = host.floret.handle(run).finished().await.unwrap();
    assert_eq!(ended.run.status, RunStatus::Success);
}

async fn shutting_down_twice_is_harmless(store: Store) {
    let world = World::new(store).pipeline(chain("p", &["a"]));
    let gate = Gate::new();
    world.script.script("a", [Step::pass_on().at(&gate)]);
    let host = world.start().await;
    let run = host.trigger("p").await;
    world.script.started("a").await;
    let end = async {
        world.clock.sleepers(4).await;
        gate.open();
    };
    let (one, two, ()) = tokio::join!(
        host.floret.shutdown(GRACE),
        host.floret.shutdown(GRACE),
        end
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
    let end = async {
        tokio::task::yield_now().await;
        gate.open();
    };
    let (stopped, ()) = tokio::join!(host.floret.shutdown(GRACE), end);
    stopped.unwrap();
    let id = run.id();
    drop(run);
    host.crash().await;
    assert!(world.script.calls().is_empty());
    let host = world.start().await;
    let ended = host.floret.handle(id).finished().await.unwrap();
    assert_eq!(ended.run.status, RunStatus::Success);
    assert_eq!(world.calls()["a"], 1);
}

async fn subscriptions_end_and_commands_are_refused(store: Store) {
    let world = World::new(store).pipeline(chain("p", &["a"]));
    let host = world.start().await;
    let ended = host.run("p").await;
    let mut events = host.floret.events_after(0);
    let slow = host.floret.events_after(0);
    let is_end = |event: &Event| event.kind == EventKind::RunCompleted;
    until(&mut events, is_end).await.unwrap();
    let ((), stopped) = tokio::join!(
        async { assert!(events.next().await.is_none()) },
        host.floret.shutdown(GRACE)
    );
    stopped.unwrap();
    for mut events in [events, slow, host.floret.events()] {
        until(&mut events, |_| false).await.unwrap();
        assert!(events.next().await.is_none());
    }
    let id = ended.run.id;
    let floret = &host.floret;
    for refused in [
        floret.run("p").start().await.map(drop),
        floret.cancel(id).await.map(drop),
        floret.force_cancel(id).await.map(drop),
        floret.resume(id).await.map(drop),
    ] {
        let refused = refused.unwrap_err();
        assert_eq!(
            (refused.kind(), refused.slug()),
            (ErrorKind::ShuttingDown, "shutting-down")
        );
    }
}

async fn whoever_waits_for_a_run_that_does_not_end_is_told(store: Store) {
    let world = World::new(store).pipeline(chain("p", &["a"]));
    let gate = Gate::new();
    world.script.script("a", [Step::pass_on().at(&gate)]);
    let host = world.start().await;
    let run = host.trigger("p").await;
    world.script.started("a").await;
    let (waited, stopped) = tokio::join!(run.finished(), host.floret.shutdown(Duration::ZERO));
    stopped.unwrap();
    assert_eq!(waited.unwrap_err().kind(), ErrorKind::ShuttingDown);
}

async fn is_running(storage: &FaultyStorage, run: RunId) -> bool {
    let found = storage.find_run(run, &Scope::All).await.unwrap();
    node(&found.unwrap(), "a").status == NodeStatus::Running
}

async fn a_dropped_floret_gives_its_runs_back(store: Store) {
    let world = World::new(store).pipeline(chain("p", &["a"]));
    let gate = Gate::new();
    world
        .script
        .script("a", [Step::pass_on().at(&gate), Step::pass_on()]);
    let host = world.start().await;
    let run = host.trigger("p").await;
    let id = run.id();
    world.script.started("a").await;
    host.until_events(EventKind::NodeStarted, 1).await;
    let mut events = host.floret.events();
    drop(run);
    let storage = host.storage.clone();
    let _runtime = host.let_go();
    until(&mut events, |_| false).await.unwrap();
    drop(events);
    // Its run is given back, without a lease that must run out first.
    while is_running(&storage, id).await {
        tokio::task::yield_now().await;
    }
    let next = world.start_on(storage, |builder| builder).await;
    let ended = next.floret.handle(id).finished().await.unwrap();
    assert_eq!(ended.run.status, RunStatus::Success);
    assert_eq!(world.calls()["a"], 2);
}

async fn nothing_is_asked_or_spawned_before_the_start(store: Store) {
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
