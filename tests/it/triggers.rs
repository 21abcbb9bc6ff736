//! Triggers: durable before the response, within the limits of the queue, one run for each key.
//!
//! Triggers over HTTP are in `api_runs`.

use std::collections::BTreeSet;
use std::sync::Arc;

use floret::executor::{Ctx, ExecutorError};
use floret::testing::{Gate, Step};
use floret::{Builder, ErrorKind, NodeStatus, Pipeline, RunStatus};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::harness::{STEP, Store, World, chain, statuses};

on_every_backend! {
    a_triggered_run_is_stored_at_once_with_every_node_pending,
    a_full_queue_refuses_a_run_and_creates_nothing,
    a_node_type_without_an_executor_is_refused,
    one_thousand_simultaneous_triggers_with_twenty_keys_create_twenty_runs,
    a_repeated_key_with_other_parameters_is_refused,
    a_repeated_key_returns_its_run_even_if_the_queue_is_full,
    a_repeated_key_returns_its_run_even_if_the_executor_is_gone,
    a_node_whose_id_and_type_are_swapped_shows_the_order,
}

async fn a_triggered_run_is_stored_at_once_with_every_node_pending(store: Store) {
    let mut world = World::new(store).pipeline(chain("p", &["a", "b", "c"]));
    world.limits.runs_max = 0;
    let host = world.start().await;
    for _ in 0..50 {
        let run = host.trigger("p").await;
        let detail = host.stored(&run).await;
        assert_eq!(detail.run.status, RunStatus::Pending);
        let nodes = statuses(&detail);
        assert_eq!(nodes.len(), 3);
        assert!(nodes.values().all(|status| *status == NodeStatus::Pending));
    }
}

async fn a_full_queue_refuses_a_run_and_creates_nothing(store: Store) {
    let mut world = World::new(store)
        .pipeline(chain("p", &["a"]))
        .pipeline(chain("q", &["a"]));
    world.limits.runs_max = 0;
    world.limits.queued_pipeline_max = 2;
    world.limits.queued_max = 3;
    let host = world.start().await;
    host.trigger("p").await;
    host.trigger("p").await;
    let refused = host.floret.run("p").start().await.unwrap_err();
    assert_eq!(
        (refused.kind(), refused.slug()),
        (ErrorKind::QueueFull, "too-many-requests")
    );
    host.trigger("q").await;
    let refused = host.floret.run("q").start().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::QueueFull);
    assert_eq!(host.runs().await.len(), 3);
}

async fn a_node_type_without_an_executor_is_refused(store: Store) {
    let world = World::new(store);
    let other = Pipeline::new("p").node("a", "elsewhere");
    let host = world
        .start_with(|builder| builder.node("elsewhere", nothing).pipeline(other))
        .await;
    host.crash().await;
    let host = world.start().await;
    let refused = host.floret.run("p").start().await.unwrap_err();
    assert_eq!(
        (refused.kind(), refused.slug()),
        (ErrorKind::Invalid, "node-type-unknown")
    );
    assert!(refused.to_string().contains("elsewhere"), "{refused}");
    assert_eq!(host.runs().await.len(), 0);
}

async fn nothing(_: Ctx) -> Result<(), ExecutorError> {
    Ok(())
}

async fn one_thousand_simultaneous_triggers_with_twenty_keys_create_twenty_runs(store: Store) {
    let world = World::new(store).pipeline(chain("p", &["a"]));
    let host = world.start().await;
    let barrier = Arc::new(Barrier::new(1_000));
    let mut tasks = JoinSet::new();
    for index in 0..1_000 {
        let (floret, barrier) = (host.floret.clone(), Arc::clone(&barrier));
        let key = index % 20;
        tasks.spawn(async move {
            barrier.wait().await;
            let run = floret
                .run("p")
                .param("of", key.to_string())
                .key(format!("key-{key}"));
            (key, run.start().await.unwrap().id())
        });
    }
    let answers: BTreeSet<_> = tasks.join_all().await.into_iter().collect();
    assert_eq!(answers.len(), 20, "each key has one run: {answers:?}");
    assert_eq!(host.runs().await.len(), 20);
}

async fn a_repeated_key_with_other_parameters_is_refused(store: Store) {
    let world = World::new(store).pipeline(chain("p", &["a"]));
    let host = world.start().await;
    let first = host.floret.run("p").param("x", "1").key("k").start();
    let first = first.await.unwrap();
    let repeated = host.floret.run("p").param("x", "1").key("k").start();
    assert_eq!(repeated.await.unwrap().id(), first.id());
    let refused = host.floret.run("p").param("x", "2").key("k").start();
    let refused = refused.await.unwrap_err();
    assert_eq!(
        (refused.kind(), refused.slug()),
        (ErrorKind::Invalid, "idempotency-key-reused")
    );
    assert_eq!(host.runs().await.len(), 1);
}

async fn a_repeated_key_returns_its_run_even_if_the_queue_is_full(store: Store) {
    let mut world = World::new(store).pipeline(Pipeline::new("p").node("a", STEP));
    world.limits.queued_pipeline_max = 1;
    world.limits.runs_max = 1;
    let host = world.start().await;
    let gate = Gate::new();
    world.script.script("a", [Step::pass_on().at(&gate)]);
    let first = host.floret.run("p").key("k").start().await.unwrap();
    world.script.started("a").await;
    host.trigger("p").await;
    let refused = host.floret.run("p").key("other").start().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::QueueFull);
    let repeated = host.floret.run("p").key("k").start().await.unwrap();
    assert_eq!(repeated.id(), first.id());
    assert_eq!(host.stored(&first).await.run.status, RunStatus::Running);
    gate.open();
}

async fn a_repeated_key_returns_its_run_even_if_the_executor_is_gone(store: Store) {
    let world = World::new(store);
    let other = Pipeline::new("p").node("a", "elsewhere");
    let host = world
        .start_with(|builder| builder.node("elsewhere", nothing).pipeline(other))
        .await;
    let first = host.floret.run("p").key("k").start().await.unwrap().id();
    host.stop().await;
    let host = world.start().await;
    let repeated = host.floret.run("p").key("k").start().await.unwrap();
    assert_eq!(repeated.id(), first);
    let refused = host.floret.run("p").key("other").start().await.unwrap_err();
    assert_eq!(refused.slug(), "node-type-unknown");
}

async fn a_node_whose_id_and_type_are_swapped_shows_the_order(store: Store) {
    let swapped = Pipeline::new("daily").node("http_get", "orders");
    let build = |builder: Builder| builder.node("http_get", nothing);
    let world = World::new(store);
    let host = world.start_with(build).await;
    host.floret.pipelines().create(swapped).await.unwrap();
    let refused = host.floret.run("daily").start().await.unwrap_err();
    assert_eq!(refused.slug(), "node-type-unknown");
    let hint = "\"http_get\" is a registered type: in Rust, write node(\"orders\", \"http_get\"), the id first and then the type";
    assert!(refused.to_string().ends_with(hint), "{refused}");
}
