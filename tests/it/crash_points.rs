//! Crashes at each storage call: nothing that was committed before the crash is executed again.
//!
//! Crashes of a real process are left to `crash`.

use std::collections::BTreeSet;

use floret::storage::{EventFilter, Events};
use floret::testing::{Fault, FaultyStorage, Step};
use floret::{EventKind, NodeStatus, Pipeline, RunStatus};
use serde_json::json;

use crate::harness::{Host, Store, World, assert_statuses, kinds, step, with_timeout};

const NODES: [&str; 4] = ["a", "b", "c", "d"];

/// Returns a world with the diamond a → b → d and a → c → d. `b` needs a second attempt, and the
/// output of `a` has two chunks, or is stored with its result if it may be inline.
fn world(store: Store, inline_output_bytes_max: usize) -> World {
    let diamond = Pipeline::new("p")
        .with(step("a"))
        .with(step("b").config("max_retries", 1).config("retry_delay", 0))
        .after("a")
        .with(step("c"))
        .after("a")
        .with(step("d"))
        .after("b")
        .after("c");
    let mut world = World::new(store).pipeline(diamond);
    world.limits.chunk_bytes_max = 256;
    world.limits.inline_output_bytes_max = inline_output_bytes_max;
    world
        .script
        .script("a", [Step::rows([json!({"x": "y"})]).logs("line")]);
    world
        .script
        .script("b", [Step::retryable("not yet"), Step::pass_on()]);
    world
}

/// Triggers a run and returns once it finishes or the storage fails.
async fn run_until_crash(host: &Host, last: u64) {
    let work = async {
        if let Ok(run) = host.floret.run("p").key("once").start().await {
            // An error here is the crash under test.
            drop(run.finished().await);
        }
    };
    let crash = async {
        while host.storage.total_calls() <= last {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = work => {}
        () = crash => {}
    }
}

async fn completed(storage: &FaultyStorage) -> BTreeSet<String> {
    let mut filter = EventFilter::default();
    filter.kinds = vec![EventKind::NodeCompleted];
    let events = storage.events(filter, 0, u32::MAX).await.unwrap().events;
    let nodes = events.into_iter().filter_map(|event| event.node_id);
    nodes.map(|id| id.to_string()).collect()
}

async fn crash_after(world: World, calls: u64) {
    let host = world.start().await;
    let last = host.storage.total_calls() + calls;
    host.storage.fail(Fault::crash().skip(calls));
    run_until_crash(&host, last).await;
    host.crash().await;
    world.expire_leases();
    let storage = world.store.open().await;
    let committed = completed(&storage).await;
    let before = world.calls();
    let host = world.start_on(storage, |builder| builder).await;
    let run = host.floret.run("p").key("once").start().await.unwrap();
    let finished = run.finished().await.unwrap();
    assert_statuses(
        &finished,
        RunStatus::Success,
        &NODES.map(|node| (node, NodeStatus::Success)),
    );
    assert_eq!(host.runs().await.len(), 1);
    for (node, count) in world.calls() {
        let again = count - before.get(&node).copied().unwrap_or(0);
        let expected = if committed.contains(&node) { 0 } else { 1 };
        // The failed attempt of `b` can be executed again as well.
        let most = expected + usize::from(node == "b");
        assert!(
            (expected..=most).contains(&again),
            "{node} was executed {again} more times"
        );
    }
    let kinds = kinds(&host.events_of(run.id()).await);
    for kind in [EventKind::RunStarted, EventKind::RunCompleted] {
        assert_eq!(
            kinds.iter().filter(|recorded| **recorded == kind).count(),
            1,
            "{kinds:?}"
        );
    }
    let completions = kinds
        .iter()
        .filter(|kind| **kind == EventKind::NodeCompleted);
    assert_eq!(completions.count(), NODES.len(), "{kinds:?}");
    assert_eq!(kinds.last(), Some(&EventKind::RunCompleted));
}

async fn crash_after_each_call(open: fn() -> Store) {
    for inline_output_bytes_max in [0, usize::MAX] {
        let new_world = || world(open(), inline_output_bytes_max);
        let world = new_world();
        let host = world.start().await;
        let before = host.storage.total_calls();
        host.run("p").await;
        let calls = host.storage.total_calls() - before;
        for call in 0..calls {
            let what = format!("a crash after {call} calls, {inline_output_bytes_max} inline");
            with_timeout(&what, Box::pin(crash_after(new_world(), call))).await;
        }
    }
}

#[tokio::test]
async fn a_crash_after_any_call_repeats_no_committed_node_in_memory() {
    Box::pin(crash_after_each_call(Store::memory)).await;
}

#[tokio::test]
async fn a_crash_after_any_call_repeats_no_committed_node_on_sqlite() {
    Box::pin(crash_after_each_call(Store::sqlite)).await;
}
