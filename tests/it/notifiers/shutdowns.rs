//! Shutdowns and crashes: stored events are delivered within the grace period, all others after the
//! next start.
//!
//! Crashes after each storage call are in `deaths`.

use std::time::Duration;

use floret::EventKind;
use floret::notifier::ChannelNotifier;

use super::pager::{Behavior, Pager};
use super::{seqs_of, start, world};
use crate::harness::Store;

on_every_backend! {
    a_shutdown_delivers_stored_events,
    a_delivery_that_hangs_is_repeated_after_a_shutdown,
    a_crash_loses_no_event,
    a_channel_repeats_its_last_event_unless_the_next_one_was_requested,
}

const GRACE: Duration = Duration::from_secs(10);

async fn a_shutdown_delivers_stored_events(store: Store) {
    let world = world(store);
    let pager = Pager::new(world.clock.clock());
    let host = start(&world, &pager).await;
    let mut runs = Vec::new();
    for _ in 0..10 {
        runs.push(host.run("p").await.run.id);
    }
    let stored = host.events().await;
    host.floret.shutdown(GRACE).await.unwrap();
    for run in runs {
        assert_eq!(seqs_of(&pager.received(), run), seqs_of(&stored, run));
    }
    let before = pager.received().len();
    host.crash().await;
    let host = start(&world, &pager).await;
    let after = host.run("q").await.run.id;
    pager.received_run(after).await;
    let after_restart = pager.received().split_off(before);
    assert_eq!(
        seqs_of(&after_restart, after).len(),
        after_restart.len(),
        "no event is delivered twice"
    );
}

async fn a_delivery_that_hangs_is_repeated_after_a_shutdown(store: Store) {
    let world = world(store);
    let pager = Pager::new(world.clock.clock());
    pager.script("p", [Behavior::Accept, Behavior::Hang]);
    let host = start(&world, &pager).await;
    let run = host.run("p").await.run.id;
    pager.called(2).await;
    let stopped = world
        .advance_until(GRACE, host.floret.shutdown(GRACE))
        .await;
    stopped.unwrap();
    host.crash().await;
    pager.script("p", [Behavior::Accept]);
    let host = start(&world, &pager).await;
    pager.received_run(run).await;
    let stored = seqs_of(&host.events_of(run).await, run);
    // The first event may arrive again, because its delivery may not be stored yet.
    let mut received = seqs_of(&pager.received(), run);
    received.dedup();
    assert_eq!(received, stored);
}

async fn a_crash_loses_no_event(store: Store) {
    let world = world(store);
    let pager = Pager::new(world.clock.clock());
    pager.script("p", [Behavior::Accept, Behavior::Accept, Behavior::Hang]);
    let host = start(&world, &pager).await;
    let run = host.run("p").await.run.id;
    pager.called(3).await;
    host.crash().await;
    pager.script("p", [Behavior::Accept]);
    let host = start(&world, &pager).await;
    pager.received_run(run).await;
    let stored = seqs_of(&host.events_of(run).await, run);
    let received = seqs_of(&pager.received(), run);
    // Deliveries that were not stored are repeated from the start of the run.
    assert_eq!(
        (&received[..2], &received[2..]),
        (&stored[..2], &stored[..])
    );
}

async fn a_channel_repeats_its_last_event_unless_the_next_one_was_requested(store: Store) {
    let world = world(store);
    let kinds = [EventKind::RunCreated, EventKind::RunCompleted];
    let (notifier, mut notifications) = ChannelNotifier::of(kinds);
    let host = world
        .start_with(|builder| builder.notifier("channel", notifier))
        .await;
    let run = host.run("q").await.run.id;
    let created = notifications.next().await.unwrap();
    let completed = notifications.next().await.unwrap();
    assert_eq!((created.run_id, created.kind), (run, EventKind::RunCreated));
    assert_eq!(completed.kind, EventKind::RunCompleted);
    host.stop().await;
    assert_eq!(notifications.next().await, None);
    let (notifier, mut notifications) = ChannelNotifier::of(kinds);
    let host = world
        .start_with(|builder| builder.notifier("channel", notifier))
        .await;
    assert_eq!(notifications.next().await, Some(completed));
    let (last, stopped) = tokio::join!(notifications.next(), host.floret.shutdown(GRACE));
    stopped.unwrap();
    assert_eq!(last, None);
}
