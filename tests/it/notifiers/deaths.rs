//! Deaths: Floret may end after any call of the storage, and still every event of every run comes,
//! in order a run.

use floret::testing::Fault;

use super::pager::{Act, Pager};
use super::{seqs_of, start, turn_until, world};
use crate::harness::{Store, within};

/// The first receipts of a run's events are all of them, in their order.
fn assert_received(got: &[u64], stored: &[u64], what: &str) {
    let mut first: Vec<u64> = Vec::new();
    for seq in got {
        if !first.contains(seq) {
            first.push(*seq);
        }
    }
    assert_eq!(first, stored, "{what}: {got:?}");
}

/// One life that ends after so many calls, and one after it. Answers whether the first came to its
/// end before.
async fn die_after(store: Store, calls: u64) -> bool {
    let world = world(store);
    let pager = Pager::new(world.clock.clock());
    pager.acts("p", [Act::Take, Act::Fail, Act::Take, Act::Fail, Act::Take]);
    let host = start(&world, &pager).await;
    let run = host.floret.run("p").key("once").start().await.unwrap().id();
    host.storage.fail(Fault::crash().skip(calls));
    let last = host.storage.total_calls() + calls;
    let death = async {
        while host.storage.total_calls() <= last {
            tokio::task::yield_now().await;
        }
        false
    };
    let work = async {
        pager.ended(run).await;
        while host.storage.calls(floret::testing::Method::PutDeliveries) < 2 {
            tokio::task::yield_now().await;
        }
        true
    };
    let second = std::time::Duration::from_secs(2);
    let life = async {
        tokio::select! {
            is_whole = work => is_whole,
            is_whole = death => is_whole,
        }
    };
    let is_whole = turn_until(&world, second, life).await;
    host.crash().await;
    world.outlive_leases();
    let host = start(&world, &pager).await;
    turn_until(&world, second, pager.ended(run)).await;
    let stored = seqs_of(&host.events_of(run).await, run);
    let got = seqs_of(&pager.got(), run);
    assert_received(&got, &stored, &format!("after {calls} calls"));
    is_whole
}

async fn die_after_each_call(open: impl Fn() -> Store) {
    for calls in 0.. {
        let what = format!("the life that ends after {calls} calls");
        if within(&what, Box::pin(die_after(open(), calls))).await {
            assert!(calls > 8, "{calls} calls: no life at all");
            return;
        }
    }
}

#[tokio::test]
async fn a_death_after_any_call_loses_no_delivery_in_memory() {
    Box::pin(die_after_each_call(Store::memory)).await;
}

#[tokio::test]
async fn a_death_after_any_call_loses_no_delivery_on_sqlite() {
    Box::pin(die_after_each_call(Store::sqlite)).await;
}
