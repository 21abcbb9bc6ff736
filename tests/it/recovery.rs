//! Recovery: a run continues from its checkpoints after a crash, and a run that keeps crashing the
//! process is poisoned.

use std::time::Duration;

use floret::query::AttemptStatus;
use floret::testing::{Gate, Step};
use floret::{EventKind, NodeStatus, Pipeline, RunStatus};
use serde_json::json;

use crate::harness::{Store, World, assert_statuses, chain, kinds, lines, node, step};

on_every_backend! {
    an_interrupted_node_is_executed_again_and_a_finished_one_is_not,
    a_crash_uses_up_no_retry,
    a_crash_between_attempts_continues_with_the_next_one,
    a_run_cancelled_before_a_crash_starts_no_node_after_it,
    a_runtime_that_ends_counts_as_one_crash,
    a_pending_run_starts_after_a_crash,
    a_node_whose_output_was_too_large_to_store_completes_once,
    a_run_that_makes_progress_between_crashes_is_never_poisoned,
    only_the_run_that_crashes_its_host_three_times_is_poisoned,
    a_cancel_request_finishes_a_poisoned_run_as_cancelled,
}

async fn an_interrupted_node_is_executed_again_and_a_finished_one_is_not(store: Store) {
    let world = World::new(store).pipeline(chain("p", &["a", "b", "c"]));
    let gate = Gate::new();
    world.script.script("a", [Step::rows([json!({"x": 1})])]);
    world
        .script
        .script("b", [Step::pass_on().at(&gate), Step::pass_on()]);
    let host = world.start().await;
    let run = host.trigger("p").await.id();
    world.script.started("b").await;
    host.wait_for_events(EventKind::NodeStarted, 2).await;
    host.crash().await;
    world.expire_leases();
    let host = world.start().await;
    let finished = host.floret.run_by_id(run).finished().await.unwrap();
    let nodes = ["a", "b", "c"].map(|node| (node, NodeStatus::Success));
    assert_statuses(&finished, RunStatus::Success, &nodes);
    let calls = world.script.calls_of("b");
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0], calls[1], "run, node, attempt, key and rows");
    assert_eq!(calls[0].attempt, 1);
    assert_eq!(world.calls()["a"], 1);
    let kinds = kinds(&host.events_of(run).await);
    let count = |kind| kinds.iter().filter(|own| **own == kind).count();
    assert_eq!(count(EventKind::RunStarted), 1);
    assert_eq!(count(EventKind::NodeRecovered), 1);
    assert_eq!(count(EventKind::NodeStarted), 4);
}

async fn a_crash_uses_up_no_retry(store: Store) {
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
    let finished = host.floret.run_by_id(run).finished().await.unwrap();
    assert_statuses(&finished, RunStatus::Failed, &[("a", NodeStatus::Failed)]);
    let attempts: Vec<_> = world
        .script
        .calls_of("a")
        .iter()
        .map(|call| call.attempt)
        .collect();
    assert_eq!(attempts, [1, 2, 2]);
    let attempts = host.floret.run_by_id(run).attempts("a").await.unwrap();
    let statuses: Vec<_> = attempts
        .iter()
        .map(|attempt| (attempt.attempt, attempt.status))
        .collect();
    let expected = [
        (1, AttemptStatus::Failed),
        (2, AttemptStatus::Interrupted),
        (2, AttemptStatus::Failed),
    ];
    assert_eq!(statuses, expected);
    let crash = "its process ended without releasing the run, as in a crash";
    assert_eq!(attempts[1].error.as_deref(), Some(crash));
}

async fn a_crash_between_attempts_continues_with_the_next_one(store: Store) {
    let world =
        World::new(store).pipeline(Pipeline::new("p").with(step("a").config("max_retries", 1)));
    world.script.script("a", [Step::retryable("not yet")]);
    let host = world.start().await;
    let run = host.trigger("p").await.id();
    host.wait_for_events(EventKind::NodeRetrying, 1).await;
    host.crash().await;
    world.expire_leases();
    let host = world.start().await;
    let finished = host.floret.run_by_id(run).finished().await.unwrap();
    assert_statuses(&finished, RunStatus::Failed, &[("a", NodeStatus::Failed)]);
    let calls = world.script.calls_of("a");
    let attempts: Vec<_> = calls.iter().map(|call| call.attempt).collect();
    assert_eq!(attempts, [1, 2]);
    assert_eq!(node(&finished, "a").attempt, Some(2));
    assert_eq!(calls[0].attempt_key, calls[1].attempt_key);
}

async fn a_run_cancelled_before_a_crash_starts_no_node_after_it(store: Store) {
    let world = World::new(store).pipeline(chain("p", &["a", "b", "c"]));
    let gate = Gate::new();
    world.script.script("b", [Step::pass_on().at(&gate)]);
    let host = world.start().await;
    let run = host.trigger("p").await.id();
    world.script.started("b").await;
    let answer = host.floret.run_by_id(run).cancel().await.unwrap();
    assert_eq!(answer, RunStatus::Running);
    host.crash().await;
    world.expire_leases();
    let host = world.start().await;
    let finished = host.floret.run_by_id(run).finished().await.unwrap();
    let nodes = [
        ("a", NodeStatus::Success),
        ("b", NodeStatus::Cancelled),
        ("c", NodeStatus::Cancelled),
    ];
    assert_statuses(&finished, RunStatus::Cancelled, &nodes);
    assert_eq!(world.script.calls().len(), 2);
}

async fn a_runtime_that_ends_counts_as_one_crash(store: Store) {
    let mut world = World::new(store).pipeline(chain("p", &["a"]));
    // A second claim by the host whose runtime ends would poison the run.
    (world.limits.crashes_max, world.limits.suspect_delay) = (2, Duration::ZERO);
    for round in 0..60 {
        let gate = Gate::new();
        let held = Step::pass_on().at(&gate);
        world
            .script
            .script("a", [held.clone(), held, Step::pass_on()]);
        let host = world.start().await;
        let runs = [host.trigger("p").await.id(), host.trigger("p").await.id()];
        world.script.started_times("a", 4 * round + 2).await;
        host.crash().await;
        world.expire_leases();
        let host = world.start().await;
        for run in runs {
            let finished = host.floret.run_by_id(run).finished().await.unwrap().run;
            assert_eq!(finished.status, RunStatus::Success, "{:?}", finished.error);
        }
        host.stop().await;
    }
}

async fn a_pending_run_starts_after_a_crash(store: Store) {
    let mut world = World::new(store).pipeline(chain("p", &["a"]));
    world.limits.runs_max = 0;
    let host = world.start().await;
    let run = host.trigger("p").await.id();
    host.crash().await;
    world.limits.runs_max = 1;
    let host = world.start().await;
    let finished = host.floret.run_by_id(run).finished().await.unwrap();
    assert_eq!(finished.run.status, RunStatus::Success);
}

async fn a_node_whose_output_was_too_large_to_store_completes_once(store: Store) {
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
    let finished = host.floret.run_by_id(run).finished().await.unwrap();
    let nodes = ["a", "b"].map(|node| (node, NodeStatus::Success));
    assert_statuses(&finished, RunStatus::Success, &nodes);
    assert_eq!((world.calls()["a"], world.calls()["b"]), (2, 2));
    let calls = world.script.calls_of("b");
    assert_eq!(calls[0].inputs, calls[1].inputs);
    let events = host.events_of(run).await;
    assert!(
        lines(&events)[0].contains("too large to store"),
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
    let finished = host.floret.run_by_id(run).finished().await.unwrap();
    let nodes = names.map(|node| (node, NodeStatus::Success));
    assert_statuses(&finished, RunStatus::Success, &nodes);
    assert!(world.calls().values().all(|count| *count == 2));
}

async fn only_the_run_that_crashes_its_host_three_times_is_poisoned(store: Store) {
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
    // Two crashes while all eight runs execute make all of them equally suspect.
    world.script.started_times("wait", 7).await;
    world.script.started("kill").await;
    host.crash().await;
    world.expire_leases();
    let host = world.start().await;
    world.script.started_times("wait", 14).await;
    world.script.started_times("kill", 2).await;
    host.crash().await;
    world.expire_leases();
    // From here on, suspects execute one at a time. The slow runs finish as soon as they execute.
    world.script.script("wait", [Step::pass_on()]);
    let host = world.start().await;
    world.advance_within(world.limits.suspect_delay).await;
    world.script.started_times("kill", 3).await;
    assert_eq!(world.calls()["wait"], 14 + 4, "the runs behind it wait");
    host.crash().await;
    world.expire_leases();
    let host = world.start().await;
    world.advance_within(world.limits.suspect_delay).await;
    for run in slow {
        let finished = host.floret.run_by_id(run).finished().await.unwrap();
        assert_eq!(finished.run.status, RunStatus::Success);
    }
    let finished = host.floret.run_by_id(poison).finished().await.unwrap();
    assert_statuses(
        &finished,
        RunStatus::Failed,
        &[("kill", NodeStatus::Skipped)],
    );
    let error = finished.run.error.unwrap();
    assert!(error.starts_with("poisoned"), "{error}");
    assert_eq!(world.calls()["kill"], 3);
}

async fn a_cancel_request_finishes_a_poisoned_run_as_cancelled(store: Store) {
    let mut world = World::new(store).pipeline(chain("p", &["kill"]));
    world.limits.crashes_max = 1;
    let never = Gate::new();
    world.script.script("kill", [Step::pass_on().at(&never)]);
    let host = world.start().await;
    let run = host.trigger("p").await.id();
    world.script.started("kill").await;
    host.floret.run_by_id(run).cancel().await.unwrap();
    host.crash().await;
    world.expire_leases();
    let host = world.start().await;
    let finished = host.floret.run_by_id(run).finished().await.unwrap();
    assert_statuses(
        &finished,
        RunStatus::Cancelled,
        &[("kill", NodeStatus::Cancelled)],
    );
}
