//! Failures: which nodes a failure skips, and which error the run reports.

use floret::executor::{Ctx, ExecutorError};
use floret::testing::{Gate, Step};
use floret::{NodeStatus, Pipeline, RunStatus};

use crate::harness::{STEP, Store, World, assert_statuses, chain, node};

on_every_backend! {
    descendants_are_skipped_and_independent_branches_finish,
    a_run_reports_its_first_error,
    a_run_reports_its_first_error_from_before_a_crash,
    a_node_without_an_executor_fails_and_names_its_type,
    a_long_error_text_is_cut,
}

async fn descendants_are_skipped_and_independent_branches_finish(store: Store) {
    let pipeline = chain("p", &["top", "bad", "below", "far"])
        .node("left", STEP)
        .after("top")
        .node("right", STEP)
        .after("left")
        .node("both", STEP)
        .after("right")
        .after("below");
    let world = World::new(store).pipeline(pipeline);
    let gate = Gate::new();
    world.script.script("bad", [Step::permanent("broken")]);
    world.script.script("left", [Step::pass_on().at(&gate)]);
    let host = world.start().await;
    let run = host.trigger("p").await;
    host.wait_for_events(floret::EventKind::NodeSkipped, 3)
        .await;
    gate.open();
    let finished = run.finished().await.unwrap();
    let nodes = [
        ("top", NodeStatus::Success),
        ("bad", NodeStatus::Failed),
        ("below", NodeStatus::Skipped),
        ("far", NodeStatus::Skipped),
        ("both", NodeStatus::Skipped),
        ("left", NodeStatus::Success),
        ("right", NodeStatus::Success),
    ];
    assert_statuses(&finished, RunStatus::Failed, &nodes);
    assert_eq!(finished.run.error.as_deref(), Some("node bad: broken"));
}

async fn a_run_reports_its_first_error(store: Store) {
    let pipeline = Pipeline::new("p").node("late", STEP).node("early", STEP);
    let world = World::new(store).pipeline(pipeline);
    let gate = Gate::new();
    world
        .script
        .script("late", [Step::permanent("second").at(&gate)]);
    world.script.script("early", [Step::permanent("first")]);
    let host = world.start().await;
    let run = host.trigger("p").await;
    host.wait_for_events(floret::EventKind::NodeFailed, 1).await;
    gate.open();
    let finished = run.finished().await.unwrap();
    assert_eq!(
        finished.run.error.as_deref(),
        Some("2 nodes failed; node early: first")
    );
    assert_eq!(node(&finished, "late").error.as_deref(), Some("second"));
}

async fn a_run_reports_its_first_error_from_before_a_crash(store: Store) {
    let pipeline = Pipeline::new("p").node("late", STEP).node("early", STEP);
    let world = World::new(store).pipeline(pipeline);
    let gate = Gate::new();
    let late = [Step::pass_on().at(&gate), Step::permanent("second")];
    world.script.script("late", late);
    world.script.script("early", [Step::permanent("first")]);
    let host = world.start().await;
    let run = host.trigger("p").await.id();
    host.wait_for_events(floret::EventKind::NodeFailed, 1).await;
    world.script.started("late").await;
    host.crash().await;
    world.expire_leases();
    let host = world.start().await;
    let finished = host.floret.run_by_id(run).finished().await.unwrap();
    assert_eq!(
        finished.run.error.as_deref(),
        Some("2 nodes failed; node early: first")
    );
    assert_eq!(world.calls()["early"], 1);
}

async fn nothing(_: Ctx) -> Result<(), ExecutorError> {
    Ok(())
}

async fn a_node_without_an_executor_fails_and_names_its_type(store: Store) {
    let mut world = World::new(store);
    world.limits.runs_max = 0;
    let pipeline = Pipeline::new("p").node("a", "gone").node("b", STEP);
    let host = world
        .start_with(|builder| builder.node("gone", nothing).pipeline(pipeline))
        .await;
    let run = host.trigger("p").await.id();
    host.crash().await;
    world.limits.runs_max = 1;
    let host = world.start().await;
    let finished = host.floret.run_by_id(run).finished().await.unwrap();
    let nodes = [("a", NodeStatus::Failed), ("b", NodeStatus::Success)];
    assert_statuses(&finished, RunStatus::Failed, &nodes);
    let error = finished.run.error.unwrap();
    assert!(
        error.contains("node a") && error.contains("\"gone\""),
        "{error}"
    );
}

async fn a_long_error_text_is_cut(store: Store) {
    let mut world = World::new(store).pipeline(chain("p", &["a"]));
    world.limits.error_bytes_max = 100;
    world
        .script
        .script("a", [Step::permanent("é".repeat(1_000_000))]);
    let host = world.start().await;
    let finished = host.run("p").await;
    let error = node(&finished, "a").error.clone().unwrap();
    assert!(error.len() <= 100 && error.ends_with("… (cut)"), "{error}");
}
