//! Dataflow: when each node starts, and with which inputs.

use floret::testing::{Gate, Step};
use floret::{NodeStatus, Pipeline, RunStatus};
use serde_json::json;

use crate::harness::{STEP, Store, World, assert_statuses, chain, step};

on_every_backend! {
    a_node_after_the_fast_branch_starts_before_the_slow_branch_finishes,
    inputs_arrive_in_edge_order,
    templates_in_a_config_are_resolved,
    an_unknown_template_name_fails_its_node,
    a_raised_limit_allows_more_nodes_than_the_default,
}

async fn a_node_after_the_fast_branch_starts_before_the_slow_branch_finishes(store: Store) {
    let diamond = Pipeline::new("p")
        .node("top", STEP)
        .node("slow", STEP)
        .after("top")
        .node("fast", STEP)
        .after("top")
        .node("below", STEP)
        .after("fast")
        .node("end", STEP)
        .after("slow")
        .after("below");
    let world = World::new(store).pipeline(diamond);
    let gate = Gate::new();
    world.script.script("slow", [Step::pass_on().at(&gate)]);
    let host = world.start().await;
    let run = host.trigger("p").await;
    world.script.started("slow").await;
    world.script.started("below").await;
    assert!(world.script.calls_of("end").is_empty());
    gate.open();
    let finished = run.finished().await.unwrap();
    assert_eq!(finished.run.status, RunStatus::Success);
    assert_eq!(world.script.calls_of("end").len(), 1);
}

async fn inputs_arrive_in_edge_order(store: Store) {
    let pipeline = Pipeline::new("p")
        .node("b", STEP)
        .node("a", STEP)
        .node("none", STEP)
        .node("sum", STEP)
        .after("b")
        .after("none")
        .after("a");
    let world = World::new(store).pipeline(pipeline);
    world.script.script("a", [Step::rows([json!({"x": "a"})])]);
    world.script.script("b", [Step::rows([json!({"x": "b"})])]);
    world.script.script("none", [Step::nothing()]);
    let host = world.start().await;
    let finished = host.run("p").await;
    assert_eq!(finished.run.status, RunStatus::Success);
    let call = &world.script.calls_of("sum")[0];
    let inputs = json!(call.inputs);
    assert_eq!(inputs, json!([[{"x": "b"}], null, [{"x": "a"}]]));
}

async fn templates_in_a_config_are_resolved(store: Store) {
    let node = step("a").config("say", "${param.who} on ${run.date} in ${run.id}");
    let world = World::new(store).pipeline(Pipeline::new("p").with(node).param("who", "nobody"));
    let host = world.start().await;
    let run = host
        .floret
        .run("p")
        .param("who", "me")
        .start()
        .await
        .unwrap();
    run.finished().await.unwrap();
    let call = &world.script.calls_of("a")[0];
    let said = json!(format!("me on 2024-01-15 in {}", run.id()));
    assert_eq!(call.node.config.get("say"), Some(&said));
}

async fn an_unknown_template_name_fails_its_node(store: Store) {
    let pipeline = Pipeline::new("p")
        .node("fine", STEP)
        .with(
            step("a")
                .config("max_retries", 3)
                .config("say", "${param.who}"),
        )
        .node("below", STEP)
        .after("a");
    let world = World::new(store).pipeline(pipeline);
    let host = world.start().await;
    let finished = host.run("p").await;
    let nodes = [
        ("fine", NodeStatus::Success),
        ("a", NodeStatus::Failed),
        ("below", NodeStatus::Skipped),
    ];
    assert_statuses(&finished, RunStatus::Failed, &nodes);
    let error = finished.run.error.unwrap();
    assert!(error.contains("node a") && error.contains("who"), "{error}");
    assert!(world.script.calls_of("a").is_empty());
}

async fn a_raised_limit_allows_more_nodes_than_the_default(store: Store) {
    let names: Vec<_> = (0..1_100).map(|index| format!("n{index}")).collect();
    let wide = names
        .iter()
        .fold(Pipeline::new("p"), |wide, name| wide.node(name, STEP));
    let mut world = World::new(store)
        .pipeline(wide)
        .pipeline(chain("q", &["a"]));
    world.limits.nodes_max = 2_000;
    let host = world.start().await;
    let finished = host.run("p").await;
    assert_eq!(
        finished.run.status,
        RunStatus::Success,
        "{:?}",
        finished.run.error
    );
    assert_eq!(finished.nodes.len(), 1_100);
}
