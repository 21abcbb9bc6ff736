//! Missing outputs: the error of a host that reads one says which reason holds.
//!
//! Which outputs a finished run retains is in `outputs`.

use floret::executor::Effect;
use floret::query::NewVariable;
use floret::testing::{Gate, Step};
use floret::{ErrorKind, Floret, NodeRun, NodeStatus, Pipeline, RunHandle, Secret, SecretKey};
use serde_json::{Value, json};

use crate::harness::{Store, World, chain, step};

on_every_backend! {
    an_output_that_a_success_drops_is_said_to_be_dropped,
    a_node_that_has_not_succeeded_is_said_to_have_no_output,
    a_node_that_returned_nothing_is_said_to_have_no_output,
    an_output_that_was_too_large_is_said_to_be_too_large,
    an_output_with_a_secret_is_said_to_contain_one,
    an_output_that_a_recovery_drops_is_said_to_be_dropped,
    an_output_that_a_cancel_drops_is_said_to_be_dropped,
}

/// Asserts that reading the output of a node is refused with this reason.
async fn assert_missing(run: &RunHandle, node: &str, reason: &str) {
    let refused = run.output::<Value>(node).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::OutputDropped);
    let expected = format!("the output of node \"{node}\" {reason}");
    assert_eq!(refused.to_string(), expected);
}

const DROPPED: &str = "was dropped when the run succeeded, which keeps only the outputs of its last nodes; Node::keep_output keeps it";
const TOO_LARGE: &str = "was never stored: it is larger than the limit output_bytes_max";

fn world(store: Store) -> World {
    let world = World::new(store).pipeline(chain("p", &["load", "save"]));
    world.script.script("load", [Step::rows([json!({"x": 1})])]);
    world
}

async fn an_output_that_a_success_drops_is_said_to_be_dropped(store: Store) {
    let mut world = world(store);
    world.limits.result_bytes_max = 16;
    let host = world.start().await;
    let run = host.trigger("p").await;
    run.finished().await.unwrap();
    assert_missing(&run, "load", DROPPED).await;
    let reason = "was dropped when the run succeeded: it is larger than the limit result_bytes_max; Node::keep_output keeps it";
    assert_missing(&run, "save", reason).await;
}

async fn a_node_that_has_not_succeeded_is_said_to_have_no_output(store: Store) {
    let world = world(store).pipeline(chain("q", &["load", "save", "report"]));
    let gate = Gate::new();
    world
        .script
        .script("save", [Step::permanent("full").at(&gate)]);
    let host = world.start().await;
    let run = host.trigger("q").await;
    world.script.started("save").await;
    // The start of a node is stored a moment after it.
    let is_running = |node: &NodeRun| node.status == NodeStatus::Running;
    while !host.stored(&run).await.nodes.iter().any(is_running) {
        tokio::task::yield_now().await;
    }
    let not = |status| format!("is not stored: the node has not succeeded, it is {status}");
    assert_missing(&run, "save", &not("running")).await;
    assert_missing(&run, "report", &not("pending")).await;
    gate.open();
    run.finished().await.unwrap();
    assert_missing(&run, "save", &not("failed")).await;
    assert_missing(&run, "report", &not("skipped")).await;
}

async fn a_node_that_returned_nothing_is_said_to_have_no_output(store: Store) {
    let world = world(store);
    world.script.script("save", [Step::nothing()]);
    let host = world.start().await;
    let run = host.trigger("p").await;
    run.finished().await.unwrap();
    let reason = "does not exist: the node succeeded and returned none";
    assert_missing(&run, "save", reason).await;
}

async fn an_output_that_was_too_large_is_said_to_be_too_large(store: Store) {
    let mut world = world(store);
    world.limits.output_bytes_max = 16;
    world.script.effect("save", Effect::Sink);
    world
        .script
        .script("save", [Step::permanent("full"), Step::nothing()]);
    let host = world.start().await;
    let failed = host.trigger("p").await;
    failed.finished().await.unwrap();
    assert_missing(&failed, "load", TOO_LARGE).await;
}

async fn an_output_with_a_secret_is_said_to_contain_one(store: Store) {
    let world = World::new(store);
    let leak = step("leak").config("token", "${var.TOKEN}");
    let row = json!({"x": "hunter2-hunter2"});
    world.script.script("leak", [Step::rows([row])]);
    let daily = Pipeline::new("daily").with(leak);
    let key = SecretKey::from_bytes([7; 32]);
    let host = world
        .start_with(|builder| builder.secret_key(key).pipeline(daily))
        .await;
    store_token(&host.floret).await;
    let run = host.trigger("daily").await;
    run.finished().await.unwrap();
    let reason = "was never stored: it contains a secret that the run has opened";
    assert_missing(&run, "leak", reason).await;
}

async fn store_token(floret: &Floret) {
    let token = NewVariable::secret("TOKEN", Secret::new("hunter2-hunter2".to_owned()));
    floret.variables().create(token).await.unwrap();
}

async fn an_output_that_a_recovery_drops_is_said_to_be_dropped(store: Store) {
    let world = world(store);
    world
        .script
        .script("save", [Step::permanent("full"), Step::pass_on()]);
    let host = world.start().await;
    let failed = host.trigger("p").await;
    failed.finished().await.unwrap();
    assert_eq!(failed.output::<Value>("load").await.unwrap().len(), 1);
    let resumed = failed.resume().await.unwrap();
    resumed.finished().await.unwrap();
    let reason = "was dropped when a resume of the run succeeded";
    assert_missing(&failed, "load", reason).await;
    assert_missing(&resumed, "load", DROPPED).await;
}

async fn an_output_that_a_cancel_drops_is_said_to_be_dropped(store: Store) {
    let world = world(store);
    let gate = Gate::new();
    world.script.script("save", [Step::pass_on().at(&gate)]);
    let host = world.start().await;
    let run = host.trigger("p").await;
    world.script.started("save").await;
    run.cancel().await.unwrap();
    gate.open();
    run.finished().await.unwrap();
    assert_missing(&run, "load", "was dropped when the run was cancelled").await;
}
