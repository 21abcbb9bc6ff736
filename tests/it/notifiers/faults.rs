//! Notifiers that fail, hang or panic, and a storage that fails.
//!
//! Notifiers that block their thread are in `blocking`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use floret::storage::{ClaimCursors, Deliveries, Purge, System};
use floret::testing::{Fault, Method};
use floret::{EventKind, Problem, RunId, Scope};

use super::pager::{Behavior, Pager};
use super::{seqs_of, start, world};
use crate::harness::{Host, Store, World};

on_every_backend! {
    after_a_failure_only_the_events_of_its_run_wait,
    an_event_that_fails_too_often_becomes_a_counted_dead_letter,
    an_event_that_fails_permanently_becomes_a_dead_letter_at_once,
    a_notifier_that_hangs_delays_nothing_else,
    a_panic_is_a_failed_attempt,
    a_panic_in_the_filter_is_a_failed_attempt,
    purge_keeps_undelivered_events,
    a_brief_storage_failure_only_delays_deliveries,
    no_event_is_delivered_before_a_dead_letter_is_stored,
}

const SECOND: Duration = Duration::from_secs(1);

async fn dead_letters(host: &Host) -> u64 {
    host.storage
        .stats(&Scope::All)
        .await
        .unwrap()
        .dead_letter_count
}

/// Waits until `count` dead letters are counted.
async fn wait_for_dead_letters(host: &Host, count: u64) {
    while dead_letters(host).await < count {
        tokio::task::yield_now().await;
    }
}

/// Returns whether it is stored that the pager has received every event up to `seq`.
async fn is_delivery_stored(world: &World, host: &Host, seq: u64) -> bool {
    let now = world.clock.clock().now();
    let claim = ClaimCursors::new(vec!["pager".to_owned()], DateTime::<Utc>::MIN_UTC, now);
    let claimed = host.storage.claim_cursors(claim).await.unwrap();
    let cursor = &claimed.cursors[0];
    cursor.seq >= seq && cursor.parked.is_empty()
}

/// Asserts that each event of a run was received once, in order.
async fn assert_complete(pager: &Pager, host: &Host, run: RunId) {
    let stored = host.events_of(run).await;
    assert_eq!(seqs_of(&pager.received(), run), seqs_of(&stored, run));
}

async fn after_a_failure_only_the_events_of_its_run_wait(store: Store) {
    let world = world(store);
    let pager = Pager::new(world.clock.clock());
    pager.script("p", [Behavior::Fail, Behavior::Fail, Behavior::Accept]);
    let host = start(&world, &pager).await;
    let run = host.run("p").await.run.id;
    for _ in 0..3 {
        let other = host.run("q").await.run.id;
        pager.received_run(other).await;
    }
    let first = host.events_of(run).await[0].seq;
    assert!(seqs_of(&pager.received(), run).is_empty());
    world
        .advance_until(SECOND * 2, pager.received_run(run))
        .await;
    assert_complete(&pager, &host, run).await;
    let calls = pager.calls_of(first);
    let delays: Vec<_> = calls
        .windows(2)
        .map(|two| (two[1] - two[0]).num_seconds())
        .collect();
    assert_eq!(delays.len(), 2);
    assert!(delays[0] >= 1 && delays[1] >= 2, "{delays:?}");
    assert_eq!(dead_letters(&host).await, 0);
}

async fn an_event_that_fails_too_often_becomes_a_counted_dead_letter(store: Store) {
    let mut world = world(store);
    world.limits.notifier_tries_max = 3;
    let pager = Pager::new(world.clock.clock());
    pager.script(
        "p",
        [
            Behavior::Fail,
            Behavior::Fail,
            Behavior::Fail,
            Behavior::Accept,
        ],
    );
    let host = start(&world, &pager).await;
    let run = host.run("p").await.run.id;
    world
        .advance_until(SECOND * 4, pager.received_run(run))
        .await;
    world
        .advance_until(SECOND * 4, wait_for_dead_letters(&host, 1))
        .await;
    let stored = seqs_of(&host.events_of(run).await, run);
    assert_eq!(seqs_of(&pager.received(), run), stored[1..]);
    assert_eq!(pager.calls_of(stored[0]).len(), 3);
    assert_eq!(dead_letters(&host).await, 1);
    host.stop().await;
    let host = start(&world, &pager).await;
    assert_eq!(dead_letters(&host).await, 1);
    assert_eq!(pager.calls_of(stored[0]).len(), 3);
}

async fn an_event_that_fails_permanently_becomes_a_dead_letter_at_once(store: Store) {
    let world = world(store);
    let pager = Pager::new(world.clock.clock());
    pager.script(
        "q",
        [
            Behavior::Accept,
            Behavior::FailPermanently,
            Behavior::Accept,
        ],
    );
    let host = start(&world, &pager).await;
    let run = host.run("q").await.run.id;
    pager.received_run(run).await;
    wait_for_dead_letters(&host, 1).await;
    let stored = seqs_of(&host.events_of(run).await, run);
    let received = seqs_of(&pager.received(), run);
    assert_eq!((received[0], &received[1..]), (stored[0], &stored[2..]));
    assert_eq!(pager.calls_of(stored[1]).len(), 1);
}

async fn a_notifier_that_hangs_delays_nothing_else(store: Store) {
    let mut world = world(store);
    world.limits.notifier_timeout = Duration::from_secs(30);
    world.limits.events_page_max = 4;
    let [pager, healthy] = [(); 2].map(|()| Pager::new(world.clock.clock()));
    pager.script("p", [Behavior::Hang, Behavior::Accept]);
    let (one, two) = (pager.clone(), healthy.clone());
    let host = world
        .start_with(|builder| builder.notifier("hangs", one).notifier("healthy", two))
        .await;
    let run = host.run("p").await.run.id;
    healthy.received_run(run).await;
    for _ in 0..10 {
        let other = host.run("q").await.run.id;
        healthy.received_run(other).await;
        pager.received_run(other).await;
    }
    assert!(seqs_of(&pager.received(), run).is_empty());
    // So far, no time has passed on the clock.
    world.clock.advance(Duration::from_secs(30));
    world
        .advance_until(SECOND * 2, pager.received_run(run))
        .await;
    assert_complete(&pager, &host, run).await;
    let first = host.events_of(run).await[0].seq;
    let calls = pager.calls_of(first);
    assert_eq!(calls.len(), 2);
    assert!((calls[1] - calls[0]).num_seconds() >= 31);
}

async fn a_panic_is_a_failed_attempt(store: Store) {
    let world = world(store);
    let pager = Pager::new(world.clock.clock());
    pager.script("p", [Behavior::Panic, Behavior::Accept]);
    let host = start(&world, &pager).await;
    let run = host.run("p").await.run.id;
    world.advance_until(SECOND, pager.received_run(run)).await;
    assert_complete(&pager, &host, run).await;
}

async fn a_panic_in_the_filter_is_a_failed_attempt(store: Store) {
    let mut world = world(store);
    world.limits.notifier_tries_max = 2;
    let pager = Pager::new(world.clock.clock());
    pager.panic_on(EventKind::RunStarted);
    let host = start(&world, &pager).await;
    let run = host.run("q").await.run.id;
    world.advance_until(SECOND, pager.received_run(run)).await;
    world
        .advance_until(SECOND, wait_for_dead_letters(&host, 1))
        .await;
    let stored = host.events_of(run).await;
    assert_eq!(pager.received().len(), stored.len() - 1);
}

/// Purges every finished run.
async fn purge(world: &World, host: &Host) -> u64 {
    let purge = Purge::new(world.clock.clock().now() + SECOND, 1_000);
    host.storage.purge(purge).await.unwrap().deleted
}

async fn purge_keeps_undelivered_events(store: Store) {
    let world = world(store);
    let pager = Pager::new(world.clock.clock());
    pager.script("q", [Behavior::Accept, Behavior::Hang]);
    let host = start(&world, &pager).await;
    let run = host.run("q").await.run.id;
    pager.called(2).await;
    assert_eq!(purge(&world, &host).await, 0);
    host.stop().await;
    pager.script("q", [Behavior::Accept]);
    let host = start(&world, &pager).await;
    assert_eq!(purge(&world, &host).await, 0);
    pager.received_run(run).await;
    host.floret.shutdown(SECOND * 10).await.unwrap();
    host.crash().await;
    let host = world.start().await;
    assert_eq!(purge(&world, &host).await, 1);
}

async fn a_brief_storage_failure_only_delays_deliveries(store: Store) {
    let world = world(store);
    let pager = Pager::new(world.clock.clock());
    pager.script("p", [Behavior::Fail, Behavior::Accept]);
    let host = start(&world, &pager).await;
    for method in [Method::Events, Method::PutDeliveries] {
        for fault in [
            Fault::before(method, Problem::StorageBusy),
            Fault::after(method, Problem::StorageFull).skip(3),
        ] {
            host.storage.fail(fault.times(3));
        }
    }
    let run = host.run("p").await.run.id;
    world.advance_until(SECOND, pager.received_run(run)).await;
    let last = host.events_of(run).await.last().unwrap().seq;
    let stored = async {
        let saves = || host.storage.calls(Method::PutDeliveries);
        while saves() < 7 || !is_delivery_stored(&world, &host, last).await {
            tokio::task::yield_now().await;
        }
    };
    world.advance_until(SECOND, stored).await;
    host.storage.heal();
    assert_complete(&pager, &host, run).await;
    host.stop().await;
    let host = start(&world, &pager).await;
    let after = host.run("q").await.run.id;
    pager.received_run(after).await;
    assert_eq!(
        seqs_of(&pager.received(), run).len(),
        host.events_of(run).await.len()
    );
}

async fn no_event_is_delivered_before_a_dead_letter_is_stored(store: Store) {
    let world = world(store);
    let pager = Pager::new(world.clock.clock());
    pager.script("p", [Behavior::FailPermanently, Behavior::Accept]);
    let host = start(&world, &pager).await;
    let fault = Fault::before(Method::PutDeliveries, Problem::StorageBusy);
    host.storage.fail(fault);
    let run = host.run("p").await.run.id;
    while host.storage.calls(Method::PutDeliveries) == 0 {
        tokio::task::yield_now().await;
    }
    world.clock.sleeper_within(SECOND).await;
    assert!(pager.received().is_empty());
    world.advance_until(SECOND, pager.received_run(run)).await;
    assert!(host.storage.calls(Method::PutDeliveries) >= 2);
}

/// Makes the second row of the journal unreadable. Returns the sequence numbers of its events.
fn damage_second_row(world: &World) -> std::ops::RangeInclusive<u64> {
    let Store::Sqlite(directory) = &world.store else {
        panic!("a storage in memory has no rows");
    };
    let connection = rusqlite::Connection::open(directory.path().join("floret.db")).unwrap();
    let second = "SELECT seq, n FROM journal ORDER BY seq LIMIT 1 OFFSET 1";
    let (seq, count): (u64, u64) = connection
        .query_row(second, [], |row| {
            let (seq, count): (i64, i64) = (row.get(0)?, row.get(1)?);
            Ok((seq.unsigned_abs(), count.unsigned_abs()))
        })
        .unwrap();
    let damage = "UPDATE journal SET body = 'x' WHERE seq = ?";
    let seq_stored = i64::try_from(seq).unwrap();
    assert_eq!(connection.execute(damage, [seq_stored]).unwrap(), 1);
    seq + 1 - count..=seq
}

#[tokio::test]
async fn an_unreadable_event_does_not_stop_other_deliveries() {
    let world = world(Store::sqlite());
    let pager = Pager::new(world.clock.clock());
    start(&world, &pager).await.stop().await;
    let host = world.start().await;
    let run = host.run("p").await.run.id;
    let stored = seqs_of(&host.events_of(run).await, run);
    host.stop().await;
    let damaged = damage_second_row(&world);
    let host = start(&world, &pager).await;
    let other = host.run("q").await.run.id;
    let received = async {
        pager.received_run(run).await;
        pager.received_run(other).await;
    };
    crate::harness::with_timeout("the delivery past a damaged row", Box::pin(received)).await;
    let mut readable = stored;
    readable.retain(|seq| !damaged.contains(seq));
    assert_eq!(seqs_of(&pager.received(), run), readable);
}
