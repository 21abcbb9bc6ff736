//! Lost outputs: what a resume needs and storage no longer has is made again, unless it was a
//! sink's.

use floret::executor::Effect;
use floret::testing::Step;
use floret::{EventKind, NodeStatus, RunStatus};

use crate::harness::{Store, assert_statuses, lines};
use crate::resumes::{assert_same_call, failed_run, world};

on_every_backend! {
    a_damaged_output_makes_its_node_run_again,
    a_damaged_output_that_nobody_needs_is_left_alone,
    an_output_too_large_to_keep_is_made_again_and_the_log_says_so,
    a_node_that_needs_the_lost_output_of_a_sink_fails_and_says_so,
}

async fn a_damaged_output_makes_its_node_run_again(store: Store) {
    let world = world(store);
    let host = world.start().await;
    let failed = failed_run(&host).await;
    host.storage.damage_outputs();
    let resumed = host.floret.resume(failed.id()).await.unwrap();
    let ended = resumed.finished().await.unwrap();
    let nodes = ["load", "clean", "save"].map(|node| (node, NodeStatus::Success));
    assert_statuses(&ended, RunStatus::Success, &nodes);
    assert_same_call(&world.script.calls_of("load"));
    assert_same_call(&world.script.calls_of("clean"));
    let events = host.events_of(resumed.id()).await;
    assert!(
        lines(&events)[0].contains("missing or damaged"),
        "{events:?}"
    );
}

async fn a_damaged_output_that_nobody_needs_is_left_alone(store: Store) {
    let world = world(store);
    world.script.script("clean", [Step::pass_on()]);
    world
        .script
        .script("save", [Step::permanent("full"), Step::pass_on()]);
    let host = world.start().await;
    let failed = failed_run(&host).await;
    host.storage.damage_outputs();
    let resumed = host.floret.resume(failed.id()).await.unwrap();
    let ended = resumed.finished().await.unwrap();
    let nodes = ["clean", "save"].map(|node| (node, NodeStatus::Success));
    let nodes = [&[("load", NodeStatus::Success)], &nodes[..]].concat();
    assert_statuses(&ended, RunStatus::Success, &nodes);
    // `clean` must be made again for `save`, and `load` for `clean`: both are damaged.
    assert_eq!(world.calls()["load"], 2);
}

async fn an_output_too_large_to_keep_is_made_again_and_the_log_says_so(store: Store) {
    let mut world = world(store);
    world.limits.output_bytes_max = 16;
    let host = world.start().await;
    let failed = failed_run(&host).await;
    let resumed = host.floret.resume(failed.id()).await.unwrap();
    let ended = resumed.finished().await.unwrap();
    let nodes = ["load", "clean", "save"].map(|node| (node, NodeStatus::Success));
    assert_statuses(&ended, RunStatus::Success, &nodes);
    assert_same_call(&world.script.calls_of("clean"));
    let events = host.events_of(resumed.id()).await;
    let told = events.iter().find(|event| event.kind == EventKind::Log);
    let told = told.unwrap();
    assert_eq!(told.node_id.as_ref().map(|id| id.as_str()), Some("load"));
    let text = told.message.as_deref().unwrap();
    assert!(text.contains("too large to keep"), "{text}");
}

async fn a_node_that_needs_the_lost_output_of_a_sink_fails_and_says_so(store: Store) {
    let mut world = world(store);
    world.limits.output_bytes_max = 16;
    world.script.effect("load", Effect::Sink);
    let host = world.start().await;
    let failed = failed_run(&host).await;
    let resumed = host.floret.resume(failed.id()).await.unwrap();
    let ended = resumed.finished().await.unwrap();
    let nodes = [
        ("load", NodeStatus::Skipped),
        ("clean", NodeStatus::Failed),
        ("save", NodeStatus::Skipped),
    ];
    assert_statuses(&ended, RunStatus::Failed, &nodes);
    let error = ended.run.error.unwrap();
    assert!(
        error.contains("node clean") && error.contains("output of load"),
        "{error}"
    );
    assert_eq!((world.calls()["load"], world.calls()["clean"]), (1, 1));
}
