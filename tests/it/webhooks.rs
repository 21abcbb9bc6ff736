//! Webhooks of a running Floret: what a receiver gets, and what happens when it refuses.
//!
//! What a webhook makes of each answer, and which targets it refuses, is tested in the crate.

use std::time::Duration;

use floret::notifier::Webhook;
use floret::{Access, Delivery, DeliveryState, ErrorKind, EventKind, TraceParent};
use http::Method;
use serde_json::json;

use crate::harness::{Host, Receiver, Store, World, chain};
use crate::wire::{TestResponse, request, send};

on_every_backend! {
    a_repeat_of_an_event_has_the_same_id,
    a_request_continues_the_trace_of_its_run,
    a_receiver_that_is_gone_gets_nothing_until_a_retry_succeeds,
    a_dead_letter_is_retried_after_a_restart,
    a_dead_letter_is_dropped_once,
}

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const MINUTE: Duration = Duration::from_secs(60);

fn world(store: Store) -> World {
    let mut world = World::quiet(store).pipeline(chain("p", &["a"]));
    // Requests take real time, while the clock of the world jumps.
    world.limits.notifier_timeout = Duration::from_secs(400 * 24 * 3_600);
    world
}

/// Starts a host with a webhook for completed runs.
async fn start(world: &World, port: u16) -> Host {
    let webhook = Webhook::builder(format!("http://127.0.0.1:{port}/hooks"))
        .secret(SECRET)
        .events([EventKind::RunCompleted])
        .allow_http()
        .allow_private()
        .build()
        .unwrap();
    world
        .start_with(|builder| builder.notifier("ops", webhook))
        .await
}

async fn ask(host: &Host, method: Method, path: &str) -> TestResponse {
    let service = host.floret.service(Access::allow_all());
    send(&service, request(method, path, None)).await
}

/// Waits until this many deliveries are left, dead or waiting.
async fn parked(host: &Host, count: usize) {
    while host.floret.deliveries().await.unwrap().items.len() != count {
        tokio::task::yield_now().await;
    }
}

/// Waits until this many deliveries are dead letters, and returns them, newest first.
async fn dead_letters(host: &Host, count: usize) -> Vec<Delivery> {
    loop {
        let dead = host.floret.deliveries().state(DeliveryState::Dead);
        let dead = dead.await.unwrap().items;
        if dead.len() == count {
            return dead;
        }
        tokio::task::yield_now().await;
    }
}

async fn a_repeat_of_an_event_has_the_same_id(store: Store) {
    let world = world(store);
    let (receiver, port, _serving) = Receiver::start([503, 200]).await;
    let host = start(&world, port).await;
    let run = host.run("p").await.run.id;
    let repeated = receiver.received(2);
    let received = world.advance_until(MINUTE, repeated).await;
    let [first, second] = [0, 1].map(|index| &received[index].headers);
    assert_eq!(first["webhook-id"], second["webhook-id"]);
    let body = received[1].body();
    assert_eq!(body["type"], "run.completed");
    assert_eq!(body["data"]["run_id"], run.to_string());
    assert_eq!(received.len(), 2);
}

async fn a_request_continues_the_trace_of_its_run(store: Store) {
    let world = world(store);
    let (receiver, port, _serving) = Receiver::start([503, 200]).await;
    let host = start(&world, port).await;
    let parent: TraceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        .parse()
        .unwrap();
    let run = host.floret.run("p").traceparent(parent).await.unwrap();
    run.finished().await.unwrap();
    let repeated = receiver.received(2);
    let received = world.advance_until(MINUTE, repeated).await;
    let [first, second] =
        [0, 1].map(|index| received[index].headers["traceparent"].to_str().unwrap());
    assert_eq!(first, second);
    let sent: TraceParent = first.parse().unwrap();
    assert_eq!(sent.trace_id(), parent.trace_id());
    assert_ne!(sent.span_id(), parent.span_id());
    assert!(sent.is_sampled());
    assert_eq!(received[0].body()["data"].get("traceparent"), None);
    host.run("p").await;
    let received = world.advance_until(MINUTE, receiver.received(3)).await;
    assert!(!received[2].headers.contains_key("traceparent"));
}

async fn a_receiver_that_is_gone_gets_nothing_until_a_retry_succeeds(store: Store) {
    let world = world(store);
    let (receiver, port, _serving) = Receiver::start([410]).await;
    let host = start(&world, port).await;
    let first = host.run("p").await.run.id;
    receiver.received(1).await;
    dead_letters(&host, 1).await;
    let second = host.run("p").await.run.id;
    // What is not tried is stored a little later.
    let dead = world.advance_until(MINUTE, dead_letters(&host, 2)).await;
    assert_eq!((dead[0].run_id, dead[1].run_id), (second, first));
    assert_eq!((dead[0].tries, dead[1].tries), (0, 1));
    assert_eq!(dead[0].kind, Some(EventKind::RunCompleted));
    assert_eq!(receiver.received(1).await.len(), 1);

    // The receiver is mended.
    receiver.answer([200]);
    let path = format!("/api/deliveries/{}/retry", dead[0].id);
    let retried = ask(&host, Method::POST, &path).await;
    assert_eq!(retried.status, 200, "{retried:?}");
    assert_eq!(retried.json()["state"], "waiting");
    let received = receiver.received(2).await;
    assert_eq!(received[1].body()["data"]["run_id"], second.to_string());
    // Only once its answer is processed does the receiver get new events again.
    world.advance_until(MINUTE, parked(&host, 1)).await;
    let third = host.run("p").await.run.id;
    let received = receiver.received(3).await;
    assert_eq!(received[2].body()["data"]["run_id"], third.to_string());
    let left = dead_letters(&host, 1).await;
    assert_eq!(left[0].run_id, first);
}

async fn a_dead_letter_is_retried_after_a_restart(store: Store) {
    let world = world(store);
    let (receiver, port, _serving) = Receiver::start([410]).await;
    let host = start(&world, port).await;
    let run = host.run("p").await.run.id;
    let dead = dead_letters(&host, 1).await;
    host.stop().await;
    // A host without the webhook cannot deliver, but it takes the retry.
    let host = world.start().await;
    let waiting = host.floret.deliveries().retry(&dead[0].id).await.unwrap();
    assert_eq!((waiting.state, waiting.tries), (DeliveryState::Waiting, 0));
    host.stop().await;
    receiver.answer([200]);
    let host = start(&world, port).await;
    let received = receiver.received(2).await;
    assert_eq!(received[1].body()["data"]["run_id"], run.to_string());
    assert_eq!(
        received[0].headers["webhook-id"],
        received[1].headers["webhook-id"]
    );
    while !host.floret.deliveries().await.unwrap().items.is_empty() {
        world.clock.advance(MINUTE);
        tokio::task::yield_now().await;
    }
}

async fn a_dead_letter_is_dropped_once(store: Store) {
    let world = world(store);
    let (_receiver, port, _serving) = Receiver::start([410]).await;
    let host = start(&world, port).await;
    host.run("p").await;
    let id = dead_letters(&host, 1).await.remove(0).id;
    let path = format!("/api/deliveries/{id}");
    let shown = ask(&host, Method::GET, &path).await.json();
    assert_eq!(shown["type"], "run.completed");
    assert_eq!(
        (&shown["id"], &shown["tries"]),
        (&json!(id.to_string()), &json!(1))
    );
    assert_eq!(ask(&host, Method::DELETE, &path).await.status, 204);
    for method in [Method::GET, Method::DELETE] {
        let again = ask(&host, method, &path).await;
        again.assert_problem(404, "delivery-not-found");
    }
    let refused = host.floret.deliveries().retry(&id).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotFound);
    assert_eq!(host.floret.system().info().await.unwrap().dead_letters, 0);
}
