//! The choices of a resume: the node to start from and the current definition, and what a chain of
//! resumes remembers.
//!
//! Resumes without a choice are in `resumes`.

use floret::executor::Effect;
use floret::storage::{Purge, System};
use floret::testing::{Gate, Method, Step};
use floret::{NodeStatus, Pipeline, RunId, RunStatus};
use serde_json::json;

use crate::harness::{Host, STEP, Store, World, assert_statuses, node, step};

on_every_backend! {
    from_node_runs_the_node_and_everything_downstream_again_including_sinks,
    an_upstream_of_the_chosen_node_runs_again_if_its_output_is_lost,
    a_resume_of_a_resume_still_runs_the_chosen_nodes,
    the_choice_of_a_failed_resume_does_not_bind_another_resume,
    an_unknown_node_is_refused,
    a_changed_node_runs_again_with_everything_downstream,
    a_sink_runs_again_only_if_it_changed_itself,
    a_removed_node_does_not_prevent_reuse,
    a_successful_sink_is_not_repeated_even_if_its_run_was_purged,
    a_repeated_key_with_another_choice_is_refused,
    a_sink_that_succeeds_while_a_resume_is_created_is_not_repeated,
}

/// Returns the pipeline load → (save, clean → sum).
fn pipeline() -> Pipeline {
    Pipeline::new("p")
        .node("load", STEP)
        .node("save", STEP)
        .after("load")
        .node("clean", STEP)
        .after("load")
        .node("sum", STEP)
        .after("clean")
}

/// A world in which `sum` fails once and `save` is a sink.
fn world(store: Store) -> World {
    let world = World::new(store).pipeline(pipeline());
    let script = &world.script;
    script.script("load", [Step::rows([json!({"id": 1}), json!({"id": 2})])]);
    script.script("save", [Step::nothing()]);
    script.script("sum", [Step::permanent("broken"), Step::pass_on()]);
    script.effect("save", Effect::Sink);
    world
}

async fn failed_run(host: &Host) -> RunId {
    let finished = host.run("p").await;
    assert_eq!(finished.run.status, RunStatus::Failed);
    finished.run.id
}

#[track_caller]
fn assert_calls(world: &World, expected: [usize; 4]) {
    let calls = world.calls();
    let count_of = |node: &str| calls.get(node).copied().unwrap_or(0);
    assert_eq!(["load", "save", "clean", "sum"].map(count_of), expected);
}

async fn from_node_runs_the_node_and_everything_downstream_again_including_sinks(store: Store) {
    let world = world(store);
    let host = world.start().await;
    let failed = failed_run(&host).await;
    let resumed = host
        .floret
        .run_by_id(failed)
        .resume()
        .from_node("load")
        .await
        .unwrap();
    let finished = resumed.finished().await.unwrap();
    let all = ["load", "save", "clean", "sum"].map(|node| (node, NodeStatus::Success));
    assert_statuses(&finished, RunStatus::Success, &all);
    assert_calls(&world, [2, 2, 2, 2]);
    let keys = world.script.calls_of("save");
    assert_ne!(keys[0].attempt_key, keys[1].attempt_key);
}

async fn an_upstream_of_the_chosen_node_runs_again_if_its_output_is_lost(store: Store) {
    let mut world = world(store);
    world.limits.output_bytes_max = 16;
    let host = world.start().await;
    let failed = failed_run(&host).await;
    let resumed = host
        .floret
        .run_by_id(failed)
        .resume()
        .from_node("clean")
        .await
        .unwrap();
    let finished = resumed.finished().await.unwrap();
    assert_eq!(finished.run.status, RunStatus::Success);
    assert_calls(&world, [2, 1, 2, 2]);
    assert_eq!(node(&finished, "save").reused_from, Some(failed));
    let calls = world.script.calls_of("clean");
    assert_eq!(calls[0].inputs, calls[1].inputs);
}

async fn a_resume_of_a_resume_still_runs_the_chosen_nodes(store: Store) {
    let world = world(store);
    let broken = Step::permanent("broken");
    let host = world.start().await;
    let first = failed_run(&host).await;
    world.script.script("load", [broken, Step::pass_on()]);
    let second = host
        .floret
        .run_by_id(first)
        .resume()
        .from_node("load")
        .await
        .unwrap();
    assert_eq!(
        second.finished().await.unwrap().run.status,
        RunStatus::Failed
    );
    assert_calls(&world, [2, 1, 1, 1]);
    let third = second.resume().await.unwrap();
    assert_eq!(
        third.finished().await.unwrap().run.status,
        RunStatus::Success
    );
    assert_calls(&world, [3, 2, 2, 2]);
}

async fn the_choice_of_a_failed_resume_does_not_bind_another_resume(store: Store) {
    let world = world(store);
    let host = world.start().await;
    let first = failed_run(&host).await;
    world
        .script
        .script("load", [Step::permanent("broken"), Step::pass_on()]);
    let second = host
        .floret
        .run_by_id(first)
        .resume()
        .from_node("load")
        .await
        .unwrap();
    second.finished().await.unwrap();
    let third = host.floret.run_by_id(first).resume().await.unwrap();
    let finished = third.finished().await.unwrap();
    assert_eq!(finished.run.status, RunStatus::Success);
    assert_eq!(node(&finished, "save").reused_from, Some(first));
    assert_calls(&world, [3, 1, 1, 2]);
}

async fn an_unknown_node_is_refused(store: Store) {
    let world = world(store);
    let host = world.start().await;
    let failed = failed_run(&host).await;
    let refused = host
        .floret
        .run_by_id(failed)
        .resume()
        .from_node("lod")
        .await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.slug(), "invalid-field");
    assert!(refused.to_string().contains("\"lod\""), "{refused}");
    assert_eq!(host.runs().await.len(), 1);
}

/// Restarts the host with a new definition of the pipeline.
async fn restart_with(world: &mut World, host: Host, pipeline: Pipeline) -> Host {
    host.stop().await;
    world.pipelines = vec![pipeline];
    world.start().await
}

fn changed(mut pipeline: Pipeline, id: &str) -> Pipeline {
    let index = pipeline
        .nodes
        .iter()
        .position(|node| node.id == id)
        .unwrap();
    pipeline.nodes[index] = step(id).config("changed", true);
    pipeline
}

async fn a_changed_node_runs_again_with_everything_downstream(store: Store) {
    let mut world = world(store);
    let host = world.start().await;
    let failed = failed_run(&host).await;
    let host = restart_with(&mut world, host, changed(pipeline(), "load")).await;
    let resumed = host
        .floret
        .run_by_id(failed)
        .resume()
        .current()
        .await
        .unwrap();
    let finished = resumed.finished().await.unwrap();
    assert_eq!(
        (finished.run.status, finished.run.pipeline_version),
        (RunStatus::Success, 2)
    );
    assert_calls(&world, [2, 1, 2, 2]);
    assert_eq!(node(&finished, "save").reused_from, Some(failed));
}

async fn a_sink_runs_again_only_if_it_changed_itself(store: Store) {
    let mut world = world(store);
    let host = world.start().await;
    let failed = failed_run(&host).await;
    let host = restart_with(&mut world, host, changed(pipeline(), "save")).await;
    let resumed = host
        .floret
        .run_by_id(failed)
        .resume()
        .current()
        .await
        .unwrap();
    let finished = resumed.finished().await.unwrap();
    assert_eq!(finished.run.status, RunStatus::Success);
    assert_calls(&world, [1, 2, 1, 2]);
    assert_eq!(node(&finished, "clean").reused_from, Some(failed));
}

async fn a_removed_node_does_not_prevent_reuse(store: Store) {
    let mut world = world(store);
    let host = world.start().await;
    let failed = failed_run(&host).await;
    let shorter = Pipeline::new("p")
        .node("first", STEP)
        .node("clean", STEP)
        .node("load", STEP)
        .edge("load", "clean")
        .node("sum", STEP)
        .edge("clean", "sum");
    let host = restart_with(&mut world, host, shorter).await;
    let resumed = host
        .floret
        .run_by_id(failed)
        .resume()
        .current()
        .await
        .unwrap();
    let finished = resumed.finished().await.unwrap();
    let nodes = [
        ("first", NodeStatus::Success),
        ("load", NodeStatus::Skipped),
        ("clean", NodeStatus::Skipped),
        ("sum", NodeStatus::Success),
    ];
    assert_statuses(&finished, RunStatus::Success, &nodes);
    let calls = world.script.calls_of("sum");
    assert_eq!(
        calls[0].inputs, calls[1].inputs,
        "the checkpoint is found under its new node index"
    );
}

async fn a_successful_sink_is_not_repeated_even_if_its_run_was_purged(store: Store) {
    let world = world(store);
    let broken = || Step::permanent("broken");
    world
        .script
        .script("sum", [broken(), broken(), Step::pass_on()]);
    let host = world.start().await;
    let first = failed_run(&host).await;
    let second = host.floret.run_by_id(first).resume().await.unwrap();
    second.finished().await.unwrap();
    let later = world.clock.clock().now() + chrono::TimeDelta::days(1);
    let purged = host.storage.purge(Purge::new(later, 1)).await.unwrap();
    assert_eq!(purged.deleted, 1);
    assert_eq!(
        host.runs().await[0].id,
        second.id(),
        "the older run was purged"
    );
    let third = second.resume().await.unwrap();
    let finished = third.finished().await.unwrap();
    assert_eq!(finished.run.status, RunStatus::Success);
    assert_calls(&world, [1, 1, 1, 3]);
}

async fn a_repeated_key_with_another_choice_is_refused(store: Store) {
    let world = world(store);
    let host = world.start().await;
    let failed = failed_run(&host).await;
    let resume = || host.floret.run_by_id(failed).resume().key("once");
    let created = resume().from_node("clean").await.unwrap();
    created.finished().await.unwrap();
    let repeated = resume().from_node("clean").await.unwrap();
    assert_eq!(repeated.id(), created.id());
    for other in [resume(), resume().from_node("clean").current()] {
        let refused = other.await.unwrap_err();
        assert_eq!(refused.slug(), "idempotency-key-reused");
    }
}

async fn a_sink_that_succeeds_while_a_resume_is_created_is_not_repeated(store: Store) {
    let pipeline = Pipeline::new("p").node("save", STEP).node("bad", STEP);
    let world = World::new(store).pipeline(pipeline);
    let (script, save_gate, chain_read) = (&world.script, Gate::new(), Gate::new());
    script.script(
        "save",
        [Step::permanent("full"), Step::nothing().at(&save_gate)],
    );
    script.script("bad", [Step::permanent("broken")]);
    script.effect("save", Effect::Sink);
    let host = world.start().await;
    let failed = host.run("p").await.run.id;
    let second = host.floret.run_by_id(failed).resume().await.unwrap();
    while world.calls().get("save") != Some(&2) {
        tokio::task::yield_now().await;
    }
    // The third resume reads the chain while the sink executes, and creates its run after the
    // second run has failed.
    host.storage.hold_after(Method::FindChain, &chain_read);
    let reads = host.storage.calls(Method::FindChain);
    let third = {
        let floret = host.floret.clone();
        host.on_runtime(async move { floret.run_by_id(failed).resume().await })
    };
    let finish_second = async {
        while host.storage.calls(Method::FindChain) == reads {
            tokio::task::yield_now().await;
        }
        save_gate.open();
        let finished = second.finished().await.unwrap();
        assert_eq!(finished.run.status, RunStatus::Failed);
        chain_read.open();
    };
    let (third, ()) = tokio::join!(third, finish_second);
    match third {
        Ok(third) => drop(third.finished().await.unwrap()),
        Err(refused) => {
            assert_eq!(refused.slug(), "run-not-resumable");
            let second = second.id().to_string();
            assert!(refused.to_string().contains(&second), "{refused}");
        }
    }
    // Both outcomes are right, but the sink must not execute a third time.
    assert_eq!(world.calls()["save"], 2);
}
