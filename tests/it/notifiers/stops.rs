//! Shutdowns and drops: what is stored is brought within the grace, the rest after the next start.

use std::time::Duration;

use floret::EventKind;
use floret::notifier::ChannelNotifier;

use super::pager::{Act, Pager};
use super::{seqs_of, start, turn_until, world};
use crate::harness::Store;

on_every_backend! {
    a_shutdown_brings_what_is_stored,
    a_shutdown_leaves_what_hangs_to_the_next_start,
    a_crash_loses_no_event,
    what_a_channel_handed_on_comes_again_unless_the_next_was_asked_for,
}

const GRACE: Duration = Duration::from_secs(10);

async fn a_shutdown_brings_what_is_stored(store: Store) {
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
        assert_eq!(seqs_of(&pager.got(), run), seqs_of(&stored, run));
    }
    let before = pager.got().len();
    host.crash().await;
    let host = start(&world, &pager).await;
    let after = host.run("q").await.run.id;
    pager.ended(after).await;
    let again = pager.got().split_off(before);
    assert_eq!(
        seqs_of(&again, after).len(),
        again.len(),
        "nothing comes twice"
    );
}

async fn a_shutdown_leaves_what_hangs_to_the_next_start(store: Store) {
    let world = world(store);
    let pager = Pager::new(world.clock.clock());
    pager.acts("p", [Act::Take, Act::Hang]);
    let host = start(&world, &pager).await;
    let run = host.run("p").await.run.id;
    pager.called(2).await;
    let stopped = turn_until(&world, GRACE, host.floret.shutdown(GRACE)).await;
    stopped.unwrap();
    host.crash().await;
    pager.acts("p", [Act::Take]);
    let host = start(&world, &pager).await;
    pager.ended(run).await;
    let stored = seqs_of(&host.events_of(run).await, run);
    // The first may come again: the clock is turned past the moment in which it is noted too.
    let mut got = seqs_of(&pager.got(), run);
    got.dedup();
    assert_eq!(got, stored);
}

async fn a_crash_loses_no_event(store: Store) {
    let world = world(store);
    let pager = Pager::new(world.clock.clock());
    pager.acts("p", [Act::Take, Act::Take, Act::Hang]);
    let host = start(&world, &pager).await;
    let run = host.run("p").await.run.id;
    pager.called(3).await;
    host.crash().await;
    pager.acts("p", [Act::Take]);
    let host = start(&world, &pager).await;
    pager.ended(run).await;
    let stored = seqs_of(&host.events_of(run).await, run);
    let got = seqs_of(&pager.got(), run);
    // What was not stored as delivered comes again, from its beginning.
    assert_eq!((&got[..2], &got[2..]), (&stored[..2], &stored[..]));
}

async fn what_a_channel_handed_on_comes_again_unless_the_next_was_asked_for(store: Store) {
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
    let (end, stopped) = tokio::join!(notifications.next(), host.floret.shutdown(GRACE));
    stopped.unwrap();
    assert_eq!(end, None);
}
