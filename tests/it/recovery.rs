//! Recovery: what a crash leaves behind goes on where it stood, and what crashes the process is
//! given up.

use std::time::Duration;

use floret::testing::{Gate, Step};
use floret::{EventKind, NodeStatus, Pipeline, RunStatus};
use serde_json::json;

use crate::harness::{Store, World, assert_statuses, chain, kinds, lines, node, step};

on_every_backend! {
    a_node_in_flight_is_executed_again_and_a_finished_one_is_not,
    executing_again_after_a_crash_uses_up_no_retry,
    a_crash_between_attempts_goes_on_with_the_next_one,
    a_run_that_was_cancelled_before_the_crash_starts_nothing_after_it,
    a_waiting_run_starts_after_the_crash,
    an_output_too_large_to_keep_is_made_again_without_a_second_end,
    a_run_that_makes_progress_between_crashes_is_never_poisoned,
    the_run_that_crashes_its_host_three_times_is_poisoned_and_no_other,
    a_wish_to_cancel_ends_a_poisoned_run_cancelled,
}

async fn a_node_in_flight_is_executed_again_and_a_finished_one_is_not(store: Store) {
    let world = World::new(store).pipeline(chain("p", &["a", "b", "c"]));
    let gate = Gate::new();
    world.script.script("a", [Step::rows([json!({"x": 1})])]);
    world
        .script
        .script("b", [Step::pass_on().at(&gate), Step::pass_on()]);
    let host = world.start().await;
    let run = host.trigger("p").await.id();
    world.script.started("b").await;
    host.crash().await;
    world.expire_leases();
    let host = world.start().await;
    let ended = host.floret.handle(run).finished().await.unwrap();
    let nodes = ["a", "b", "c"].map(|node| (node, NodeStatus::Success));
    assert_statuses(&ended, RunStatus::Success, &nodes);
    let calls = world.script.calls_of("b");
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0], calls[1], "run, node, attempt, key and rows");
    assert_eq!(calls[0].attempt, 1);
    assert_eq!(world.calls()["a"], 1);
    let kinds = kinds(&host.events_of(run).await);
    let started = kinds.iter().filter(|kind| **kind == EventKind::RunStarted);
    assert_eq!(started.count(), 1);
}

async fn executing_again_after_a_crash_uses_up_no_retry(store: Store) {
    let mut world =
        World::new(store).pipeline(Pipeline::new("p").with(step("a").config("max_retries", 1)));
    world.limits.lease = Duration::from_secs(7_200);
    let gate = Gate::new();
    let fails = || Step::retryable("not yet");
    world
        .script
        .script("a", [fails(), fails().at(&gate), fails()]);
    let host = world.start().await;
    let run = host.trigger("p").await.id();
    world.advance_within(Duration::from_secs(2)).await;
    world.script.started_times("a", 2).await;
    host.wait_for_events(EventKind::NodeStarted, 2).await;
    host.crash().await;
    world.expire_leases();
    let host = world.start().await;
    let ended = host.floret.handle(run).finished().await.unwrap();
    assert_statuses(&ended, RunStatus::Failed, &[("a", NodeStatus::Failed)]);
    let attempts: Vec<_> = world
        .script
        .calls_of("a")
        .iter()
        .map(|call| call.attempt)
        .collect();
    assert_eq!(attempts, [1, 2, 2]);
}

async fn a_crash_between_attempts_goes_on_with_the_next_one(store: Store) {
    let world =
        World::new(store).pipeline(Pipeline::new("p").with(step("a").config("max_retries", 1)));
    world.script.script("a", [Step::retryable("not yet")]);
    let host = world.start().await;
    let run = host.trigger("p").await.id();
    host.wait_for_events(EventKind::NodeRetrying, 1).await;
    host.crash().await;
    world.expire_leases();
    let host = world.start().await;
    let ended = host.floret.handle(run).finished().await.unwrap();
    assert_statuses(&ended, RunStatus::Failed, &[("a", NodeStatus::Failed)]);
    let calls = world.script.calls_of("a");
    let attempts: Vec<_> = calls.iter().map(|call| call.attempt).collect();
    assert_eq!(attempts, [1, 2]);
    assert_eq!(node(&ended, "a").attempt, Some(2));
    assert_eq!(calls[0].attempt_key, calls[1].attempt_key);
}

async fn a_run_that_was_cancelled_before_the_crash_starts_nothing_after_it(store: Store) {
    let world = World::new(store).pipeline(chain("p", &["a", "b", "c"]));
    let gate = Gate::new();
    world.script.script("b", [Step::pass_on().at(&gate)]);
    let host = world.start().await;
    let run = host.trigger("p").await.id();
    world.script.started("b").await;
    let answer = host.floret.cancel(run).await.unwrap();
    assert_eq!(answer, RunStatus::Running);
    host.crash().await;
    world.expire_leases();
    let host = world.start().await;
    let ended = host.floret.handle(run).finished().await.unwrap();
    let nodes = [
        ("a", NodeStatus::Success),
        ("b", NodeStatus::Cancelled),
        ("c", NodeStatus::Cancelled),
    ];
    assert_statuses(&ended, RunStatus::Cancelled, &nodes);
    assert_eq!(world.script.calls().len(), 2);
}

async fn a_waiting_run_starts_after_the_crash(store: Store) {
    let mut world = World::new(store).pipeline(chain("p", &["a"]));
    world.limits.runs_max = 0;
    let host = world.start().await;
    let run = host.trigger("p").await.id();
    host.crash().await;
    world.limits.runs_max = 1;
    let host = world.start().await;
    let ended = host.floret.handle(run).finished().await.unwrap();
    assert_eq!(ended.run.status, RunStatus::Success);
}

async fn an_output_too_large_to_keep_is_made_again_without_a_second_end(store: Store) {
    let mut world = World::new(store).pipeline(chain("p", &["a", "b"]));
    world.limits.output_bytes_max = 16;
    let gate = Gate::new();
    world.script.script("a", [Step::rows([json!({"x": 1})])]);
    world
        .script
        .script("b", [Step::pass_on().at(&gate), Step::pass_on()]);
    let host = world.start().await;
    let run = host.trigger("p").await.id();
    world.script.started("b").await;
    host.crash().await;
    world.expire_leases();
    let host = world.start().await;
    let ended = host.floret.handle(run).finished().await.unwrap();
    let nodes = ["a", "b"].map(|node| (node, NodeStatus::Success));
    assert_statuses(&ended, RunStatus::Success, &nodes);
    assert_eq!((world.calls()["a"], world.calls()["b"]), (2, 2));
    let calls = world.script.calls_of("b");
    assert_eq!(calls[0].inputs, calls[1].inputs);
    let events = host.events_of(run).await;
    assert!(
        lines(&events)[0].contains("too large to keep"),
        "{events:?}"
    );
    let of_a = events
        .iter()
        .filter(|event| event.node_id.as_ref().is_some_and(|id| id.as_str() == "a"));
    let of_a: Vec<_> = of_a.map(|event| event.kind).collect();
    assert_eq!(
        of_a,
        [
            EventKind::NodeStarted,
            EventKind::NodeCompleted,
            EventKind::Log
        ]
    );
}

async fn a_run_that_makes_progress_between_crashes_is_never_poisoned(store: Store) {
    let names = ["a", "b", "c", "d", "e", "f"];
    let world = World::new(store).pipeline(chain("p", &names));
    let gate = Gate::new();
    for name in names {
        let steps = [Step::pass_on().at(&gate), Step::pass_on()];
        world.script.script(name, steps);
    }
    let mut host = world.start().await;
    let run = host.trigger("p").await.id();
    for name in names {
        world.script.started(name).await;
        host.crash().await;
        world.expire_leases();
        host = world.start().await;
    }
    let ended = host.floret.handle(run).finished().await.unwrap();
    let nodes = names.map(|node| (node, NodeStatus::Success));
    assert_statuses(&ended, RunStatus::Success, &nodes);
    assert!(world.calls().values().all(|count| *count == 2));
}

async fn the_run_that_crashes_its_host_three_times_is_poisoned_and_no_other(store: Store) {
    let mut world = World::new(store)
        .pipeline(chain("slow", &["wait"]))
        .pipeline(chain("poison", &["kill"]));
    world.limits.runs_max = 8;
    let (closed, never) = (Gate::new(), Gate::new());
    world.script.script("wait", [Step::pass_on().at(&closed)]);
    world.script.script("kill", [Step::pass_on().at(&never)]);
    let host = world.start().await;
    let mut slow = Vec::new();
    for _ in 0..4 {
        slow.push(host.trigger("slow").await.id());
    }
    let poison = host.trigger("poison").await.id();
    for _ in 0..3 {
        slow.push(host.trigger("slow").await.id());
    }
    // Two crashes while all eight execute: each is as suspect as the others.
    world.script.started_times("wait", 7).await;
    world.script.started("kill").await;
    host.crash().await;
    world.expire_leases();
    let host = world.start().await;
    world.script.started_times("wait", 14).await;
    world.script.started_times("kill", 2).await;
    host.crash().await;
    world.expire_leases();
    // From here on one at a time; the slow ones end as soon as they execute.
    world.script.script("wait", [Step::pass_on()]);
    let host = world.start().await;
    world.advance_within(world.limits.suspect_delay).await;
    world.script.started_times("kill", 3).await;
    assert_eq!(world.calls()["wait"], 14 + 4, "those behind it wait");
    host.crash().await;
    world.expire_leases();
    let host = world.start().await;
    world.advance_within(world.limits.suspect_delay).await;
    for run in slow {
        let ended = host.floret.handle(run).finished().await.unwrap();
        assert_eq!(ended.run.status, RunStatus::Success);
    }
    let ended = host.floret.handle(poison).finished().await.unwrap();
    assert_statuses(&ended, RunStatus::Failed, &[("kill", NodeStatus::Skipped)]);
    let error = ended.run.error.unwrap();
    assert!(error.starts_with("poisoned"), "{error}");
    assert_eq!(world.calls()["kill"], 3);
}

async fn a_wish_to_cancel_ends_a_poisoned_run_cancelled(store: Store) {
    let mut world = World::new(store).pipeline(chain("p", &["kill"]));
    world.limits.crashes_max = 1;
    let never = Gate::new();
    world.script.script("kill", [Step::pass_on().at(&never)]);
    let host = world.start().await;
    let run = host.trigger("p").await.id();
    world.script.started("kill").await;
    host.floret.cancel(run).await.unwrap();
    host.crash().await;
    world.expire_leases();
    let host = world.start().await;
    let ended = host.floret.handle(run).finished().await.unwrap();
    assert_statuses(
        &ended,
        RunStatus::Cancelled,
        &[("kill", NodeStatus::Cancelled)],
    );
}
