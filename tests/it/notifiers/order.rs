//! Which events come, in which order, and what it costs storage.

use std::time::Duration;

use floret::notifier::LogNotifier;
use floret::testing::Method;
use floret::{ErrorKind, EventKind, Floret, RunStatus};

use super::pager::Pager;
use super::{seqs_of, start, turn_until, world};
use crate::harness::{Store, World};

on_every_backend! {
    every_event_comes_in_the_order_of_its_run,
    only_what_is_wanted_comes,
    a_new_name_begins_with_what_happens_then,
    a_name_that_was_away_gets_what_it_missed,
    two_notifiers_get_the_same,
    many_deliveries_are_stored_as_one,
    a_name_is_given_once,
}

async fn every_event_comes_in_the_order_of_its_run(store: Store) {
    let world = world(store);
    let pager = Pager::new(world.clock.clock());
    let host = start(&world, &pager).await;
    let mut runs = Vec::new();
    for _ in 0..20 {
        runs.push(host.trigger("p").await);
        runs.push(host.trigger("q").await);
    }
    for run in &runs {
        pager.ended(run.id()).await;
    }
    let (got, stored) = (pager.got(), host.events().await);
    assert_eq!(got.len(), stored.len());
    for run in &runs {
        assert_eq!(seqs_of(&got, run.id()), seqs_of(&stored, run.id()));
    }
}

async fn only_what_is_wanted_comes(store: Store) {
    let world = world(store);
    let pager = Pager::new(world.clock.clock());
    pager.refuses([
        EventKind::Log,
        EventKind::NodeStarted,
        EventKind::RunStarted,
    ]);
    let host = start(&world, &pager).await;
    let run = host.run("p").await.run.id;
    pager.ended(run).await;
    let kinds: Vec<_> = pager.got().iter().map(|event| event.kind).collect();
    let expected = [
        EventKind::RunCreated,
        EventKind::NodeCompleted,
        EventKind::NodeCompleted,
        EventKind::RunCompleted,
    ];
    assert_eq!(kinds, expected);
}

async fn a_new_name_begins_with_what_happens_then(store: Store) {
    let world = world(store);
    let host = world.start().await;
    host.run("p").await;
    host.stop().await;
    let pager = Pager::new(world.clock.clock());
    let host = start(&world, &pager).await;
    let run = host.run("q").await.run.id;
    pager.ended(run).await;
    let got = pager.got();
    assert_eq!(seqs_of(&got, run).len(), got.len());
    assert_eq!(got[0].kind, EventKind::RunCreated);
}

async fn a_name_that_was_away_gets_what_it_missed(store: Store) {
    let world = world(store);
    let pager = Pager::new(world.clock.clock());
    let host = start(&world, &pager).await;
    let first = host.run("q").await.run.id;
    pager.ended(first).await;
    host.stop().await;
    let host = world.start().await;
    let missed = host.run("p").await.run.id;
    let stored = host.events_of(missed).await;
    host.stop().await;
    let before = pager.got().len();
    let host = start(&world, &pager).await;
    pager.ended(missed).await;
    // The end of the first run may come again.
    let mut got = pager.got().split_off(before);
    got.retain(|event| event.run_id == missed);
    assert_eq!(got, stored);
    host.stop().await;
}

async fn two_notifiers_get_the_same(store: Store) {
    let world = world(store);
    let [one, two] = [(); 2].map(|()| Pager::new(world.clock.clock()));
    let (first, second) = (one.clone(), two.clone());
    let host = world
        .start_with(|builder| builder.notifier("one", first).notifier("two", second))
        .await;
    let run = host.run("p").await.run.id;
    one.ended(run).await;
    two.ended(run).await;
    assert_eq!(one.got(), two.got());
}

async fn many_deliveries_are_stored_as_one(store: Store) {
    let world = world(store);
    let pager = Pager::new(world.clock.clock());
    let host = start(&world, &pager).await;
    for _ in 0..10 {
        let run = host.run("p").await.run.id;
        pager.ended(run).await;
    }
    assert_eq!(host.storage.calls(Method::PutDeliveries), 0);
    let stored = async {
        while host.storage.calls(Method::PutDeliveries) == 0 {
            tokio::task::yield_now().await;
        }
    };
    turn_until(&world, Duration::from_secs(1), stored).await;
    assert_eq!(host.storage.calls(Method::PutDeliveries), 1);
    // Nothing more to store, and nothing that would wake it for that.
    let again = host.storage.calls(Method::PutDeliveries);
    host.stop().await;
    assert_eq!(again, 1);
}

async fn a_name_is_given_once(store: Store) {
    let storage = store.open().await;
    let refused = Floret::builder(storage)
        .notifier("log", LogNotifier::new())
        .notifier("log", LogNotifier::new())
        .start()
        .await;
    let error = refused.unwrap_err();
    assert_eq!(
        (error.kind(), error.slug()),
        (ErrorKind::Invalid, "notifier-twice")
    );
    assert_eq!(
        error.issues()[0].detail,
        "the notifier log is registered twice"
    );
}

/// A host may let go of the handle and keep the service alone.
#[tokio::test]
async fn events_come_as_long_as_anything_of_the_floret_is_held() {
    use tower::ServiceExt as _;
    let world = World::new(Store::memory());
    let pager = Pager::new(world.clock.clock());
    let floret = Floret::builder(world.store.open().await)
        .pipeline(floret::Pipeline::new("p").node("a", crate::harness::STEP))
        .executor(crate::harness::STEP, world.script.clone())
        .notifier("pager", pager.clone())
        .start()
        .await
        .unwrap();
    let api = floret.service(floret::Access::allow_all());
    let run = floret.run("p").start().await.unwrap();
    assert_eq!(run.finished().await.unwrap().run.status, RunStatus::Success);
    pager.ended(run.id()).await;
    drop((floret, run));
    let request = http::Request::post("/api/pipelines/p/run");
    let answer = api
        .clone()
        .oneshot(request.body(String::new()).unwrap())
        .await;
    assert_eq!(answer.unwrap().status(), 202);
    let held = pager.got().len();
    pager.called(held + 1).await;
}
