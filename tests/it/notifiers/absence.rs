//! Names that are away: for a while, or too long.

use std::time::Duration;

use floret::storage::{Purge, System};
use floret::testing::Method;
use tracing_subscriber::fmt;

use super::pager::{Act, Pager};
use super::{seqs_of, start, world};
use crate::harness::{Store, World, Written};

on_every_backend! {
    a_name_that_was_absent_for_seven_days_begins_anew,
    a_name_that_is_absent_for_seven_days_holds_up_purge_no_longer,
    a_name_that_stays_keeps_its_place_for_weeks,
}

const DAY: Duration = Duration::from_secs(24 * 3_600);

async fn a_name_that_was_absent_for_seven_days_begins_anew(store: Store) {
    let world = world(store);
    let pager = Pager::new(world.clock.clock());
    start(&world, &pager).await.stop().await;
    let host = world.start().await;
    let missed = host.run("p").await.run.id;
    host.stop().await;
    world.clock.advance(DAY * 7 + Duration::from_secs(1));
    let host = start(&world, &pager).await;
    let run = host.run("q").await.run.id;
    pager.ended(run).await;
    assert!(seqs_of(&pager.got(), missed).is_empty());
    assert_eq!(pager.got().len(), host.events_of(run).await.len());
}

async fn a_name_that_is_absent_for_seven_days_holds_up_purge_no_longer(store: Store) {
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
    // It is noted by the engine itself, in its own time.
    while purge().await == 0 {
        world.clock.advance(DAY);
    }
}

async fn a_name_that_stays_keeps_its_place_for_weeks(store: Store) {
    let mut world = world(store);
    world.limits.notifier_timeout = DAY * 100;
    let pager = Pager::new(world.clock.clock());
    pager.acts("q", [Act::Hang]);
    let host = start(&world, &pager).await;
    let run = host.run("q").await.run.id;
    pager.called(1).await;
    let noted = || host.storage.calls(Method::ClaimCursors);
    let before = noted();
    world.clock.advance(DAY * 30);
    pager.acts("q", [Act::Take]);
    while noted() == before {
        // It may not have slept yet: from one sleep to the next, so that its note is young when the
        // host stops.
        world.turn_within(DAY).await;
    }
    host.stop().await;
    let host = start(&world, &pager).await;
    pager.ended(run).await;
    assert_eq!(
        seqs_of(&pager.got(), run),
        seqs_of(&host.events_of(run).await, run)
    );
}

#[tokio::test]
async fn a_lost_place_is_warned_of() {
    let written = Written::default();
    let subscriber = fmt().with_ansi(false).with_writer(written.clone());
    let world = World::new(Store::memory());
    let begin = async |notifier: Option<Pager>| {
        let mut builder =
            floret::Floret::builder(world.store.open().await).clock(world.clock.clock());
        if let Some(pager) = notifier {
            builder = builder.notifier("pager", pager);
        }
        builder.start().await.unwrap()
    };
    let floret = begin(Some(Pager::new(world.clock.clock()))).await;
    floret.shutdown(Duration::ZERO).await.unwrap();
    world.clock.advance(DAY * 8);
    // One thread executes all of this test.
    let _guard = tracing::subscriber::set_default(subscriber.finish());
    drop(begin(None).await);
    let written = written.text();
    assert!(
        written.contains("WARN") && written.contains("notifier=pager"),
        "{written}"
    );
    assert!(written.contains("its cursor expired"), "{written}");
}
