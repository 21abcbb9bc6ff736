//! Notifiers that are absent: for a while, or for too long.
//!
//! Deliveries while a notifier is registered are in `order`.

use std::time::Duration;

use floret::storage::{Purge, System};
use floret::testing::Method;
use tracing_subscriber::fmt;

use super::pager::{Behavior, Pager};
use super::{seqs_of, start, world};
use crate::harness::{CapturedTrace, Store, World};

on_every_backend! {
    a_notifier_that_was_absent_for_seven_days_starts_afresh,
    a_notifier_that_is_absent_for_seven_days_no_longer_blocks_purge,
    a_registered_notifier_keeps_its_cursor_for_weeks,
}

const DAY: Duration = Duration::from_secs(24 * 3_600);

async fn a_notifier_that_was_absent_for_seven_days_starts_afresh(store: Store) {
    let world = world(store);
    let pager = Pager::new(world.clock.clock());
    start(&world, &pager).await.stop().await;
    let host = world.start().await;
    let missed = host.run("p").await.run.id;
    host.stop().await;
    world.clock.advance(DAY * 7 + Duration::from_secs(1));
    let host = start(&world, &pager).await;
    let run = host.run("q").await.run.id;
    pager.received_run(run).await;
    assert!(seqs_of(&pager.received(), missed).is_empty());
    assert_eq!(pager.received().len(), host.events_of(run).await.len());
}

async fn a_notifier_that_is_absent_for_seven_days_no_longer_blocks_purge(store: Store) {
    let world = world(store);
    let pager = Pager::new(world.clock.clock());
    start(&world, &pager).await.stop().await;
    let host = world.start().await;
    host.run("q").await;
    let purge = async || {
        let before = world.clock.clock().now();
        host.storage
            .purge(Purge::new(before, 10))
            .await
            .unwrap()
            .deleted
    };
    world.clock.advance(DAY);
    assert_eq!(purge().await, 0);
    // The engine records the absence in the background.
    while purge().await == 0 {
        world.clock.advance(DAY);
    }
}

async fn a_registered_notifier_keeps_its_cursor_for_weeks(store: Store) {
    let mut world = world(store);
    world.limits.notifier_timeout = DAY * 100;
    let pager = Pager::new(world.clock.clock());
    pager.script("q", [Behavior::Hang]);
    let host = start(&world, &pager).await;
    let run = host.run("q").await.run.id;
    pager.called(1).await;
    let renewals = || host.storage.calls(Method::ClaimCursors);
    let before = renewals();
    world.clock.advance(DAY * 30);
    pager.script("q", [Behavior::Accept]);
    while renewals() == before {
        // The engine may not sleep yet. Small steps keep its last renewal recent when the host
        // stops.
        world.advance_within(DAY).await;
    }
    host.stop().await;
    let host = start(&world, &pager).await;
    pager.received_run(run).await;
    assert_eq!(
        seqs_of(&pager.received(), run),
        seqs_of(&host.events_of(run).await, run)
    );
}

#[tokio::test]
async fn a_lost_cursor_logs_a_warning() {
    let trace = CapturedTrace::default();
    let subscriber = fmt().with_ansi(false).with_writer(trace.clone());
    let world = World::new(Store::memory());
    let start = async |notifier: Option<Pager>| {
        let mut builder =
            floret::Floret::builder(world.store.open().await).clock(world.clock.clock());
        if let Some(pager) = notifier {
            builder = builder.notifier("pager", pager);
        }
        builder.start().await.unwrap()
    };
    let floret = start(Some(Pager::new(world.clock.clock()))).await;
    floret.shutdown(Duration::ZERO).await.unwrap();
    world.clock.advance(DAY * 8);
    // A subscriber for this thread is enough, because one thread executes the whole test.
    let _guard = tracing::subscriber::set_default(subscriber.finish());
    drop(start(None).await);
    let trace = trace.text();
    assert!(
        trace.contains("WARN") && trace.contains("notifier=pager"),
        "{trace}"
    );
    assert!(trace.contains("has lost its place"), "{trace}");
}
