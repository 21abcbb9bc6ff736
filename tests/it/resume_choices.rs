//! What a caller may choose of a resume: a node to begin at, the newest definition; and what a
//! chain of them remembers.

use floret::executor::Effect;
use floret::storage::{Purge, System};
use floret::testing::{Gate, Method, Step};
use floret::{NodeStatus, Pipeline, RunId, RunStatus};
use serde_json::json;

use crate::harness::{Host, STEP, Store, World, assert_ended, node, step};

on_every_backend! {
    a_named_node_runs_again_with_all_below_it_and_sinks_too,
    what_a_named_node_needs_is_made_again_where_it_is_lost,
    a_resume_of_a_resume_still_owes_what_was_named,
    a_sink_that_was_named_in_vain_is_not_owed_by_another_resume,
    a_node_that_is_unknown_is_refused,
    a_changed_node_runs_again_with_those_below_it,
    a_sink_is_repeated_only_where_it_was_changed_itself,
    a_node_that_is_not_there_any_more_costs_nothing,
    a_succeeded_sink_is_not_repeated_though_its_run_was_purged,
    a_repeated_key_with_another_choice_is_refused,
    a_sink_that_succeeds_while_a_resume_is_made_is_not_repeated,
}

/// load → (save, clean → sum); `sum` fails at first, `save` is a sink.
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

fn world(store: Store) -> World {
    let world = World::new(store).pipeline(pipeline());
    let script = &world.script;
    script.script("load", [Step::rows([json!({"id": 1}), json!({"id": 2})])]);
    script.script("save", [Step::nothing()]);
    script.script("sum", [Step::permanent("broken"), Step::pass_on()]);
    script.effect("save", Effect::Sink);
    world
}

async fn fails(host: &Host) -> RunId {
    let ended = host.run("p").await;
    assert_eq!(ended.run.status, RunStatus::Failed);
    ended.run.id
}

#[track_caller]
fn assert_calls(world: &World, expected: [usize; 4]) {
    let calls = world.calls();
    let of = |node: &str| calls.get(node).copied().unwrap_or(0);
    assert_eq!(["load", "save", "clean", "sum"].map(of), expected);
}

async fn a_named_node_runs_again_with_all_below_it_and_sinks_too(store: Store) {
    let world = world(store);
    let host = world.start().await;
    let failed = fails(&host).await;
    let resumed = host.floret.resume(failed).from_node("load").await.unwrap();
    let ended = resumed.finished().await.unwrap();
    let all = ["load", "save", "clean", "sum"].map(|node| (node, NodeStatus::Success));
    assert_ended(&ended, RunStatus::Success, &all);
    assert_calls(&world, [2, 2, 2, 2]);
    let keys = world.script.calls_of("save");
    assert_eq!(keys[0].attempt_key, keys[1].attempt_key);
}

async fn what_a_named_node_needs_is_made_again_where_it_is_lost(store: Store) {
    let mut world = world(store);
    world.limits.output_bytes_max = 16;
    let host = world.start().await;
    let failed = fails(&host).await;
    let resumed = host.floret.resume(failed).from_node("clean").await.unwrap();
    let ended = resumed.finished().await.unwrap();
    assert_eq!(ended.run.status, RunStatus::Success);
    assert_calls(&world, [2, 1, 2, 2]);
    assert_eq!(node(&ended, "save").reused_from, Some(failed));
    let calls = world.script.calls_of("clean");
    assert_eq!(calls[0].inputs, calls[1].inputs);
}

async fn a_resume_of_a_resume_still_owes_what_was_named(store: Store) {
    let world = world(store);
    let broken = Step::permanent("broken");
    let host = world.start().await;
    let first = fails(&host).await;
    world.script.script("load", [broken, Step::pass_on()]);
    let second = host.floret.resume(first).from_node("load").await.unwrap();
    assert_eq!(
        second.finished().await.unwrap().run.status,
        RunStatus::Failed
    );
    assert_calls(&world, [2, 1, 1, 1]);
    let third = host.floret.resume(second.id()).await.unwrap();
    assert_eq!(
        third.finished().await.unwrap().run.status,
        RunStatus::Success
    );
    assert_calls(&world, [3, 2, 2, 2]);
}

async fn a_sink_that_was_named_in_vain_is_not_owed_by_another_resume(store: Store) {
    let world = world(store);
    let host = world.start().await;
    let first = fails(&host).await;
    world
        .script
        .script("load", [Step::permanent("broken"), Step::pass_on()]);
    let second = host.floret.resume(first).from_node("load").await.unwrap();
    second.finished().await.unwrap();
    let third = host.floret.resume(first).await.unwrap();
    let ended = third.finished().await.unwrap();
    assert_eq!(ended.run.status, RunStatus::Success);
    assert_eq!(node(&ended, "save").reused_from, Some(first));
    assert_calls(&world, [3, 1, 1, 2]);
}

async fn a_node_that_is_unknown_is_refused(store: Store) {
    let world = world(store);
    let host = world.start().await;
    let failed = fails(&host).await;
    let refused = host.floret.resume(failed).from_node("lod").await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.slug(), "invalid-field");
    assert!(refused.to_string().contains("\"lod\""), "{refused}");
    assert_eq!(host.runs().await.len(), 1);
}

/// Restarts the host with another definition of the pipeline.
async fn redefined(world: &mut World, host: Host, pipeline: Pipeline) -> Host {
    host.stop().await;
    world.pipelines = vec![pipeline];
    world.start().await
}

fn changed(mut pipeline: Pipeline, node: &str) -> Pipeline {
    let index = pipeline
        .nodes
        .iter()
        .position(|own| own.id == node)
        .unwrap();
    pipeline.nodes[index] = step(node).config("changed", true);
    pipeline
}

async fn a_changed_node_runs_again_with_those_below_it(store: Store) {
    let mut world = world(store);
    let host = world.start().await;
    let failed = fails(&host).await;
    let host = redefined(&mut world, host, changed(pipeline(), "load")).await;
    let resumed = host.floret.resume(failed).current().await.unwrap();
    let ended = resumed.finished().await.unwrap();
    assert_eq!(
        (ended.run.status, ended.run.pipeline_version),
        (RunStatus::Success, 2)
    );
    assert_calls(&world, [2, 1, 2, 2]);
    assert_eq!(node(&ended, "save").reused_from, Some(failed));
}

async fn a_sink_is_repeated_only_where_it_was_changed_itself(store: Store) {
    let mut world = world(store);
    let host = world.start().await;
    let failed = fails(&host).await;
    let host = redefined(&mut world, host, changed(pipeline(), "save")).await;
    let resumed = host.floret.resume(failed).current().await.unwrap();
    let ended = resumed.finished().await.unwrap();
    assert_eq!(ended.run.status, RunStatus::Success);
    assert_calls(&world, [1, 2, 1, 2]);
    assert_eq!(node(&ended, "clean").reused_from, Some(failed));
}

async fn a_node_that_is_not_there_any_more_costs_nothing(store: Store) {
    let mut world = world(store);
    let host = world.start().await;
    let failed = fails(&host).await;
    let shorter = Pipeline::new("p")
        .node("first", STEP)
        .node("clean", STEP)
        .node("load", STEP)
        .edge("load", "clean")
        .node("sum", STEP)
        .edge("clean", "sum");
    let host = redefined(&mut world, host, shorter).await;
    let resumed = host.floret.resume(failed).current().await.unwrap();
    let ended = resumed.finished().await.unwrap();
    let nodes = [
        ("first", NodeStatus::Success),
        ("load", NodeStatus::Skipped),
        ("clean", NodeStatus::Skipped),
        ("sum", NodeStatus::Success),
    ];
    assert_ended(&ended, RunStatus::Success, &nodes);
    let calls = world.script.calls_of("sum");
    assert_eq!(calls[0].inputs, calls[1].inputs, "kept at another place");
}

async fn a_succeeded_sink_is_not_repeated_though_its_run_was_purged(store: Store) {
    let world = world(store);
    let broken = || Step::permanent("broken");
    world
        .script
        .script("sum", [broken(), broken(), Step::pass_on()]);
    let host = world.start().await;
    let first = fails(&host).await;
    let second = host.floret.resume(first).await.unwrap();
    second.finished().await.unwrap();
    let later = world.clock.clock().now() + chrono::TimeDelta::days(1);
    let purged = host.storage.purge(Purge::new(later, 1)).await.unwrap();
    assert_eq!(purged.deleted, 1);
    assert_eq!(
        host.runs().await[0].id,
        second.id(),
        "the older one is gone"
    );
    let third = host.floret.resume(second.id()).await.unwrap();
    let ended = third.finished().await.unwrap();
    assert_eq!(ended.run.status, RunStatus::Success);
    assert_calls(&world, [1, 1, 1, 3]);
}

async fn a_repeated_key_with_another_choice_is_refused(store: Store) {
    let world = world(store);
    let host = world.start().await;
    let failed = fails(&host).await;
    let resume = || host.floret.resume(failed).key("once");
    let made = resume().from_node("clean").await.unwrap();
    made.finished().await.unwrap();
    let again = resume().from_node("clean").await.unwrap();
    assert_eq!(again.id(), made.id());
    for other in [resume(), resume().from_node("clean").current()] {
        let refused = other.await.unwrap_err();
        assert_eq!(refused.slug(), "idempotency-key-reused");
    }
}

async fn a_sink_that_succeeds_while_a_resume_is_made_is_not_repeated(store: Store) {
    let pipeline = Pipeline::new("p").node("save", STEP).node("bad", STEP);
    let world = World::new(store).pipeline(pipeline);
    let (script, saved, looked) = (&world.script, Gate::new(), Gate::new());
    script.script(
        "save",
        [Step::permanent("full"), Step::nothing().at(&saved)],
    );
    script.script("bad", [Step::permanent("broken")]);
    script.effect("save", Effect::Sink);
    let host = world.start().await;
    let failed = host.run("p").await.run.id;
    let second = host.floret.resume(failed).await.unwrap();
    while world.calls().get("save") != Some(&2) {
        tokio::task::yield_now().await;
    }
    // It looks at the chain while the sink executes, and makes its run once the second one has
    // failed.
    host.storage.hold_after(Method::FindChain, &looked);
    let found = host.storage.calls(Method::FindChain);
    let third = {
        let floret = host.floret.clone();
        host.on_runtime(async move { floret.resume(failed).await })
    };
    let overtake = async {
        while host.storage.calls(Method::FindChain) == found {
            tokio::task::yield_now().await;
        }
        saved.open();
        let ended = second.finished().await.unwrap();
        assert_eq!(ended.run.status, RunStatus::Failed);
        looked.open();
    };
    let (third, ()) = tokio::join!(third, overtake);
    match third {
        Ok(third) => drop(third.finished().await.unwrap()),
        Err(refused) => {
            assert_eq!(refused.slug(), "run-not-resumable");
            let second = second.id().to_string();
            assert!(refused.to_string().contains(&second), "{refused}");
        }
    }
    // Whichever of the two came first.
    assert_eq!(world.calls()["save"], 2);
}
