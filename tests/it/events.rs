//! Events: a subscription from any sequence number on, in order and without gaps.

use std::collections::BTreeMap;

use floret::storage::EventFilter;
use floret::testing::Step;
use floret::{Event, EventKind, RunStatus, Subscription};
use tokio::task::JoinSet;

use crate::harness::{Host, Store, World, chain, until};

on_every_backend! {
    a_subscription_is_gapless_and_ordered_under_eight_concurrent_runs,
    the_terminal_event_of_a_run_is_its_last,
    a_filtered_subscription_receives_only_matching_events,
    a_failed_read_is_reported_and_reading_continues,
}

const RUNS: usize = 40;

async fn busy(store: Store) -> (World, Host) {
    let mut world = World::new(store).pipeline(chain("p", &["a", "b", "c"]));
    world.limits.runs_max = 8;
    world.limits.events_page_max = 7;
    world
        .script
        .script("b", [Step::pass_on().logs("one").logs("two")]);
    let host = world.start().await;
    (world, host)
}

/// Reads until `count` runs have finished.
async fn read_until_finished(mut events: Subscription, count: usize) -> Vec<Event> {
    let mut finished = 0;
    let read = until(&mut events, |event| {
        finished += usize::from(event.kind.is_terminal());
        finished == count
    });
    read.await.unwrap()
}

async fn work(host: &Host) {
    let mut runs = JoinSet::new();
    for _ in 0..RUNS {
        let floret = host.floret.clone();
        runs.spawn(async move {
            let run = floret.run("p").start().await.unwrap();
            run.finished().await.unwrap().run.status
        });
    }
    let statuses = runs.join_all().await;
    assert!(statuses.iter().all(|status| *status == RunStatus::Success));
}

async fn a_subscription_is_gapless_and_ordered_under_eight_concurrent_runs(store: Store) {
    let (_world, host) = busy(store).await;
    let live = read_until_finished(host.floret.events_after(0), RUNS);
    let (live, ()) = tokio::join!(live, work(&host));
    let stored = host.events().await;
    assert_eq!(live, stored);
    assert!(stored.is_sorted_by(|one, two| one.seq + 1 == two.seq));
    let middle = stored.len() / 2;
    let rest = host.floret.events_after(stored[middle - 1].seq);
    let finished = stored[..middle]
        .iter()
        .filter(|event| event.kind.is_terminal());
    let rest = read_until_finished(rest, RUNS - finished.count()).await;
    assert_eq!(rest, stored[middle..]);
}

async fn the_terminal_event_of_a_run_is_its_last(store: Store) {
    let (_world, host) = busy(store).await;
    work(&host).await;
    let mut kinds_by_run: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for event in host.events().await {
        kinds_by_run
            .entry(event.run_id)
            .or_default()
            .push(event.kind);
    }
    assert_eq!(kinds_by_run.len(), RUNS);
    for kinds in kinds_by_run.into_values() {
        assert_eq!(kinds[..2], [EventKind::RunCreated, EventKind::RunStarted]);
        let terminal = kinds.iter().position(|kind| kind.is_terminal());
        assert_eq!(terminal, Some(kinds.len() - 1), "{kinds:?}");
    }
}

async fn a_filtered_subscription_receives_only_matching_events(store: Store) {
    let (_world, host) = busy(store).await;
    work(&host).await;
    let run = host.trigger("p").await;
    let mut filter = EventFilter::default();
    filter.run = Some(run.id());
    let own = read_until_finished(host.floret.events_of(filter.clone(), 0), 1).await;
    assert_eq!(own, host.events_of(run.id()).await);
    filter.run = None;
    filter.kinds = vec![EventKind::RunCompleted, EventKind::RunFailed];
    let completed = read_until_finished(host.floret.events_of(filter, 0), RUNS + 1).await;
    assert_eq!(completed.len(), RUNS + 1);
}

async fn a_failed_read_is_reported_and_reading_continues(store: Store) {
    let (_world, host) = busy(store).await;
    let mut events = host.floret.events_after(0);
    host.run("p").await;
    let fault = floret::testing::Fault::before(
        floret::testing::Method::Events,
        floret::Problem::StorageBusy,
    );
    host.storage.fail(fault);
    let failed = events.next().await.unwrap().unwrap_err();
    assert_eq!(failed.kind(), floret::ErrorKind::Unavailable);
    let read = read_until_finished(events, 1).await;
    assert_eq!(read, host.events().await);
}
