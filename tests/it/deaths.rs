//! Deaths: the process may end after any call of the storage; what was committed then is not done
//! again.

use std::collections::BTreeSet;

use floret::storage::{EventFilter, Events};
use floret::testing::{Fault, FaultyStorage, Step};
use floret::{EventKind, NodeStatus, Pipeline, RunStatus};
use serde_json::json;

use crate::harness::{Host, Store, World, assert_statuses, kinds, step, with_timeout};

const NODES: [&str; 4] = ["a", "b", "c", "d"];

/// a → b → d and a → c → d; `b` needs a second attempt, `a` hands on two chunks.
fn world(store: Store) -> World {
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
    world
        .script
        .script("a", [Step::rows([json!({"x": "y"})]).logs("line")]);
    world
        .script
        .script("b", [Step::retryable("not yet"), Step::pass_on()]);
    world
}

/// Triggers, and ends with the run or with the first call that fails.
async fn live(host: &Host, last: u64) {
    let work = async {
        if let Ok(run) = host.floret.run("p").key("once").start().await {
            // An error is the death that the test is about.
            drop(run.finished().await);
        }
    };
    let death = async {
        while host.storage.total_calls() <= last {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = work => {}
        () = death => {}
    }
}

async fn completed(storage: &FaultyStorage) -> BTreeSet<String> {
    let mut filter = EventFilter::default();
    filter.kinds = vec![EventKind::NodeCompleted];
    let events = storage.events(filter, 0, u32::MAX).await.unwrap();
    let nodes = events.into_iter().filter_map(|event| event.node_id);
    nodes.map(|id| id.to_string()).collect()
}

async fn die_after(store: Store, calls: u64) {
    let world = world(store);
    let host = world.start().await;
    let last = host.storage.total_calls() + calls;
    host.storage.fail(Fault::crash().skip(calls));
    live(&host, last).await;
    host.crash().await;
    world.expire_leases();
    let storage = world.store.open().await;
    let committed = completed(&storage).await;
    let before = world.calls();
    let host = world.start_on(storage, |builder| builder).await;
    let run = host.floret.run("p").key("once").start().await.unwrap();
    let ended = run.finished().await.unwrap();
    assert_statuses(
        &ended,
        RunStatus::Success,
        &NODES.map(|node| (node, NodeStatus::Success)),
    );
    assert_eq!(host.runs().await.len(), 1);
    for (node, count) in world.calls() {
        let again = count - before.get(&node).copied().unwrap_or(0);
        let expected = if committed.contains(&node) { 0 } else { 1 };
        // The attempt of `b` that failed may be made again too.
        let may = expected + usize::from(node == "b");
        assert!(
            (expected..=may).contains(&again),
            "{node} ran {again} times more"
        );
    }
    let kinds = kinds(&host.events_of(run.id()).await);
    for kind in [EventKind::RunStarted, EventKind::RunCompleted] {
        assert_eq!(
            kinds.iter().filter(|own| **own == kind).count(),
            1,
            "{kinds:?}"
        );
    }
    let ends = kinds
        .iter()
        .filter(|kind| **kind == EventKind::NodeCompleted);
    assert_eq!(ends.count(), NODES.len(), "{kinds:?}");
    assert_eq!(kinds.last(), Some(&EventKind::RunCompleted));
}

async fn die_after_each_call(open: impl Fn() -> Store) {
    let world = world(open());
    let host = world.start().await;
    let before = host.storage.total_calls();
    host.run("p").await;
    let calls = host.storage.total_calls() - before;
    for call in 0..calls {
        let what = format!("the life that ends after {call} calls");
        with_timeout(&what, Box::pin(die_after(open(), call))).await;
    }
}

#[tokio::test]
async fn a_death_after_any_call_repeats_nothing_that_was_committed_in_memory() {
    Box::pin(die_after_each_call(Store::memory)).await;
}

#[tokio::test]
async fn a_death_after_any_call_repeats_nothing_that_was_committed_on_sqlite() {
    Box::pin(die_after_each_call(Store::sqlite)).await;
}
