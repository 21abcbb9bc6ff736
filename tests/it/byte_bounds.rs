//! Limits on bytes: what a node outputs, what a run logs, and what an answer carries.
//!
//! How many runs and nodes execute at once is left to `bounds`.

use floret::storage::{
    PutVariable, Runs as _, VariableFields, VariableKey, VariableValue, Variables as _,
};
use floret::testing::{Gate, Method, Step};
use floret::{EventKind, Level, NodeId, NodeStatus, Pipeline, RunStatus, Scope};
use serde_json::json;

use crate::harness::{STEP, Store, World, chain, lines, node, step};

on_every_backend! {
    an_output_beyond_a_limit_fails_its_node_without_a_retry,
    an_output_at_the_limits_succeeds,
    a_dry_run_applies_the_limits_of_an_output,
    the_log_of_an_attempt_ends_with_a_marker,
    a_preview_and_a_profile_are_cut_to_their_bytes,
    the_nodes_of_a_dry_run_share_its_bytes,
    the_variables_of_a_config_are_read_in_one_call,
    a_node_waits_while_the_datasets_of_other_runs_exceed_the_budget,
    a_run_goes_on_though_its_own_datasets_exceed_the_budget,
    a_node_that_alone_exceeds_the_budget_fails,
}

/// A world with a node that may be retried, and whose output has two columns.
fn world_with_two_columns(store: Store, columns_max: usize) -> World {
    let load = step("load").config("max_retries", 5);
    let mut world = World::new(store).pipeline(Pipeline::new("p").with(load));
    world.limits.dataset.columns_max = columns_max;
    let step = Step::rows([json!({"a": 1, "b": 2})]);
    world.script.script("load", [step]);
    world
}

async fn an_output_beyond_a_limit_fails_its_node_without_a_retry(store: Store) {
    let world = world_with_two_columns(store, 1);
    let host = world.start().await;
    let run = host.run("p").await;
    assert_eq!(run.run.status, RunStatus::Failed);
    let error = node(&run, "load").error.clone().unwrap();
    let expected = "the output is too large: a dataset has at most 1 columns, and \"b\"";
    assert!(error.starts_with(expected), "{error}");
    assert_eq!(world.calls()["load"], 1);
}

async fn an_output_at_the_limits_succeeds(store: Store) {
    let mut world = world_with_two_columns(store, 2);
    // Two numbers and the names of their columns.
    world.limits.dataset.bytes_max = 2 * 8 + 2;
    let host = world.start().await;
    assert_eq!(host.run("p").await.run.status, RunStatus::Success);
}

async fn a_dry_run_applies_the_limits_of_an_output(store: Store) {
    let mut world = world_with_two_columns(store, 2);
    world.limits.dataset.bytes_max = 2 * 8 + 1;
    let host = world.start().await;
    let found = host.floret.dry_run("p").await.unwrap();
    let load = found.node("load").unwrap();
    assert_eq!(load.status, NodeStatus::Failed);
    let error = load.error.as_deref().unwrap();
    assert!(error.contains("a dataset has at most 17 bytes"), "{error}");
}

async fn the_log_of_an_attempt_ends_with_a_marker(store: Store) {
    let load = step("load")
        .config("max_retries", 1)
        .config("retry_delay", 0);
    let mut world = World::new(store).pipeline(Pipeline::new("p").with(load));
    world.limits.attempt_log_lines_max = 2;
    let failing = Step::retryable("busy").logs("one").logs("two");
    let logging = Step::nothing()
        .logs("one")
        .logs("two")
        .logs("three")
        .logs("four");
    world.script.script("load", [failing, logging]);
    let host = world.start().await;
    let run = host.run("p").await;
    assert_eq!(run.run.status, RunStatus::Success);
    let events = host.events_of(run.run.id).await;
    // Each attempt has a log of its own, and the first is at the limit.
    let [one, two, again, twice, marker] = lines(&events)[..] else {
        panic!("{events:?}");
    };
    assert_eq!([one, two, again, twice], ["one", "two", "one", "two"]);
    assert!(marker.starts_with("the log of this attempt is full: an attempt logs at most 2 lines"));
    let marked = events
        .iter()
        .find(|event| event.message.as_deref() == Some(marker));
    let marked = marked.unwrap();
    assert_eq!(
        (marked.level, marked.attempt),
        (Some(Level::Warning), Some(2))
    );
}

async fn a_preview_and_a_profile_are_cut_to_their_bytes(store: Store) {
    let mut world = World::new(store).pipeline(Pipeline::new("p").with(step("load")));
    (
        world.limits.preview_bytes_max,
        world.limits.profile_bytes_max,
    ) = (10_000, 5_000);
    let rows: Vec<_> = (0..5)
        .map(|index| json!({"text": format!("{index}{}", "x".repeat(4_000))}))
        .collect();
    world.script.script("load", [Step::rows(rows)]);
    let host = world.start().await;
    let run = host.run("p").await.run.id;
    let load = NodeId::new("load").unwrap();
    let preview = host
        .storage
        .find_preview(run, &load, &Scope::All)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (preview.rows.len(), preview.row_count, preview.truncated),
        (2, 5, true)
    );
    let found = host
        .storage
        .find_profile(run, &load, &Scope::All)
        .await
        .unwrap()
        .unwrap();
    assert!(found.profile.truncated);
    let bytes = serde_json::to_vec(&found.profile).unwrap().len();
    assert!(bytes <= 5_000, "{bytes}");
}

async fn the_nodes_of_a_dry_run_share_its_bytes(store: Store) {
    let mut world = World::new(store).pipeline(chain("p", &["a", "b", "c"]));
    world.limits.dry_run_bytes_max = 10_000;
    let rows = (0..10).map(|index| json!({"text": format!("{index}{}", "x".repeat(900))}));
    world.script.script("a", [Step::rows(rows)]);
    let host = world.start().await;
    let found = host.floret.dry_run("p").await.unwrap();
    let bytes = serde_json::to_vec(&found).unwrap().len();
    assert!(bytes <= 10_000, "{bytes}");
    // The last node gets what the others have left.
    for (id, rows) in [("a", 3), ("b", 3), ("c", 4)] {
        let node = found.node(id).unwrap();
        assert_eq!((node.rows.len(), node.truncated), (rows, true), "{id}");
    }
    // What a node shows does not limit what the next one receives.
    let received = world
        .script
        .calls()
        .into_iter()
        .find(|call| call.node.id == "b")
        .unwrap();
    assert_eq!(received.inputs[0].as_ref().unwrap().len(), 10);
}

async fn the_variables_of_a_config_are_read_in_one_call(store: Store) {
    let config = "${var.a} ${var.b} ${var.a} ${var.c}";
    let mut world =
        World::new(store).pipeline(Pipeline::new("p").with(step("load").config("text", config)));
    let host = world.start().await;
    for key in ["a", "b", "c"] {
        let value = VariableValue::Plain(format!("<{key}>"));
        let key = VariableKey::new(key).unwrap();
        let put = PutVariable::new(
            key,
            VariableFields::new(value),
            chrono::DateTime::UNIX_EPOCH,
        );
        host.storage.put_variable(put).await.unwrap();
    }
    let before = host.storage.calls(Method::FindVariables);
    host.run("p").await;
    assert_eq!(host.storage.calls(Method::FindVariables), before + 1);
    let calls = world.script.calls();
    assert_eq!(calls[0].node.config["text"], "<a> <b> <a> <c>");
    host.stop().await;
    // The definition was saved under a higher limit.
    world.limits.variables_max = 2;
    world.pipelines.clear();
    let host = world.start().await;
    let run = host.run("p").await;
    let error = node(&run, "load").error.as_deref();
    assert_eq!(
        error,
        Some("a config names at most 2 variables, this one 3")
    );
}

/// A step whose output counts 100 bytes: a name, a position and a text.
fn hundred_bytes() -> Step {
    Step::rows([json!({"a": "x".repeat(91)})])
}

/// A chain of a source of 100 bytes and a sink.
fn add_source_and_sink(world: World, id: &str, gate: Option<&Gate>) -> World {
    let [load, save] = ["load", "save"].map(|node| format!("{id}-{node}"));
    let world = world.pipeline(chain(id, &[&load, &save]));
    world.script.script(load, [hundred_bytes()]);
    let step = gate.map_or_else(Step::nothing, |gate| Step::nothing().at(gate));
    world.script.script(save, [step]);
    world
}

async fn a_node_waits_while_the_datasets_of_other_runs_exceed_the_budget(store: Store) {
    let (first, second) = (Gate::new(), Gate::new());
    let mut world = World::new(store);
    world.limits.datasets_bytes_max = 150;
    let world = add_source_and_sink(world, "one", Some(&first));
    let world = add_source_and_sink(world, "two", Some(&second));
    let world = add_source_and_sink(world, "three", None);
    let host = world.start().await;
    let one = host.trigger("one").await;
    world.script.started("one-save").await;
    // One dataset is within the budget, and two exceed it.
    let two = host.trigger("two").await;
    world.script.started("two-save").await;
    let three = host.trigger("three").await;
    host.wait_for_events(EventKind::RunStarted, 3).await;
    first.open();
    assert_eq!(one.finished().await.unwrap().run.status, RunStatus::Success);
    assert_eq!(
        three.finished().await.unwrap().run.status,
        RunStatus::Success
    );
    second.open();
    assert_eq!(two.finished().await.unwrap().run.status, RunStatus::Success);
    // Never did three nodes execute at once, though three runs did.
    assert_eq!(world.script.executing_max(), 2);
}

async fn a_run_goes_on_though_its_own_datasets_exceed_the_budget(store: Store) {
    let names = ["a", "b", "c"];
    let wide = names.iter().fold(Pipeline::new("p"), |wide, name| {
        let sink = format!("{name}-save");
        wide.node(*name, STEP).node(&sink, STEP).edge(*name, &sink)
    });
    let mut world = World::new(store).pipeline(wide);
    world.limits.datasets_bytes_max = 150;
    let gate = Gate::new();
    for name in names {
        world.script.script(name, [hundred_bytes().at(&gate)]);
        world
            .script
            .script(format!("{name}-save"), [Step::nothing()]);
    }
    let host = world.start().await;
    let run = host.trigger("p").await;
    // All three start at once, and then each sink waits for the other datasets.
    world.script.executing_at_once(3).await;
    gate.open();
    assert_eq!(run.finished().await.unwrap().run.status, RunStatus::Success);
    assert_eq!(world.script.executing_max(), 3);
}

async fn a_node_that_alone_exceeds_the_budget_fails(store: Store) {
    let join = step("join").config("max_retries", 5);
    let pipeline = Pipeline::new("p").node("a", STEP).node("b", STEP);
    let pipeline = pipeline.with(join).edge("a", "join").edge("b", "join");
    let mut world = World::new(store).pipeline(pipeline);
    world.limits.datasets_bytes_max = 199;
    world.script.script("a", [hundred_bytes()]);
    world.script.script("b", [hundred_bytes()]);
    let host = world.start().await;
    let run = host.run("p").await;
    let error = node(&run, "join").error.as_deref();
    let expected =
        "the inputs and the output of a node have at most 199 bytes in total, these have 200";
    assert_eq!(error, Some(expected));
    assert_eq!(world.calls().get("join"), None);
}
