//! Resume: a new run continues where a run failed and reuses the outputs of its nodes.
//!
//! The choices of a resume are in `resume_choices`, lost outputs in `lost_outputs`.

use floret::executor::Effect;
use floret::storage::{Purge, System};
use floret::testing::{ExecutedCall, Gate, Step};
use floret::{ErrorKind, EventKind, NodeStatus, Pipeline, RunHandle, RunStatus, Trigger};
use serde_json::json;

use crate::harness::{Host, STEP, Store, World, assert_statuses, chain, kinds, node, step};

on_every_backend! {
    the_failed_node_receives_the_rows_of_its_skipped_upstream,
    a_restart_between_failure_and_resume_loses_no_row,
    a_sink_that_succeeded_is_not_executed_again,
    a_resumed_run_can_be_resumed,
    a_run_can_be_resumed_again_after_a_cancelled_resume,
    two_simultaneous_resumes_create_one_run_and_one_conflict,
    only_a_failed_run_can_be_resumed,
    a_resume_survives_the_purge_of_the_failed_run,
    a_resume_uses_the_definition_of_the_failed_run,
}

/// Rows that a careless storage would change.
fn rows() -> Step {
    Step::rows([
        json!({"id": 1, "mixed": "text", "nested": {"a": [1, null]}, "big": 9_007_199_254_740_993_u64}),
        json!({"id": 2, "mixed": 2.5, "missing": null, "ключ": "✓"}),
        json!({"id": 3}),
    ])
}

/// A world with the pipeline load → clean → save. `clean` fails once, and `save` is a sink.
pub(crate) fn world(store: Store) -> World {
    let world = World::new(store).pipeline(chain("p", &["load", "clean", "save"]));
    world.script.script("load", [rows()]);
    world
        .script
        .script("clean", [Step::permanent("broken"), Step::pass_on()]);
    world.script.effect("save", Effect::Sink);
    world
}

pub(crate) async fn failed_run(host: &Host) -> RunHandle {
    let run = host.trigger("p").await;
    let finished = run.finished().await.unwrap();
    assert_eq!(finished.run.status, RunStatus::Failed);
    run
}

#[track_caller]
pub(crate) fn assert_same_call(calls: &[ExecutedCall]) {
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0].inputs, calls[1].inputs);
    assert_eq!(calls[0].attempt_key, calls[1].attempt_key);
    assert_eq!((calls[0].attempt, calls[1].attempt), (1, 1));
    assert_ne!(calls[0].run_id, calls[1].run_id);
}

async fn the_failed_node_receives_the_rows_of_its_skipped_upstream(store: Store) {
    let world = world(store);
    let host = world.start().await;
    let failed = host
        .floret
        .run("p")
        .param("day", "7")
        .start()
        .await
        .unwrap();
    failed.finished().await.unwrap();
    let resumed = failed.resume().await.unwrap();
    let finished = resumed.finished().await.unwrap();
    let nodes = [
        ("load", NodeStatus::Skipped),
        ("clean", NodeStatus::Success),
        ("save", NodeStatus::Success),
    ];
    assert_statuses(&finished, RunStatus::Success, &nodes);
    assert_same_call(&world.script.calls_of("clean"));
    assert_eq!(world.calls()["load"], 1);
    let load = node(&finished, "load");
    assert_eq!(
        (load.reused_from, load.row_count),
        (Some(failed.id()), Some(3))
    );
    let run = &finished.run;
    assert_eq!(run.resumed_from, Some(failed.id()));
    assert_eq!(
        (run.trigger, &run.params["day"]),
        (Trigger::Resume, &"7".to_owned())
    );
}

async fn a_restart_between_failure_and_resume_loses_no_row(store: Store) {
    let world = world(store);
    let host = world.start().await;
    let failed = failed_run(&host).await.id();
    host.stop().await;
    let host = world.start().await;
    let resumed = host.floret.run_by_id(failed).resume().await.unwrap();
    assert_eq!(
        resumed.finished().await.unwrap().run.status,
        RunStatus::Success
    );
    assert_same_call(&world.script.calls_of("clean"));
    assert_eq!(world.calls()["load"], 1);
}

async fn a_sink_that_succeeded_is_not_executed_again(store: Store) {
    let pipeline = Pipeline::new("p")
        .node("load", STEP)
        .node("save", STEP)
        .after("load")
        .node("bad", STEP)
        .after("load")
        .after("save");
    let world = World::new(store).pipeline(pipeline);
    world.script.script("load", [rows()]);
    world.script.script("save", [Step::nothing()]);
    world.script.effect("save", Effect::Sink);
    world
        .script
        .script("bad", [Step::permanent("broken"), Step::pass_on()]);
    let host = world.start().await;
    let failed = failed_run(&host).await;
    let resumed = failed.resume().await.unwrap();
    let finished = resumed.finished().await.unwrap();
    assert_eq!(finished.run.status, RunStatus::Success);
    assert_eq!(
        world.calls(),
        [("bad", 2), ("load", 1), ("save", 1)]
            .map(|(id, count)| (id.to_owned(), count))
            .into()
    );
    assert_same_call(&world.script.calls_of("bad"));
}

async fn a_resumed_run_can_be_resumed(store: Store) {
    let world = world(store);
    world
        .script
        .script("save", [Step::permanent("full"), Step::pass_on()]);
    let host = world.start().await;
    let first = failed_run(&host).await;
    let second = first.resume().await.unwrap();
    assert_eq!(
        second.finished().await.unwrap().run.status,
        RunStatus::Failed
    );
    let third = second.resume().await.unwrap();
    let finished = third.finished().await.unwrap();
    assert_eq!(finished.run.status, RunStatus::Success);
    assert_eq!(node(&finished, "load").reused_from, Some(first.id()));
    assert_eq!(node(&finished, "clean").reused_from, Some(second.id()));
    assert_same_call(&world.script.calls_of("save"));
    assert_eq!(finished.run.first_run, first.id());
    let refused = first.resume().await.unwrap_err();
    assert_eq!(refused.slug(), "run-not-resumable");
    assert!(
        refused.to_string().contains(&third.id().to_string()),
        "{refused}"
    );
}

async fn a_run_can_be_resumed_again_after_a_cancelled_resume(store: Store) {
    let world = world(store);
    let gate = Gate::new();
    let steps = [Step::permanent("broken"), Step::pass_on().at(&gate)];
    world.script.script("clean", steps);
    let host = world.start().await;
    let failed = failed_run(&host).await;
    let resumed = failed.resume().await.unwrap();
    world.script.started_times("clean", 2).await;
    resumed.cancel().await.unwrap();
    gate.open();
    assert_eq!(
        resumed.finished().await.unwrap().run.status,
        RunStatus::Cancelled
    );
    let again = failed.resume().await.unwrap();
    let finished = again.finished().await.unwrap();
    assert_eq!(finished.run.status, RunStatus::Success);
    assert_eq!(node(&finished, "clean").reused_from, Some(resumed.id()));
    assert_eq!(
        world.calls()["clean"],
        2,
        "it succeeded before the run was cancelled"
    );
    let save = &world.script.calls_of("save")[0];
    assert_eq!(save.inputs, world.script.calls_of("clean")[0].inputs);
}

async fn two_simultaneous_resumes_create_one_run_and_one_conflict(store: Store) {
    let world = world(store);
    let gate = Gate::new();
    let steps = [Step::permanent("broken"), Step::pass_on().at(&gate)];
    world.script.script("clean", steps);
    let host = world.start().await;
    let failed = failed_run(&host).await.id();
    let resume = || {
        let floret = host.floret.clone();
        host.on_runtime(async move { floret.run_by_id(failed).resume().await })
    };
    let (one, two) = tokio::join!(resume(), resume());
    let (created, refused) = match (one, two) {
        (Ok(created), Err(refused)) | (Err(refused), Ok(created)) => (created, refused),
        other => panic!("expected one run and one conflict: {other:?}"),
    };
    assert_eq!(
        (refused.kind(), refused.slug()),
        (ErrorKind::Conflict, "run-not-resumable")
    );
    assert!(
        refused.to_string().contains(&created.id().to_string()),
        "{refused}"
    );
    assert_eq!(host.runs().await.len(), 2);
    gate.open();
    assert_eq!(
        created.finished().await.unwrap().run.status,
        RunStatus::Success
    );
}

async fn only_a_failed_run_can_be_resumed(store: Store) {
    let mut world = World::new(store).pipeline(chain("p", &["a"]));
    world.limits.runs_max = 1;
    let gate = Gate::new();
    world.script.script("a", [Step::pass_on().at(&gate)]);
    let host = world.start().await;
    let running = host.trigger("p").await;
    let pending = host.trigger("p").await;
    let cancelled = host.trigger("p").await;
    cancelled.cancel().await.unwrap();
    world.script.started("a").await;
    for (run, status) in [
        (&running, "running"),
        (&pending, "pending"),
        (&cancelled, "cancelled"),
    ] {
        let refused = run.resume().await.unwrap_err();
        assert_eq!(refused.slug(), "run-not-resumable");
        assert!(refused.to_string().contains(status), "{refused}");
    }
    gate.open();
    running.finished().await.unwrap();
    let refused = running.resume().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    let unknown = world.clock.clock().new_run_id();
    let refused = host.floret.run_by_id(unknown).resume().await.unwrap_err();
    assert_eq!(refused.slug(), "run-not-found");
}

async fn a_resume_survives_the_purge_of_the_failed_run(store: Store) {
    let mut world = world(store).pipeline(chain("other", &["hold"]));
    world.limits.runs_max = 1;
    let gate = Gate::new();
    world.script.script("hold", [Step::pass_on().at(&gate)]);
    let host = world.start().await;
    let failed = failed_run(&host).await.id();
    let other = host.trigger("other").await;
    world.script.started("hold").await;
    let resumed = host.floret.run_by_id(failed).resume().await.unwrap();
    let later = world.clock.clock().now() + chrono::TimeDelta::days(1);
    let purged = host.storage.purge(Purge::new(later, 100)).await.unwrap();
    assert_eq!(purged.deleted, 1);
    gate.open();
    other.finished().await.unwrap();
    let finished = resumed.finished().await.unwrap();
    assert_eq!(finished.run.status, RunStatus::Success);
    assert_same_call(&world.script.calls_of("clean"));
    assert_eq!(world.calls()["load"], 1);
}

async fn a_resume_uses_the_definition_of_the_failed_run(store: Store) {
    let mut world = world(store);
    let host = world.start().await;
    let failed = failed_run(&host).await.id();
    host.stop().await;
    let changed = Pipeline::new("p").with(step("other"));
    world.pipelines = vec![changed];
    let host = world.start().await;
    let resumed = host.floret.run_by_id(failed).resume().await.unwrap();
    let finished = resumed.finished().await.unwrap();
    assert_eq!(finished.run.pipeline_version, 1);
    let nodes = [
        ("load", NodeStatus::Skipped),
        ("clean", NodeStatus::Success),
        ("save", NodeStatus::Success),
    ];
    assert_statuses(&finished, RunStatus::Success, &nodes);
    let kinds = kinds(&host.events_of(resumed.id()).await);
    assert_eq!(kinds.last(), Some(&EventKind::RunCompleted));
}
