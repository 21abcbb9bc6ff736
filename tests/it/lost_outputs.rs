//! Lost outputs: a resume re-executes a node whose output it needs and storage has lost, unless the
//! node is a sink.

use floret::executor::Effect;
use floret::testing::Step;
use floret::{EventKind, NodeStatus, RunStatus};

use crate::harness::{Store, assert_statuses, lines};
use crate::resumes::{assert_same_call, failed_run, world};

on_every_backend! {
    a_node_whose_output_is_damaged_is_executed_again,
    a_chain_of_damaged_outputs_is_executed_again,
    a_node_whose_output_was_too_large_to_store_is_executed_again_and_logged,
    a_node_that_needs_the_lost_output_of_a_sink_fails_with_the_reason,
}

async fn a_node_whose_output_is_damaged_is_executed_again(store: Store) {
    let world = world(store);
    let host = world.start().await;
    let failed = failed_run(&host).await;
    host.storage.damage_outputs();
    let resumed = failed.resume().await.unwrap();
    let finished = resumed.finished().await.unwrap();
    let nodes = ["load", "clean", "save"].map(|node| (node, NodeStatus::Success));
    assert_statuses(&finished, RunStatus::Success, &nodes);
    assert_same_call(&world.script.calls_of("load"));
    assert_same_call(&world.script.calls_of("clean"));
    let events = host.events_of(resumed.id()).await;
    assert!(
        lines(&events)[0].contains("missing or damaged"),
        "{events:?}"
    );
}

async fn a_chain_of_damaged_outputs_is_executed_again(store: Store) {
    let world = world(store);
    world.script.script("clean", [Step::pass_on()]);
    world
        .script
        .script("save", [Step::permanent("full"), Step::pass_on()]);
    let host = world.start().await;
    let failed = failed_run(&host).await;
    host.storage.damage_outputs();
    let resumed = failed.resume().await.unwrap();
    let finished = resumed.finished().await.unwrap();
    let nodes = ["clean", "save"].map(|node| (node, NodeStatus::Success));
    let nodes = [&[("load", NodeStatus::Success)], &nodes[..]].concat();
    assert_statuses(&finished, RunStatus::Success, &nodes);
    // Both outputs are damaged: `save` needs `clean` again, and `clean` needs `load` again.
    assert_eq!(world.calls()["load"], 2);
}

async fn a_node_whose_output_was_too_large_to_store_is_executed_again_and_logged(store: Store) {
    let mut world = world(store);
    world.limits.output_bytes_max = 16;
    let host = world.start().await;
    let failed = failed_run(&host).await;
    let resumed = failed.resume().await.unwrap();
    let finished = resumed.finished().await.unwrap();
    let nodes = ["load", "clean", "save"].map(|node| (node, NodeStatus::Success));
    assert_statuses(&finished, RunStatus::Success, &nodes);
    assert_same_call(&world.script.calls_of("clean"));
    let events = host.events_of(resumed.id()).await;
    let log = events.iter().find(|event| event.kind == EventKind::Log);
    let log = log.unwrap();
    assert_eq!(log.node_id.as_ref().map(|id| id.as_str()), Some("load"));
    let text = log.message.as_deref().unwrap();
    assert!(text.contains("too large to store"), "{text}");
}

async fn a_node_that_needs_the_lost_output_of_a_sink_fails_with_the_reason(store: Store) {
    let mut world = world(store);
    world.limits.output_bytes_max = 16;
    world.script.effect("load", Effect::Sink);
    let host = world.start().await;
    let failed = failed_run(&host).await;
    let resumed = failed.resume().await.unwrap();
    let finished = resumed.finished().await.unwrap();
    let nodes = [
        ("load", NodeStatus::Skipped),
        ("clean", NodeStatus::Failed),
        ("save", NodeStatus::Skipped),
    ];
    assert_statuses(&finished, RunStatus::Failed, &nodes);
    let error = finished.run.error.unwrap();
    assert!(
        error.contains("node clean") && error.contains("output of load"),
        "{error}"
    );
    assert_eq!((world.calls()["load"], world.calls()["clean"]), (1, 1));
}
