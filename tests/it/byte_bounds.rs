//! Limits on bytes: what a node outputs, what a run logs, and what an answer carries.
//!
//! How many runs and nodes execute at once is left to `bounds`.

use floret::testing::Step;
use floret::{NodeStatus, Pipeline, RunStatus};
use serde_json::json;

use crate::harness::{Store, World, node, step};

on_every_backend! {
    an_output_beyond_a_limit_fails_its_node_without_a_retry,
    an_output_at_the_limits_succeeds,
    a_dry_run_applies_the_limits_of_an_output,
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
