//! Crashes: whichever storage call is the last one, every event of every run is delivered, in order
//! for each run.
//!
//! Real processes under `kill -9` are in `notifier_kills`.

use floret::testing::Fault;

use super::pager::{Behavior, Pager};
use super::{seqs_of, start, world};
use crate::harness::{Store, with_timeout};

/// Asserts that the first deliveries of the events of a run are complete and in order.
fn assert_received(received: &[u64], stored: &[u64], what: &str) {
    let mut first: Vec<u64> = Vec::new();
    for seq in received {
        if !first.contains(seq) {
            first.push(*seq);
        }
    }
    assert_eq!(first, stored, "{what}: {received:?}");
}

/// Runs a host that crashes after `calls` storage calls, and then a second host.
///
/// Returns whether the first host finished all its work before the crash.
async fn crash_after(store: Store, calls: u64) -> bool {
    let world = world(store);
    let pager = Pager::new(world.clock.clock());
    pager.script(
        "p",
        [
            Behavior::Accept,
            Behavior::Fail,
            Behavior::Accept,
            Behavior::Fail,
            Behavior::Accept,
        ],
    );
    let host = start(&world, &pager).await;
    let run = host.floret.run("p").key("once").start().await.unwrap().id();
    host.storage.fail(Fault::crash().skip(calls));
    let last = host.storage.total_calls() + calls;
    let crash = async {
        while host.storage.total_calls() <= last {
            tokio::task::yield_now().await;
        }
        false
    };
    let work = async {
        pager.received_run(run).await;
        while host.storage.calls(floret::testing::Method::PutDeliveries) < 2 {
            tokio::task::yield_now().await;
        }
        true
    };
    let second = std::time::Duration::from_secs(2);
    let first_host = async {
        tokio::select! {
            is_complete = work => is_complete,
            is_complete = crash => is_complete,
        }
    };
    let is_complete = world.advance_until(second, first_host).await;
    host.crash().await;
    world.expire_leases();
    let host = start(&world, &pager).await;
    world.advance_until(second, pager.received_run(run)).await;
    let stored = seqs_of(&host.events_of(run).await, run);
    let received = seqs_of(&pager.received(), run);
    assert_received(&received, &stored, &format!("after {calls} calls"));
    is_complete
}

async fn crash_after_each_call(open: impl Fn() -> Store) {
    for calls in 0.. {
        let what = format!("the crash after {calls} calls");
        if with_timeout(&what, Box::pin(crash_after(open(), calls))).await {
            assert!(calls > 8, "only {calls} calls were made");
            return;
        }
    }
}

#[tokio::test]
async fn a_crash_after_any_call_loses_no_delivery_in_memory() {
    Box::pin(crash_after_each_call(Store::memory)).await;
}

#[tokio::test]
async fn a_crash_after_any_call_loses_no_delivery_in_sqlite() {
    Box::pin(crash_after_each_call(Store::sqlite)).await;
}
