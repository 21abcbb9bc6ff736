//! Notifiers that fail, hang and panic, and a storage that does.

use std::time::Duration;

use floret::storage::{Purge, System};
use floret::testing::{Fault, Method};
use floret::{EventKind, Problem, RunId, Scope};

use super::pager::{Act, Pager};
use super::{seqs_of, start, turn_until, world};
use crate::harness::{Host, Store, World};

on_every_backend! {
    after_a_failure_its_run_waits_and_others_go_on,
    what_fails_too_often_becomes_a_dead_letter_that_is_counted,
    what_fails_for_good_is_dead_at_once,
    one_that_hangs_holds_up_nothing_else,
    a_panic_is_a_failed_try,
    a_panic_when_asked_is_a_failed_try,
    purge_spares_what_was_not_delivered,
    a_storage_that_fails_for_a_moment_delays_deliveries,
    nothing_goes_out_before_a_death_is_stored,
}

const SECOND: Duration = Duration::from_secs(1);

async fn dead_letters(host: &Host) -> u64 {
    host.storage
        .stats(&Scope::All)
        .await
        .unwrap()
        .dead_letter_count
}

/// Ends once so many dead letters are counted.
async fn died(host: &Host, count: u64) {
    while dead_letters(host).await < count {
        tokio::task::yield_now().await;
    }
}

/// The run's events came, each once, in their order.
async fn assert_whole(pager: &Pager, host: &Host, run: RunId) {
    let stored = host.events_of(run).await;
    assert_eq!(seqs_of(&pager.got(), run), seqs_of(&stored, run));
}

async fn after_a_failure_its_run_waits_and_others_go_on(store: Store) {
    let world = world(store);
    let pager = Pager::new(world.clock.clock());
    pager.acts("p", [Act::Fail, Act::Fail, Act::Take]);
    let host = start(&world, &pager).await;
    let run = host.run("p").await.run.id;
    for _ in 0..3 {
        let other = host.run("q").await.run.id;
        pager.ended(other).await;
    }
    let first = host.events_of(run).await[0].seq;
    assert!(seqs_of(&pager.got(), run).is_empty());
    turn_until(&world, SECOND * 2, pager.ended(run)).await;
    assert_whole(&pager, &host, run).await;
    let calls = pager.calls_of(first);
    let pauses: Vec<_> = calls
        .windows(2)
        .map(|two| (two[1] - two[0]).num_seconds())
        .collect();
    assert_eq!(pauses.len(), 2);
    assert!(pauses[0] >= 1 && pauses[1] >= 2, "{pauses:?}");
    assert_eq!(dead_letters(&host).await, 0);
}

async fn what_fails_too_often_becomes_a_dead_letter_that_is_counted(store: Store) {
    let mut world = world(store);
    world.limits.notifier_tries_max = 3;
    let pager = Pager::new(world.clock.clock());
    pager.acts("p", [Act::Fail, Act::Fail, Act::Fail, Act::Take]);
    let host = start(&world, &pager).await;
    let run = host.run("p").await.run.id;
    turn_until(&world, SECOND * 4, pager.ended(run)).await;
    turn_until(&world, SECOND * 4, died(&host, 1)).await;
    let stored = seqs_of(&host.events_of(run).await, run);
    assert_eq!(seqs_of(&pager.got(), run), stored[1..]);
    assert_eq!(pager.calls_of(stored[0]).len(), 3);
    assert_eq!(dead_letters(&host).await, 1);
    host.stop().await;
    let host = start(&world, &pager).await;
    assert_eq!(dead_letters(&host).await, 1);
    assert_eq!(pager.calls_of(stored[0]).len(), 3);
}

async fn what_fails_for_good_is_dead_at_once(store: Store) {
    let world = world(store);
    let pager = Pager::new(world.clock.clock());
    pager.acts("q", [Act::Take, Act::FailForGood, Act::Take]);
    let host = start(&world, &pager).await;
    let run = host.run("q").await.run.id;
    pager.ended(run).await;
    died(&host, 1).await;
    let stored = seqs_of(&host.events_of(run).await, run);
    let got = seqs_of(&pager.got(), run);
    assert_eq!((got[0], &got[1..]), (stored[0], &stored[2..]));
    assert_eq!(pager.calls_of(stored[1]).len(), 1);
}

async fn one_that_hangs_holds_up_nothing_else(store: Store) {
    let mut world = world(store);
    world.limits.notifier_timeout = Duration::from_secs(30);
    world.limits.events_page_max = 4;
    let [pager, healthy] = [(); 2].map(|()| Pager::new(world.clock.clock()));
    pager.acts("p", [Act::Hang, Act::Take]);
    let (one, two) = (pager.clone(), healthy.clone());
    let host = world
        .start_with(|builder| builder.notifier("hangs", one).notifier("healthy", two))
        .await;
    let run = host.run("p").await.run.id;
    healthy.ended(run).await;
    for _ in 0..10 {
        let other = host.run("q").await.run.id;
        healthy.ended(other).await;
        pager.ended(other).await;
    }
    assert!(seqs_of(&pager.got(), run).is_empty());
    // The others took no time of the clock.
    world.clock.advance(Duration::from_secs(30));
    turn_until(&world, SECOND * 2, pager.ended(run)).await;
    assert_whole(&pager, &host, run).await;
    let first = host.events_of(run).await[0].seq;
    let calls = pager.calls_of(first);
    assert_eq!(calls.len(), 2);
    assert!((calls[1] - calls[0]).num_seconds() >= 31);
}

async fn a_panic_is_a_failed_try(store: Store) {
    let world = world(store);
    let pager = Pager::new(world.clock.clock());
    pager.acts("p", [Act::Panic, Act::Take]);
    let host = start(&world, &pager).await;
    let run = host.run("p").await.run.id;
    turn_until(&world, SECOND, pager.ended(run)).await;
    assert_whole(&pager, &host, run).await;
}

async fn a_panic_when_asked_is_a_failed_try(store: Store) {
    let mut world = world(store);
    world.limits.notifier_tries_max = 2;
    let pager = Pager::new(world.clock.clock());
    pager.panics_at(Some(EventKind::RunStarted));
    let host = start(&world, &pager).await;
    let run = host.run("q").await.run.id;
    turn_until(&world, SECOND, pager.ended(run)).await;
    turn_until(&world, SECOND, died(&host, 1)).await;
    let stored = host.events_of(run).await;
    assert_eq!(pager.got().len(), stored.len() - 1);
}

/// Purges every finished run.
async fn purge(world: &World, host: &Host) -> u64 {
    let purge = Purge::new(world.clock.clock().now() + SECOND, 1_000);
    host.storage.purge(purge).await.unwrap().deleted
}

async fn purge_spares_what_was_not_delivered(store: Store) {
    let world = world(store);
    let pager = Pager::new(world.clock.clock());
    pager.acts("q", [Act::Take, Act::Hang]);
    let host = start(&world, &pager).await;
    let run = host.run("q").await.run.id;
    pager.called(2).await;
    assert_eq!(purge(&world, &host).await, 0);
    host.stop().await;
    pager.acts("q", [Act::Take]);
    let host = start(&world, &pager).await;
    assert_eq!(purge(&world, &host).await, 0);
    pager.ended(run).await;
    host.floret.shutdown(SECOND * 10).await.unwrap();
    host.crash().await;
    let host = world.start().await;
    assert_eq!(purge(&world, &host).await, 1);
}

async fn a_storage_that_fails_for_a_moment_delays_deliveries(store: Store) {
    let world = world(store);
    let pager = Pager::new(world.clock.clock());
    pager.acts("p", [Act::Fail, Act::Take]);
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
    turn_until(&world, SECOND, pager.ended(run)).await;
    let stored = async {
        while host.storage.calls(Method::PutDeliveries) < 7 {
            tokio::task::yield_now().await;
        }
    };
    turn_until(&world, SECOND, stored).await;
    host.storage.heal();
    assert_whole(&pager, &host, run).await;
    host.stop().await;
    let host = start(&world, &pager).await;
    let after = host.run("q").await.run.id;
    pager.ended(after).await;
    assert_eq!(
        seqs_of(&pager.got(), run).len(),
        host.events_of(run).await.len()
    );
}

async fn nothing_goes_out_before_a_death_is_stored(store: Store) {
    let world = world(store);
    let pager = Pager::new(world.clock.clock());
    pager.acts("p", [Act::FailForGood, Act::Take]);
    let host = start(&world, &pager).await;
    let fault = Fault::before(Method::PutDeliveries, Problem::StorageBusy);
    host.storage.fail(fault);
    let run = host.run("p").await.run.id;
    while host.storage.calls(Method::PutDeliveries) == 0 {
        tokio::task::yield_now().await;
    }
    world.clock.sleeper_within(SECOND).await;
    assert!(pager.got().is_empty());
    turn_until(&world, SECOND, pager.ended(run)).await;
    assert!(host.storage.calls(Method::PutDeliveries) >= 2);
}

/// Makes the second row of the journal unreadable and tells the numbers of its events.
fn damage_second_row(world: &World) -> std::ops::RangeInclusive<u64> {
    let Store::Sqlite(directory) = &world.store else {
        panic!("memory has no rows");
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
async fn an_event_that_cannot_be_read_costs_itself_alone() {
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
    let came = async {
        pager.ended(run).await;
        pager.ended(other).await;
    };
    crate::harness::within("the way past a damaged row", Box::pin(came)).await;
    let mut readable = stored;
    readable.retain(|seq| !damaged.contains(seq));
    assert_eq!(seqs_of(&pager.got(), run), readable);
}
