//! Panics: a panic in an executor fails its attempt, whatever its payload.
//!
//! Secrets in the text of a panic are left to `canaries`.

use std::panic::panic_any;

use floret::executor::{Ctx, ExecutorError};
use floret::testing::{Gate, Step};
use floret::{NodeStatus, Pipeline, RunStatus};

use crate::harness::{STEP, Store, World, chain, node};

on_every_backend! {
    a_panic_fails_its_attempt_and_reports_its_text,
    after_a_thousand_panicking_nodes_every_slot_is_free,
}

struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("in drop");
    }
}

async fn panics_with_text(_: Ctx) -> Result<(), ExecutorError> {
    panic!("plain");
}

async fn panics_with_string(ctx: Ctx) -> Result<(), ExecutorError> {
    panic!("made for {}", ctx.node.id);
}

async fn panics_with_number(_: Ctx) -> Result<(), ExecutorError> {
    panic_any(7);
}

async fn panics_with_panic(_: Ctx) -> Result<(), ExecutorError> {
    panic_any(PanicsWhenDropped);
}

async fn panics_in_drop(_: Ctx) -> Result<(), ExecutorError> {
    let _held = PanicsWhenDropped;
    tokio::task::yield_now().await;
    Ok(())
}

async fn a_panic_fails_its_attempt_and_reports_its_text(store: Store) {
    let expected = [
        ("text", "the executor panicked: plain"),
        ("string", "the executor panicked: made for string"),
        (
            "number",
            "the executor panicked: with a payload that is no text",
        ),
        (
            "panic",
            "the executor panicked: with a payload that is no text",
        ),
        ("drop", "the executor panicked: in drop"),
    ];
    let pipeline = expected
        .iter()
        .fold(Pipeline::new("p"), |pipeline, (kind, _)| {
            pipeline.node(*kind, *kind)
        });
    let world = World::quiet(store)
        .pipeline(pipeline)
        .pipeline(chain("after", &["a"]));
    let host = world
        .start_with(|builder| {
            builder
                .node("text", panics_with_text)
                .node("string", panics_with_string)
                .node("number", panics_with_number)
                .node("panic", panics_with_panic)
                .node("drop", panics_in_drop)
        })
        .await;
    let finished = host.run("p").await;
    assert_eq!(finished.run.status, RunStatus::Failed);
    for (id, error) in expected {
        assert_eq!(node(&finished, id).status, NodeStatus::Failed);
        assert_eq!(node(&finished, id).error.as_deref(), Some(error));
    }
    assert_eq!(host.run("after").await.run.status, RunStatus::Success);
}

async fn after_a_thousand_panicking_nodes_every_slot_is_free(store: Store) {
    let wide = (0..1_000).fold(Pipeline::new("p"), |wide, index| {
        wide.node(format!("n{index}"), STEP)
    });
    let mut world = World::quiet(store).pipeline(wide).pipeline(
        (0..4).fold(Pipeline::new("after"), |wide, index| {
            wide.node(format!("after{index}"), STEP)
        }),
    );
    world.limits.nodes_engine_max = 4;
    world.limits.nodes_run_max = 4;
    for index in 0..1_000 {
        world
            .script
            .script(format!("n{index}"), [Step::panic(format!("panic {index}"))]);
    }
    let host = world.start().await;
    let finished = host.run("p").await;
    assert_eq!(finished.run.status, RunStatus::Failed);
    for index in 0..1_000 {
        let error = node(&finished, &format!("n{index}")).error.clone().unwrap();
        assert_eq!(error, format!("the executor panicked: panic {index}"));
    }
    let gate = Gate::new();
    for index in 0..4 {
        world
            .script
            .script(format!("after{index}"), [Step::pass_on().at(&gate)]);
    }
    let run = host.trigger("after").await;
    for index in 0..4 {
        world.script.started(&format!("after{index}")).await;
    }
    gate.open();
    assert_eq!(run.finished().await.unwrap().run.status, RunStatus::Success);
    assert_eq!(host.floret.abandoned(), 0);
}
