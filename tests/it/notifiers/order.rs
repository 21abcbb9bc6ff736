//! Which events a notifier receives, in which order, and how many storage calls that takes.
//!
//! Failed deliveries are in `faults`.

use floret::notifier::LogNotifier;
use floret::testing::Method;
use floret::{ErrorKind, EventKind, Floret, RunStatus};

use super::pager::Pager;
use super::{seqs_of, start, world};
use crate::harness::{Store, World};

on_every_backend! {
    events_of_a_run_arrive_in_order,
    only_wanted_events_arrive,
    a_new_notifier_receives_only_later_events,
    an_absent_notifier_receives_the_events_that_it_missed,
    two_notifiers_receive_the_same_events,
    many_deliveries_are_stored_by_one_call,
    a_notifier_name_can_be_registered_only_once,
}

async fn events_of_a_run_arrive_in_order(store: Store) {
    let world = world(store);
    let pager = Pager::new(world.clock.clock());
    let host = start(&world, &pager).await;
    let mut runs = Vec::new();
    for _ in 0..20 {
        runs.push(host.trigger("p").await);
        runs.push(host.trigger("q").await);
    }
    for run in &runs {
        pager.received_run(run.id()).await;
    }
    let (received, stored) = (pager.received(), host.events().await);
    assert_eq!(received.len(), stored.len());
    for run in &runs {
        assert_eq!(seqs_of(&received, run.id()), seqs_of(&stored, run.id()));
    }
}

async fn only_wanted_events_arrive(store: Store) {
    let world = world(store);
    let pager = Pager::new(world.clock.clock());
    pager.ignore([
        EventKind::Log,
        EventKind::NodeStarted,
        EventKind::RunStarted,
    ]);
    let host = start(&world, &pager).await;
    let run = host.run("p").await.run.id;
    pager.received_run(run).await;
    let kinds: Vec<_> = pager.received().iter().map(|event| event.kind).collect();
    let expected = [
        EventKind::RunCreated,
        EventKind::NodeCompleted,
        EventKind::NodeCompleted,
        EventKind::RunCompleted,
    ];
    assert_eq!(kinds, expected);
}

async fn a_new_notifier_receives_only_later_events(store: Store) {
    let world = world(store);
    let host = world.start().await;
    host.run("p").await;
    host.stop().await;
    let pager = Pager::new(world.clock.clock());
    let host = start(&world, &pager).await;
    let run = host.run("q").await.run.id;
    pager.received_run(run).await;
    let received = pager.received();
    assert_eq!(seqs_of(&received, run).len(), received.len());
    assert_eq!(received[0].kind, EventKind::RunCreated);
}

async fn an_absent_notifier_receives_the_events_that_it_missed(store: Store) {
    let world = world(store);
    let pager = Pager::new(world.clock.clock());
    let host = start(&world, &pager).await;
    let first = host.run("q").await.run.id;
    pager.received_run(first).await;
    host.stop().await;
    let host = world.start().await;
    let missed = host.run("p").await.run.id;
    let stored = host.events_of(missed).await;
    host.stop().await;
    let before = pager.received().len();
    let host = start(&world, &pager).await;
    pager.received_run(missed).await;
    // The last event of the first run may arrive again.
    let mut received = pager.received().split_off(before);
    received.retain(|event| event.run_id == missed);
    assert_eq!(received, stored);
    host.stop().await;
}

async fn two_notifiers_receive_the_same_events(store: Store) {
    let world = world(store);
    let [one, two] = [(); 2].map(|()| Pager::new(world.clock.clock()));
    let (first, second) = (one.clone(), two.clone());
    let host = world
        .start_with(|builder| builder.notifier("one", first).notifier("two", second))
        .await;
    let run = host.run("p").await.run.id;
    one.received_run(run).await;
    two.received_run(run).await;
    assert_eq!(one.received(), two.received());
}

async fn many_deliveries_are_stored_by_one_call(store: Store) {
    let world = world(store);
    let pager = Pager::new(world.clock.clock());
    let host = start(&world, &pager).await;
    for _ in 0..10 {
        let run = host.run("p").await.run.id;
        pager.received_run(run).await;
    }
    assert_eq!(host.storage.calls(Method::PutDeliveries), 0);
    // Once: the last delivery may be noted after this call, and then waits as long again.
    world.clock.advance(world.limits.notifier_linger);
    while host.storage.calls(Method::PutDeliveries) == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(host.storage.calls(Method::PutDeliveries), 1);
    // Nothing remains to be stored, so no timer wakes the delivery.
    let calls = host.storage.calls(Method::PutDeliveries);
    host.stop().await;
    assert_eq!(calls, 1);
}

async fn a_notifier_name_can_be_registered_only_once(store: Store) {
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

/// A host may drop the Floret and keep only its service.
#[tokio::test]
async fn events_arrive_as_long_as_the_service_exists() {
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
    pager.received_run(run.id()).await;
    drop((floret, run));
    let count = pager.received().len();
    let request = http::Request::post("/api/pipelines/p/run");
    let answer = api
        .clone()
        .oneshot(request.body(String::new()).unwrap())
        .await;
    assert_eq!(answer.unwrap().status(), 202);
    pager.called(count + 1).await;
}
