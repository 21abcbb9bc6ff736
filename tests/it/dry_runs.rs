//! Dry runs from the host's own code: how they finish, and that they store nothing.

use std::sync::Arc;
use std::time::Duration;

use floret::executor::{Ctx, Effect};
use floret::testing::{Gate, Method, Step};
use floret::{DryRun, ErrorKind, Floret, Node, NodeStatus, Pipeline, Result};
use serde_json::json;
use tokio::task::JoinSet;

use crate::harness::{Host, STEP, Store, World, chain, step};

on_every_backend! {
    nothing_is_stored_or_logged,
    a_sink_is_skipped_with_its_descendants,
    a_node_gets_one_attempt,
    a_node_that_misses_the_deadline_fails_with_the_reason,
    the_timeout_of_a_node_applies,
    executors_are_stopped_when_the_caller_drops_the_dry_run,
    a_shutdown_interrupts_a_dry_run,
    an_unknown_template_name_fails_its_node,
    a_panic_fails_its_node,
    a_dry_run_counts_until_its_blocking_code_ends,
}

/// Starts a dry run in its own task.
fn begin(floret: &Floret) -> JoinSet<Result<DryRun>> {
    let mut task = JoinSet::new();
    task.spawn(floret.dry_run("p").into_future());
    task
}

async fn finish(mut task: JoinSet<Result<DryRun>>) -> Result<DryRun> {
    task.join_next().await.unwrap().unwrap()
}

fn statuses(found: &DryRun) -> Vec<(&str, NodeStatus)> {
    let nodes = found.nodes.iter();
    nodes
        .map(|node| (node.node_id.as_str(), node.status))
        .collect()
}

/// Returns the number of calls that write runs. Claims do not count, because the queue polls at any
/// time.
fn writes(host: &Host) -> u64 {
    let of_runs = [
        Method::CreateRuns,
        Method::Append,
        Method::PutOutputChunk,
        Method::RequestCancel,
        Method::EditRun,
    ];
    let calls = of_runs.map(|method| host.storage.calls(method));
    calls.iter().sum()
}

async fn nothing_is_stored_or_logged(store: Store) {
    let world = World::quiet(store).pipeline(chain("p", &["load", "clean"]));
    world
        .script
        .script("load", [Step::rows([json!({"id": 1})]).logs("loading")]);
    let host = world.start().await;
    host.run("p").await;
    let (writes, events) = (writes(&host), host.events().await);
    let found = host.floret.dry_run("p").await.unwrap();
    assert_eq!(
        statuses(&found),
        [
            ("load", NodeStatus::Success),
            ("clean", NodeStatus::Success)
        ]
    );
    assert_eq!(self::writes(&host), writes);
    assert_eq!(host.events().await, events);
}

async fn a_sink_is_skipped_with_its_descendants(store: Store) {
    let pipeline = chain("p", &["load", "save", "after"]);
    let world = World::new(store).pipeline(pipeline);
    world
        .script
        .script("load", [Step::rows([json!({"id": 1})])]);
    world.script.effect("save", Effect::Sink);
    let host = world.start().await;
    let found = host.floret.dry_run("p").await.unwrap();
    assert_eq!(
        statuses(&found),
        [
            ("load", NodeStatus::Success),
            ("save", NodeStatus::Skipped),
            ("after", NodeStatus::Skipped)
        ]
    );
    assert_eq!(found.node("save").unwrap().rows.len(), 1);
    assert_eq!(found.node("after").unwrap().rows.len(), 0);
    assert_eq!(world.calls().into_keys().collect::<Vec<_>>(), ["load"]);
}

async fn a_node_gets_one_attempt(store: Store) {
    let node = step("load").config("max_retries", 5);
    let world = World::new(store).pipeline(Pipeline::new("p").with(node));
    world
        .script
        .script("load", [Step::retryable("busy"), Step::nothing()]);
    let host = world.start().await;
    let found = host.floret.dry_run("p").await.unwrap();
    let load = found.node("load").unwrap();
    assert_eq!(
        (load.status, load.error.as_deref()),
        (NodeStatus::Failed, Some("busy"))
    );
    assert_eq!(world.calls()["load"], 1);
}

async fn a_node_that_misses_the_deadline_fails_with_the_reason(store: Store) {
    let pipeline = chain("p", &["load", "clean"]).node("quick", STEP);
    let world = World::quiet(store).pipeline(pipeline);
    let gate = Gate::default();
    world.script.script("load", [Step::nothing().at(&gate)]);
    let host = world.start().await;
    let dry_run = begin(&host.floret);
    world.script.started("load").await;
    let allowed = world.limits.dry_run_timeout;
    assert_eq!(world.advance_within(allowed).await, allowed);
    let found = finish(dry_run).await.unwrap();
    let expected = "not finished within the time limit of a dry run, 60 s";
    for late in ["load", "clean"] {
        let node = found.node(late).unwrap();
        assert_eq!(node.status, NodeStatus::Failed, "{late}");
        assert_eq!(node.error.as_deref(), Some(expected), "{late}");
    }
    assert_eq!(found.node("quick").unwrap().status, NodeStatus::Success);
    assert_eq!(world.script.executing(), 0);
}

async fn the_timeout_of_a_node_applies(store: Store) {
    let node = step("load").config("timeout", 5);
    let world = World::quiet(store).pipeline(Pipeline::new("p").with(node));
    world
        .script
        .script("load", [Step::nothing().at(&Gate::default())]);
    let host = world.start().await;
    let dry_run = begin(&host.floret);
    world.script.started("load").await;
    let timeout = Duration::from_secs(5);
    assert_eq!(world.advance_within(timeout).await, timeout);
    let found = finish(dry_run).await.unwrap();
    let expected = "the attempt exceeded its timeout of 5 s";
    assert_eq!(found.node("load").unwrap().error.as_deref(), Some(expected));
}

async fn executors_are_stopped_when_the_caller_drops_the_dry_run(store: Store) {
    let world = World::quiet(store).pipeline(chain("p", &["load"]));
    world.script.script(
        "load",
        [Step::nothing().at(&Gate::default()).ignores_cancel()],
    );
    let host = world.start().await;
    for count in 1..=5 {
        let dry_run = begin(&host.floret);
        world.script.started_times("load", count).await;
        drop(dry_run);
    }
    while world.script.executing() > 0 {
        tokio::task::yield_now().await;
    }
}

async fn a_shutdown_interrupts_a_dry_run(store: Store) {
    let world = World::quiet(store).pipeline(chain("p", &["load"]));
    world
        .script
        .script("load", [Step::nothing().at(&Gate::default())]);
    let host = world.start().await;
    let floret = host.floret.clone();
    let dry_run = begin(&floret);
    world.script.started("load").await;
    floret.shutdown(Duration::ZERO).await.unwrap();
    let refused = finish(dry_run).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ShuttingDown);
    let refused = floret.dry_run("p").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ShuttingDown);
}

async fn an_unknown_template_name_fails_its_node(store: Store) {
    let node = step("load").config("path", "${param.nothing}");
    let world = World::new(store).pipeline(Pipeline::new("p").with(node));
    let host = world.start().await;
    let found = host.floret.dry_run("p").await.unwrap();
    let error = found.nodes[0].error.clone().unwrap();
    assert!(error.contains("no parameter is called"), "{error}");
    let found = host
        .floret
        .dry_run("p")
        .param("nothing", "x")
        .await
        .unwrap();
    assert_eq!(found.nodes[0].status, NodeStatus::Success);
}

async fn a_panic_fails_its_node(store: Store) {
    let world = World::new(store).pipeline(Pipeline::new("p").with(Node::new("load", STEP)));
    world.script.script("load", [Step::panic("oh")]);
    let host = world.start().await;
    let found = host.floret.dry_run("p").await.unwrap();
    let expected = "the executor panicked: oh";
    assert_eq!(found.nodes[0].error.as_deref(), Some(expected));
}

async fn a_dry_run_counts_until_its_blocking_code_ends(store: Store) {
    let mut world = World::quiet(store).pipeline(Pipeline::new("p").node("a", "blocks"));
    world.limits.dry_runs_max = 1;
    let (hold, release) = std::sync::mpsc::channel::<()>();
    let release = Arc::new(parking_lot::Mutex::new(release));
    let (started, starts) = tokio::sync::watch::channel(0);
    let blocks = move |_: Ctx| {
        let (release, started) = (Arc::clone(&release), started.clone());
        async move {
            started.send_modify(|count| *count += 1);
            // The channel closes when the test releases the node.
            let _ = release.lock().recv();
            Ok::<_, std::io::Error>(())
        }
    };
    let host = world
        .start_with(|builder| builder.node("blocks", blocks))
        .await;
    // The blocking code runs on the threads of the host, beside this test.
    let floret = host.floret.clone();
    let first = host.on_runtime(async move { begin(&floret) }).await;
    let mut started_once = starts.clone();
    started_once.wait_for(|count| *count == 1).await.unwrap();
    drop(first);
    let refused = host.floret.dry_run("p").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::TooManyRequests);
    drop(hold);
    loop {
        let floret = host.floret.clone();
        let again = host.on_runtime(async move { floret.dry_run("p").await });
        match again.await {
            Ok(found) => break assert_eq!(statuses(&found), [("a", NodeStatus::Success)]),
            Err(error) => assert_eq!(error.kind(), ErrorKind::TooManyRequests),
        }
        tokio::task::yield_now().await;
    }
}
