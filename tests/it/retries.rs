//! Attempts: retries, the delays between them, and timeouts.
//!
//! The exact length of a delay is left to the unit tests of `engine`.

use std::time::Duration;

use floret::testing::{Gate, Step};
use floret::{EventKind, IssueLocation, Node, NodeStatus, Pipeline, Problem, RunStatus};
use serde_json::Value;

use crate::harness::{STEP, Store, World, assert_statuses, chain, node, step};

on_every_backend! {
    delays_double_within_their_jitter_until_no_retry_remains,
    a_retry_has_the_same_key_and_can_succeed,
    a_permanent_error_is_not_retried,
    an_attempt_that_times_out_is_cancelled_and_retried,
    an_attempt_that_ignores_its_timeout_is_dropped_before_the_next_starts,
    a_run_that_times_out_fails_executing_nodes_and_skips_the_rest,
    time_before_a_crash_counts_toward_the_timeout_of_a_run,
    a_run_that_timed_out_before_its_recovery_starts_no_node,
    a_node_between_attempts_holds_no_slot,
    engine_keys_that_are_set_in_code_are_obeyed,
    engine_keys_out_of_range_are_refused_when_the_pipeline_is_saved,
}

const HOUR: Duration = Duration::from_secs(3_600);

fn pipeline_with(config: &[(&str, u64)]) -> Pipeline {
    let node = config
        .iter()
        .fold(step("a"), |node, (key, value)| node.config(*key, *value));
    Pipeline::new("p").with(node)
}

async fn delays_double_within_their_jitter_until_no_retry_remains(store: Store) {
    let world = World::quiet(store).pipeline(pipeline_with(&[("max_retries", 4)]));
    world.script.script("a", [Step::retryable("not yet")]);
    let host = world.start().await;
    let run = host.trigger("p").await;
    for first_ms in [1_000, 2_000, 4_000, 8_000] {
        let delay = world.advance_within(HOUR).await;
        let bounds =
            Duration::from_millis(first_ms * 8 / 10)..=Duration::from_millis(first_ms * 12 / 10);
        assert!(
            bounds.contains(&delay),
            "{delay:?} is not within {bounds:?}"
        );
    }
    let finished = run.finished().await.unwrap();
    assert_statuses(&finished, RunStatus::Failed, &[("a", NodeStatus::Failed)]);
    assert_eq!(finished.run.error.as_deref(), Some("node a: not yet"));
    assert_eq!(node(&finished, "a").attempt, Some(5));
    let events = host.events_of(run.id()).await;
    let retries = events
        .iter()
        .filter(|event| event.kind == EventKind::NodeRetrying);
    let retries: Vec<_> = retries
        .map(|event| (event.attempt, event.error.as_deref()))
        .collect();
    assert_eq!(
        retries,
        [2, 3, 4, 5].map(|attempt| (Some(attempt), Some("not yet")))
    );
}

async fn a_retry_has_the_same_key_and_can_succeed(store: Store) {
    let world =
        World::quiet(store).pipeline(pipeline_with(&[("max_retries", 1), ("retry_delay", 0)]));
    world
        .script
        .script("a", [Step::retryable("not yet"), Step::pass_on()]);
    let host = world.start().await;
    let finished = host.run("p").await;
    assert_statuses(&finished, RunStatus::Success, &[("a", NodeStatus::Success)]);
    assert_eq!(
        (node(&finished, "a").attempt, &node(&finished, "a").error),
        (Some(2), &None)
    );
    let calls = world.script.calls_of("a");
    assert_eq!(calls[0].attempt_key, calls[1].attempt_key);
    assert_eq!(calls[0].attempt_key, format!("{}.a.1", finished.run.id));
}

async fn a_permanent_error_is_not_retried(store: Store) {
    let world = World::quiet(store).pipeline(pipeline_with(&[("max_retries", 4)]));
    world.script.script("a", [Step::permanent("never")]);
    let host = world.start().await;
    let finished = host.run("p").await;
    assert_statuses(&finished, RunStatus::Failed, &[("a", NodeStatus::Failed)]);
    assert_eq!(world.script.calls_of("a").len(), 1);
}

async fn an_attempt_that_times_out_is_cancelled_and_retried(store: Store) {
    let config = [("max_retries", 1), ("retry_delay", 0), ("timeout", 5)];
    let world = World::quiet(store).pipeline(pipeline_with(&config));
    let gate = Gate::new();
    world.script.script("a", [Step::pass_on().at(&gate)]);
    let host = world.start().await;
    let run = host.trigger("p").await;
    for attempt in 1..=2 {
        world.script.started_times("a", attempt).await;
        // This attempt stops at once, so only its timeout must pass, not the second that it has to
        // stop.
        world.clock.sleeper_within(Duration::from_secs(5)).await;
        world.clock.advance(Duration::from_secs(5));
    }
    let finished = run.finished().await.unwrap();
    assert_statuses(&finished, RunStatus::Failed, &[("a", NodeStatus::Failed)]);
    let error = node(&finished, "a").error.as_deref();
    assert_eq!(error, Some("the attempt exceeded its timeout of 5 s"));
    assert_eq!(world.script.calls_of("a").len(), 2);
}

async fn an_attempt_that_ignores_its_timeout_is_dropped_before_the_next_starts(store: Store) {
    let config = [("max_retries", 1), ("retry_delay", 0), ("timeout", 5)];
    let world = World::quiet(store).pipeline(pipeline_with(&config));
    let gate = Gate::new();
    let ignoring = Step::pass_on().at(&gate).ignores_cancel();
    world.script.script("a", [ignoring, Step::pass_on()]);
    let host = world.start().await;
    let run = host.trigger("p").await;
    world.script.started("a").await;
    assert_eq!(world.advance_within(HOUR).await, Duration::from_secs(5));
    assert_eq!(world.advance_within(HOUR).await, Duration::from_secs(1));
    let finished = run.finished().await.unwrap();
    assert_statuses(&finished, RunStatus::Success, &[("a", NodeStatus::Success)]);
    assert_eq!(world.script.calls_of("a").len(), 2);
    assert_eq!(world.script.executing_max(), 1);
    assert_eq!(host.floret.abandoned(), 0);
}

async fn a_run_that_times_out_fails_executing_nodes_and_skips_the_rest(store: Store) {
    let pipeline = chain("p", &["done", "executes", "waits"])
        .with(
            step("retries")
                .config("max_retries", 9)
                .config("retry_delay", 300_000),
        )
        .timeout(Duration::from_secs(60));
    let world = World::quiet(store).pipeline(pipeline);
    let gate = Gate::new();
    world
        .script
        .script("executes", [Step::pass_on().at(&gate).ignores_cancel()]);
    world.script.script("retries", [Step::retryable("not yet")]);
    let host = world.start().await;
    let run = host.trigger("p").await;
    world.script.started("executes").await;
    host.wait_for_events(EventKind::NodeRetrying, 1).await;
    let remaining = world.advance_within(Duration::from_secs(60)).await;
    assert_eq!(remaining, Duration::from_secs(60));
    assert_eq!(
        world.advance_within(Duration::from_secs(1)).await,
        Duration::from_secs(1)
    );
    let finished = run.finished().await.unwrap();
    let nodes = [
        ("done", NodeStatus::Success),
        ("executes", NodeStatus::Failed),
        ("waits", NodeStatus::Skipped),
        ("retries", NodeStatus::Skipped),
    ];
    assert_statuses(&finished, RunStatus::Failed, &nodes);
    let error = finished.run.error.as_deref();
    assert_eq!(error, Some("the run exceeded its timeout of 60 s"));
    assert_eq!(world.calls().get("waits"), None);
}

async fn time_before_a_crash_counts_toward_the_timeout_of_a_run(store: Store) {
    let pipeline = chain("p", &["a", "b"]).timeout(Duration::from_secs(100));
    let mut world = World::new(store).pipeline(pipeline);
    world.limits.lease = Duration::from_secs(20);
    let gate = Gate::new();
    world.script.script("a", [Step::pass_on().at(&gate)]);
    let host = world.start().await;
    let run = host.trigger("p").await.id();
    world.script.started("a").await;
    host.crash().await;
    let started_at = world.clock.clock().now();
    world.clock.advance(Duration::from_secs(60));
    world.expire_leases();
    world.limits.lease = 4 * HOUR;
    let host = world.start().await;
    world.script.started_times("a", 2).await;
    world.advance_within(HOUR).await;
    let finished = host.floret.run_by_id(run).finished().await.unwrap();
    let nodes = [("a", NodeStatus::Failed), ("b", NodeStatus::Skipped)];
    assert_statuses(&finished, RunStatus::Failed, &nodes);
    let took = finished.run.finished_at.unwrap() - started_at;
    assert_eq!(took.num_seconds(), 100);
}

async fn a_run_that_timed_out_before_its_recovery_starts_no_node(store: Store) {
    let pipeline = chain("p", &["a", "b"]).timeout(Duration::from_secs(100));
    let world = World::quiet(store).pipeline(pipeline);
    let gate = Gate::new();
    world.script.script("a", [Step::pass_on().at(&gate)]);
    let host = world.start().await;
    let run = host.trigger("p").await.id();
    world.script.started("a").await;
    host.crash().await;
    world.clock.advance(5 * HOUR);
    let host = world.start().await;
    let finished = host.floret.run_by_id(run).finished().await.unwrap();
    let nodes = [("a", NodeStatus::Skipped), ("b", NodeStatus::Skipped)];
    assert_statuses(&finished, RunStatus::Failed, &nodes);
    let error = finished.run.error.as_deref();
    assert_eq!(error, Some("the run exceeded its timeout of 100 s"));
    assert_eq!(world.calls()["a"], 1);
}

async fn a_node_between_attempts_holds_no_slot(store: Store) {
    let pipeline = pipeline_with(&[("max_retries", 1)]).node("b", STEP);
    let mut world = World::quiet(store).pipeline(pipeline);
    world.limits.nodes_engine_max = 1;
    world
        .script
        .script("a", [Step::retryable("not yet"), Step::pass_on()]);
    let host = world.start().await;
    let run = host.trigger("p").await;
    world.script.started("a").await;
    world.script.started("b").await;
    world.advance_within(HOUR).await;
    assert_eq!(run.finished().await.unwrap().run.status, RunStatus::Success);
    assert_eq!(world.script.executing_max(), 1);
    let waited = Value::from(node(&host.stored(&run).await, "a").queue_ms);
    assert!(waited.is_u64());
}

async fn engine_keys_that_are_set_in_code_are_obeyed(store: Store) {
    let load = step("a")
        .retries(1)
        .retry_delay(Duration::ZERO)
        .timeout(Duration::from_millis(2_500));
    let world = World::quiet(store).pipeline(Pipeline::new("p").with(load));
    let step = Step::pass_on().at(&Gate::new());
    world.script.script("a", [step]);
    let host = world.start().await;
    let run = host.trigger("p").await;
    for attempt in 1..=2 {
        world.script.started_times("a", attempt).await;
        let timeout = world.advance_within(Duration::from_secs(3)).await;
        assert!(timeout <= Duration::from_millis(2_500), "{timeout:?}");
    }
    let finished = run.finished().await.unwrap();
    let error = node(&finished, "a").error.as_deref();
    assert_eq!(error, Some("the attempt exceeded its timeout of 2.5 s"));
    assert_eq!(world.script.calls_of("a").len(), 2);
}

async fn engine_keys_out_of_range_are_refused_when_the_pipeline_is_saved(store: Store) {
    let host = World::quiet(store).start().await;
    let too_long = Duration::from_secs(31_536_001);
    let daily = Pipeline::new("daily")
        .with(Node::new("a", STEP).retries(101))
        .with(Node::new("b", STEP).retry_delay(Duration::from_millis(300_001)))
        .with(Node::new("c", STEP).timeout(Duration::ZERO))
        .with(Node::new("d", STEP).timeout(too_long));
    let refused = host.floret.pipelines().create(daily).await.unwrap_err();
    assert_eq!(refused.problem(), Problem::InvalidField);
    let at = refused.issues().iter().map(|issue| &issue.location);
    let keys = ["0/config/max_retries", "1/config/retry_delay"];
    let keys = [&keys[..], &["2/config/timeout", "3/config/timeout"]].concat();
    let expected = keys.iter().map(|key| format!("/nodes/{key}"));
    assert!(
        at.eq(expected
            .map(IssueLocation::Pointer)
            .collect::<Vec<_>>()
            .iter())
    );
}
